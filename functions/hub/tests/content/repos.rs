//! Repos and requests for them: asking, moving on, and what kojira calls.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::world::{World, column, now};

/// A READY repo of a tag, of the newest event.
async fn repo(world: &World, tag: &str) -> i64 {
    sqlx::query_scalar(
        "INSERT INTO repo (tag_id, state, create_event, creation_time, state_time, opts, custom_opts)
         SELECT id, 1, (SELECT max(id) FROM events), $2, $2, '{\"src\": false, \"debuginfo\": false}', '{}'
         FROM tag WHERE name = $1 RETURNING id",
    )
    .bind(tag)
    .bind(now())
    .fetch_one(&world.pool)
    .await
    .unwrap()
}

async fn state(world: &World, repo: i64) -> Value {
    world.ok("repoInfo", json!({"repo_id": repo})).await["state"].clone()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn queries_by_clauses(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["one", "two"]).await;
    let (first, second) = (repo(&world, "one").await, repo(&world, "two").await);
    world.ok("repo.setState", json!({"repo_id": first, "state": 2})).await;
    let ids = async |clauses: Value| {
        let found = world.ok("repo.query", json!({"clauses": clauses, "opts": {"order": "id"}})).await;
        found.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids(json!(null)).await, [first, second]);
    assert_eq!(ids(json!([["state", "!=", 2]])).await, [second]);
    assert_eq!(ids(json!([["state", [1, 2]]])).await, [first, second]);
    assert_eq!(ids(json!([["tag_name", "one"], ["state", ">=", "2"]])).await, [first]);
    assert_eq!(ids(json!([["end_event", "is", null], ["dist", "IS", false]])).await, [first, second]);
    assert_eq!(ids(json!([["end_event", "IS NOT", null]])).await, [] as [i64; 0]);
    assert_eq!(ids(json!([["end_event", "=", null]])).await, [] as [i64; 0]);
    assert_eq!(ids(json!([["opts", "@>", "{\"src\": false}"], ["custom_opts", "=", {}]])).await, [first, second]);
    assert_eq!(ids(json!([["creation_ts", "<", 1_700_000_000]])).await, [] as [i64; 0]);
    assert_eq!(ids(json!([["id", "IN", []]])).await, [] as [i64; 0]);

    // the default fields, those that are named, and all
    let rows = world.ok("repo.query", json!({"clauses": [["id", first]]})).await;
    let fields: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["create_event", "custom_opts", "dist", "id", "opts", "state", "tag_id", "task_id"]);
    let rows = world.ok("repo.query", json!({"clauses": [["id", first]], "fields": ["tag_name", "create_ts"]})).await;
    assert_eq!(rows[0]["tag_name"], "one");
    assert!(rows[0]["create_ts"].is_f64() && rows[0].as_object().unwrap().len() == 2);
    let rows = world.ok("repo.query", json!({"clauses": [], "fields": "**", "opts": {"order": "-tag_name"}})).await;
    assert_eq!((rows[0].as_object().unwrap().len(), column(&rows, "tag_name")), (19, vec!["two".into(), "one".into()]));
    let info = world.ok("repoInfo", json!({"repo_id": second})).await;
    assert_eq!(rows[0], info, "a query for all is what repoInfo answers");
    let opts = json!({"countOnly": true, "limit": 1});
    assert_eq!(world.ok("repo.query", json!({"clauses": [], "opts": opts})).await, 1);
    let opts = json!({"asList": true, "order": "id"});
    let lists = world.ok("repo.query", json!({"clauses": [], "fields": ["state", "id"], "opts": opts})).await;
    assert_eq!(lists, json!([[first, 2], [second, 1]]));
    let active = world.ok("getActiveRepos", json!({})).await;
    assert_eq!((active.as_array().unwrap().len(), active[0].as_object().unwrap().len()), (2, 12));

    for (clauses, said) in [
        (json!([["nope", 1]]), "Invalid field for query nope"),
        (json!([["id", "LIKE", 1]]), "Invalid operator: LIKE"),
        (json!([["id; DROP TABLE repo", 1]]), "Invalid field for query id; DROP TABLE repo"),
        (json!([["id"]]), "Invalid clause: each is [field, value] or [field, operator, value]"),
        (json!([["id", "=", "x"]]), "Invalid value for id: a string does not go with it"),
        (json!([["dist", 1]]), "Invalid value for dist: an int does not go with it"),
        (json!([["state", "@>", 1]]), "Invalid value for state: an int does not go with it"),
    ] {
        assert_eq!(world.fault("repo.query", json!({"clauses": clauses})).await, (1019, said.to_owned()));
    }
    let (code, _) = world.fault("repo.query", json!({"clauses": [], "opts": {"order": "nope"}})).await;
    assert_eq!(code, 1019);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn states_only_move_up(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["one"]).await;
    let id = repo(&world, "one").await;
    world.ok("repoExpire", json!({"repo_id": id})).await;
    world.ok("repo.setState", json!({"repo_id": id, "state": 2})).await;
    let back = world.fault("repo.setState", json!({"repo_id": id, "state": 1})).await;
    assert_eq!(back, (1000, format!("Invalid repo state transition for repo {id}: EXPIRED -> READY")));
    world.ok("repoProblem", json!({"repo_id": id})).await;
    assert_eq!(state(&world, id).await, 4);

    // a buildroot that is in use keeps it
    sqlx::query(
        "INSERT INTO buildroot (arch, repo_id, state, create_event) SELECT 'x86_64', $1, 2, max(id) FROM events",
    )
    .bind(id)
    .execute(&world.pool)
    .await
    .unwrap();
    let references = world.ok("repo.references", json!({"repo_id": id})).await;
    assert_eq!((references.as_array().unwrap().len(), &references[0]["state"]), (1, &json!(2)));
    assert_eq!(world.ok("repoDelete", json!({"repo_id": id})).await, 1);
    assert_eq!(state(&world, id).await, 4);
    sqlx::query("UPDATE buildroot SET state = 3, retire_event = create_event").execute(&world.pool).await.unwrap();
    assert_eq!(world.ok("repoDelete", json!({"repo_id": id})).await, 0);
    assert_eq!(world.ok("repo.references", json!({"repo_id": id})).await, json!([]));
    let gone = world.fault("repoProblem", json!({"repo_id": id})).await;
    assert_eq!(gone, (1000, format!("Repo {id} is deleted")));
    assert_eq!(world.ok("getActiveRepos", json!({})).await, json!([]));

    assert_eq!(world.fault("repo.setState", json!({"repo_id": 999, "state": 2})).await.1, "No such repo: 999");
    assert_eq!(world.fault("repo.setState", json!({"repo_id": id, "state": 9})).await.0, 1019);
    let bob = world.user("bob", &[]).await;
    assert_eq!(bob.fault("repo.setState", json!({"repo_id": id, "state": 3})).await.0, 1004);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_repo_that_becomes_ready_fulfils_requests(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["one"]).await;
    let asked = world.ok("repo.request", json!({"tag": "one", "min_event": "last"})).await;
    let request = asked["request"]["id"].as_i64().unwrap();
    let checked = world.ok("repo.checkRequest", json!({"req_id": request})).await;
    assert_eq!((&checked["repo"], &checked["task"]["method"]), (&json!(null), &json!("newRepo")));

    let queue = world.ok("repo.queryQueue", json!({"clauses": [["active", "IS", true]], "fields": "**"})).await;
    assert_eq!(queue[0], checked["request"], "a query for all is the request");
    world.ok("repo.setRequestPriority", json!({"req_id": request, "priority": 3})).await;
    let queue = world.ok("repo.queryQueue", json!({"fields": ["priority", "owner_name"]})).await;
    assert_eq!(queue, json!([{"owner_name": "admin", "priority": 3}]));
    for (arguments, fault) in [
        (json!({"tag": "one", "min_event": 99_999}), (1019, "Invalid event: 99999")),
        (json!({"tag": "one", "at_event": 99_999}), (1019, "Invalid event: 99999")),
        (json!({"tag": "one", "opts": {"maven": true}}), (1000, "Maven support not enabled")),
    ] {
        assert_eq!(world.fault("repo.request", arguments).await, (fault.0, fault.1.to_owned()));
    }
    let none = world.fault("repo.setRequestPriority", json!({"req_id": 999, "priority": 3})).await;
    assert_eq!(none, (1000, "No such request: 999".to_owned()));
    let bob = world.user("bob", &["repo"]).await;
    assert_eq!(bob.fault("repo.setRequestPriority", json!({"req_id": request, "priority": 1})).await.0, 1004);

    let id = repo(&world, "one").await;
    sqlx::query("UPDATE repo SET state = 0").execute(&world.pool).await.unwrap();
    world.ok("repo.setState", json!({"repo_id": id, "state": 1})).await;
    let checked = world.ok("repo.checkRequest", json!({"req_id": request})).await;
    assert_eq!((&checked["repo"]["id"], &checked["request"]["active"]), (&json!(id), &json!(false)));
    assert_eq!(world.ok("repo.queryQueue", json!({"clauses": [["active", "IS", true]]})).await, json!([]));

    // the answer is there for a day
    world.ok("repo.checkQueue", json!({})).await;
    world.ok("repo.checkRequest", json!({"req_id": request})).await;
    let long_ago = now() - chrono::TimeDelta::days(2);
    sqlx::query("UPDATE repo_queue SET update_time = $1").bind(long_ago).execute(&world.pool).await.unwrap();
    world.ok("repo.checkQueue", json!({})).await;
    assert_eq!(world.fault("repo.checkRequest", json!({"req_id": request})).await.0, 1000);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_kojira_does(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["one", "two"]).await;
    let (first, second) = (repo(&world, "one").await, repo(&world, "two").await);
    world.ok("createExternalRepo", json!({"name": "ext", "url": "http://example.org/ext/"})).await;
    world.ok("addExternalRepoToTag", json!({"tag_info": "two", "repo_info": "ext", "priority": 1})).await;
    world.ok("repo.updateEndEvents", json!({})).await;
    let end = async |id: i64| world.ok("repoInfo", json!({"repo_id": id})).await["end_event"].clone();
    assert_eq!((end(first).await, end(second).await.is_i64()), (json!(null), true));

    // what an external repo holds is versioned, and changes its tags
    assert_eq!(world.ok("repo.getExternalRepoData", json!({"erepo": "ext"})).await, json!(null));
    let before = world.ok("tagLastChangeEvent", json!({"tag": "two"})).await;
    for ts in [1, 2] {
        world.ok("repo.setExternalRepoData", json!({"external_repo_id": 1, "data": {"max_ts": ts}})).await;
    }
    assert_eq!(world.ok("repo.getExternalRepoData", json!({"erepo": 1})).await, json!({"max_ts": 2}));
    assert_ne!(world.ok("tagLastChangeEvent", json!({"tag": "two"})).await, before);
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM external_repo_data").fetch_one(&world.pool).await.unwrap();
    assert_eq!(rows, 2);
    let (_, text) = world.fault("repo.setExternalRepoData", json!({"external_repo_id": "no", "data": {}})).await;
    assert_eq!(text, "No such external repo: 'no'");
    assert_eq!(world.fault("repo.setExternalRepoData", json!({"external_repo_id": 1, "data": 5})).await.0, 1019);

    // only tags that want it
    world.ok("repo.autoRequests", json!({})).await;
    assert_eq!(world.ok("repo.queryQueue", json!({"opts": {"countOnly": true}})).await, 0);
    world.ok("editTag2", json!({"tagInfo": "two", "extra": {"repo.auto": true, "repo.lag": 0}})).await;
    sqlx::query("UPDATE events SET time = $1")
        .bind(now() - chrono::TimeDelta::days(1))
        .execute(&world.pool)
        .await
        .unwrap();
    world.ok("repo.autoRequests", json!({})).await;
    world.ok("repo.autoRequests", json!({})).await;
    let queue = world.ok("repo.queryQueue", json!({"fields": ["tag_name", "priority", "task_id", "min_event"]})).await;
    assert_eq!(
        (queue.as_array().unwrap().len(), &queue[0]["tag_name"], &queue[0]["priority"]),
        (1, &json!("two"), &json!(25))
    );

    // a task that was cancelled is followed by another
    let task = &queue[0]["task_id"];
    sqlx::query("UPDATE task SET state = 3, completion_time = $1").bind(now()).execute(&world.pool).await.unwrap();
    world.ok("repo.checkQueue", json!({})).await;
    let queue = world.ok("repo.queryQueue", json!({"fields": ["task_id", "tries"]})).await;
    assert_eq!(queue[0]["tries"], 2);
    assert_ne!(queue[0]["task_id"], *task);

    let bob = world.user("bob", &[]).await;
    for method in ["repo.autoRequests", "repo.checkQueue", "repo.updateEndEvents"] {
        assert_eq!(bob.fault(method, json!({})).await.0, 1004, "{method}");
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn tasks_that_make_repos(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["one"]).await;
    let request = async |task: &Value| world.ok("getTaskInfo", json!({"task_id": task, "request": true})).await;

    let task = world.ok("newRepo", json!({"tag": "one"})).await;
    let made = request(&task).await;
    assert_eq!((&made["request"], &made["priority"]), (&json!(["one"]), &json!(15)));
    let event = world.last_event().await;
    let task = world.ok("newRepo", json!({"tag": "one", "event": event, "src": true})).await;
    assert_eq!(request(&task).await["request"], json!(["one", {"event": event, "src": true, "__starstar": true}]));
    assert_eq!(world.fault("newRepo", json!({"tag": "none"})).await.0, 1000);
    world.user("ann", &["regen-repo"]).await.ok("newRepo", json!({"tag": "one"})).await;
    let bob = world.user("bob", &[]).await;
    assert_eq!(bob.fault("newRepo", json!({"tag": "one"})).await.0, 1004);

    let arguments = json!({"tag": "one", "keys": ["abcd1234"], "arch": ["i686", "x86_64"], "event": event});
    let task = world.ok("distRepo", arguments).await;
    let made = request(&task).await;
    let repo = world.ok("repo.query", json!({"clauses": [["dist", "IS", true]], "fields": "**"})).await[0].clone();
    let opts = json!({"arch": ["i686", "x86_64"], "event": event});
    assert_eq!(made["request"], json!(["one", repo["id"], ["abcd1234"], opts]));
    assert_eq!((&repo["state"], &repo["task_id"], &repo["create_event"]), (&json!(0), &task, &json!(event)));
    // the repo function does the rest
    let id = toji_protocol::id::TaskId(task.as_i64().unwrap());
    toji_hub::coordinate::advance(&world.hub, id, now()).await.unwrap();
    assert_eq!(request(&task).await["state"], 1);
    assert_eq!(state(&world, repo["id"].as_i64().unwrap()).await, 0);

    for (arguments, code) in [
        (json!({"tag": "none", "keys": [], "arch": ["x86_64"]}), 1000),
        (json!({"tag": "one", "keys": "abcd", "arch": ["x86_64"]}), 1019),
        (json!({"tag": "one", "keys": []}), 1019),
        (json!({"tag": "one", "keys": [], "arch": ["x86_64"], "delta": [1]}), 1019),
        (json!({"tag": "one", "keys": [], "arch": ["x86_64"], "event": 99_999}), 1000),
        (json!({"tag": "one", "keys": [], "arch": ["x86_64"], "volume": "none"}), 1000),
    ] {
        assert_eq!(world.fault("distRepo", arguments.clone()).await.0, code, "{arguments}");
    }
    assert_eq!(world.nobody().fault("distRepo", json!({"tag": "one", "keys": []})).await.0, 1004);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn tasks_of_other_kinds(pool: PgPool) {
    let world = World::new(pool).await;
    let srcs = json!([["git+https://example.org/x#a"], ["foo-1-1"]]);
    let task = world.ok("chainBuild", json!({"srcs": srcs, "target": "one", "priority": 5})).await;
    let made = world.ok("getTaskInfo", json!({"task_id": task, "request": true})).await;
    assert_eq!((&made["request"], &made["priority"]), (&json!([srcs, "one", {}]), &json!(25)));
    assert_eq!(made["method"], "chainbuild");
    assert_eq!(world.fault("chainBuild", json!({"srcs": "x", "target": "one"})).await.0, 1019);
    assert_eq!(world.nobody().fault("chainBuild", json!({"srcs": srcs, "target": "one"})).await.0, 1004);
    let bob = world.user("bob", &[]).await;
    assert_eq!(bob.fault("chainBuild", json!({"srcs": srcs, "target": "one", "priority": -1})).await.0, 1004);

    let task = world.ok("restartHosts", json!({"options": {"channel": "default"}})).await;
    let made = world.ok("getTaskInfo", json!({"task_id": task, "request": true})).await;
    assert_eq!((&made["request"], &made["priority"]), (&json!([{"channel": "default"}]), &json!(5)));
    assert_eq!(world.fault("restartHosts", json!({"options": [1]})).await.0, 1019);
    assert_eq!(bob.fault("restartHosts", json!({})).await.0, 1004);
}
