//! `chainbuild`: levels of builds, each after the one before is in a repo.

use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::coordinate;
use toji_protocol::id::TaskId;

use crate::world::{World, now};

struct Chain {
    world: World,
    task: i64,
}

impl Chain {
    async fn start(pool: PgPool, srcs: Value, opts: Value) -> Self {
        let world = World::new(pool).await;
        world.tags(&["f", "f-build"]).await;
        world.ok("createBuildTarget", json!({"name": "f", "build_tag": "f-build", "dest_tag": "f"})).await;
        let task = world.ok("chainBuild", json!({"srcs": srcs, "target": "f", "opts": opts})).await;
        let chain = Self { world, task: task.as_i64().unwrap() };
        // whoever looks, and however often: everything happens once
        chain.advance().await;
        chain.advance().await;
        chain
    }

    async fn advance(&self) {
        coordinate::advance(&self.world.hub, TaskId(self.task), now()).await.unwrap();
    }

    /// Its children's labels.
    async fn children(&self) -> Vec<String> {
        sqlx::query_scalar("SELECT label FROM task WHERE parent = $1 ORDER BY id")
            .bind(self.task)
            .fetch_all(&self.world.pool)
            .await
            .unwrap()
    }

    /// A child ends; has it built something, that is its build.
    async fn end(&self, label: &str, state: i16, built: Option<&str>) {
        let result = if state == 5 {
            toji_protocol::xmlrpc::encode_fault(1005, "it broke")
        } else {
            toji_protocol::xmlrpc::encode_response(&()).unwrap()
        };
        let child: i64 = sqlx::query_scalar(
            "UPDATE task SET state = $3, result = $4, completion_time = $5 WHERE parent = $1 AND label = $2 RETURNING id",
        )
        .bind(self.task)
        .bind(label)
        .bind(state)
        .bind(String::from_utf8(result).unwrap())
        .bind(now())
        .fetch_one(&self.world.pool)
        .await
        .unwrap();
        if let Some(nvr) = built {
            let build = self.world.build(nvr).await;
            let update = sqlx::query("UPDATE build SET task_id = $2 WHERE id = $1").bind(build).bind(child);
            update.execute(&self.world.pool).await.unwrap();
        }
        self.advance().await;
    }

    async fn request_of(&self, label: &str) -> Value {
        let sql = "SELECT id FROM task WHERE parent = $1 AND label = $2";
        let query = sqlx::query_scalar::<_, i64>(sql).bind(self.task).bind(label);
        let child = query.fetch_one(&self.world.pool).await.unwrap();
        self.world.ok("getTaskInfo", json!({"task_id": child, "request": true})).await
    }

    async fn state(&self) -> Value {
        self.world.ok("getTaskInfo", json!({"task_id": self.task})).await["state"].clone()
    }
}

fn url(name: &str) -> String {
    format!("git+https://example.org/{name}#main")
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn level_by_level(pool: PgPool) {
    let srcs = json!([[url("a"), url("b")], [url("c"), "old-1-1"], [url("d")]]);
    let chain = Chain::start(pool, srcs, json!({"fail_fast": true})).await;
    assert_eq!(chain.children().await, ["build 0,0", "build 0,1"]);
    let first = chain.request_of("build 0,0").await;
    assert_eq!((&first["method"], &first["priority"]), (&json!("build"), &json!(19)));
    assert_eq!(first["request"], json!([url("a"), "f", {"fail_fast": true}]));

    chain.end("build 0,1", 2, Some("b-1-1")).await;
    assert_eq!(chain.children().await.len(), 2, "the other one still runs");
    chain.end("build 0,0", 2, Some("a-1-1")).await;
    let wait = chain.request_of("wait 1").await;
    assert_eq!(
        (&wait["method"], &wait["request"]),
        (&json!("waitrepo"), &json!(["f-build", null, ["a-1-1", "b-1-1"], null]))
    );
    assert_eq!(chain.children().await.len(), 3, "nothing begins before the repo is there");

    chain.end("wait 1", 2, None).await;
    chain.end("build 1,0", 2, Some("c-1-1")).await;
    assert_eq!(chain.request_of("wait 2").await["request"][2], json!(["c-1-1", "old-1-1"]));
    chain.end("wait 2", 2, None).await;
    assert_eq!(chain.state().await, 1);
    chain.end("build 2,0", 2, Some("d-1-1")).await;
    assert_eq!(chain.state().await, 2);
    assert_eq!(chain.children().await.len(), 6, "nobody waits for the last level");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn one_that_fails_ends_it(pool: PgPool) {
    let chain = Chain::start(pool, json!([[url("a"), url("b")], [url("c")]]), json!({})).await;
    chain.end("build 0,0", 5, None).await;
    assert_eq!(chain.state().await, 5);
    assert_eq!(chain.world.fault("getTaskResult", json!({"taskId": chain.task})).await, (1005, "it broke".to_owned()));
    assert_eq!(chain.request_of("build 0,1").await["state"], 3, "the others are cancelled");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_cannot_be_chained(pool: PgPool) {
    let chain = Chain::start(pool, json!([[url("a")], [url("b")]]), json!({"scratch": true})).await;
    let (code, text) = chain.world.fault("getTaskResult", json!({"taskId": chain.task})).await;
    assert_eq!((code, text.as_str()), (1005, "--scratch is not allowed with chain-builds"));
    let task = chain.world.ok("chainBuild", json!({"srcs": [[url("a")]], "target": "none"})).await;
    coordinate::advance(&chain.world.hub, TaskId(task.as_i64().unwrap()), now()).await.unwrap();
    let (_, text) = chain.world.fault("getTaskResult", json!({"taskId": task})).await;
    assert_eq!(text, "unknown build target: none");
}
