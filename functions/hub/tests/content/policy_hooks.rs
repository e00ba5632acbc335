//! Where policies are asked: builds, tagging, and every task that is made.

use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::{coordinate, policy};
use toji_protocol::id::TaskId;

use crate::world::{World, now};

async fn set(world: &World, name: &str, rules: &str) {
    world.ok("policy.set", json!({"name": name, "rules": rules})).await;
}

fn denied(policy: &str, reason: &str) -> (i32, String) {
    (1004, format!("policy violation ({policy}): {reason}"))
}

/// Has the coordinator look at a task, and answers its state.
async fn advance(world: &World, task: &Value) -> i64 {
    let id = TaskId(task.as_i64().unwrap());
    coordinate::advance(&world.hub, id, now()).await.unwrap();
    world.ok("getTaskInfo", json!({"task_id": task})).await["state"].as_i64().unwrap()
}

/// Why a task failed.
async fn failure(world: &World, task: &Value) -> String {
    assert_eq!(advance(world, task).await, 5);
    world.fault("getTaskResult", json!({"taskId": task})).await.1
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn tagging(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["a", "b"]).await;
    for tag in ["a", "b"] {
        world.list(tag, &["foo"]).await;
    }
    world.build("foo-1-1").await;
    let bob = world.user("bob", &["tag"]).await;
    let early = bob.ok("tagBuild", json!({"tag": "a", "build": "foo-1-1"})).await;
    set(&world, "tag", "operation untag && fromtag b :: deny stays in b\ntag a b :: deny not there\nall :: allow")
        .await;
    let tagging = json!({"tag": "a", "build": "foo-1-1"});
    for method in ["tagBuild", "tagBuildBypass"] {
        assert_eq!(bob.fault(method, tagging.clone()).await, denied("tag", "not there"), "{method}");
    }
    // the task that was made before is asked again when it runs
    assert_eq!(failure(&world, &early).await, "policy violation (tag): not there");

    // force is for admins, and nobody else
    let forced = json!({"tag": "b", "build": "foo-1-1", "force": true});
    assert_eq!(bob.fault("tagBuild", forced.clone()).await, denied("tag", "not there"));
    let task = world.ok("tagBuild", forced).await;
    assert_eq!(advance(&world, &task).await, 2);
    assert_eq!(world.nvrs("listTagged", json!({"tag": "b"})).await, ["foo-1-1"]);

    for method in ["untagBuild", "untagBuildBypass"] {
        let untagging = json!({"tag": "b", "build": "foo-1-1"});
        assert_eq!(bob.fault(method, untagging.clone()).await, denied("tag", "stays in b"), "{method}");
        assert_eq!(world.fault(method, untagging).await, denied("tag", "stays in b"), "{method}");
    }
    world.ok("untagBuild", json!({"tag": "b", "build": "foo-1-1", "force": true})).await;
    assert_eq!(world.nvrs("listTagged", json!({"tag": "b"})).await, [""; 0]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn moves_are_moves(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["a", "b"]).await;
    for tag in ["a", "b"] {
        world.list(tag, &["foo"]).await;
    }
    world.build("foo-1-1").await;
    world.tag_build("a", "foo-1-1").await;
    set(&world, "tag", "operation move && tag b && fromtag a && user bob :: allow\nall :: deny only that").await;
    let bob = world.user("bob", &[]).await;
    let task = bob.ok("tagBuild", json!({"tag": "b", "build": "foo-1-1", "fromtag": "a"})).await;
    assert_eq!(world.fault("tagBuild", json!({"tag": "b", "build": "foo-1-1"})).await, denied("tag", "only that"));
    assert_eq!(advance(&world, &task).await, 2);
    assert_eq!(world.nvrs("listTagged", json!({"tag": "b"})).await, ["foo-1-1"]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn builds(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["build", "dest"]).await;
    world.ok("createBuildTarget", json!({"name": "t", "build_tag": "build", "dest_tag": "dest"})).await;
    let bob = world.user("bob", &[]).await;
    let asked = |source: &str, opts: Value| json!({"src": source, "target": "t", "opts": opts});
    let (srpm, scm) = ("cli-build/x/foo-1-1.src.rpm", "git+https://example.com/foo#1");
    let fault = bob.fault("build", asked(srpm, json!({}))).await;
    assert!(fault.0 == 1004 && fault.1.starts_with("policy violation (build_from_srpm): "), "{fault:?}");
    bob.ok("build", asked(srpm, json!({"scratch": true}))).await;
    let task = bob.ok("build", asked(scm, json!({}))).await;
    sqlx::query(
        "INSERT INTO repo (tag_id, state, create_event, creation_time, state_time, opts, custom_opts)
         SELECT 1, 1, max(id), now(), now(), '{}', '{}' FROM events",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let fault = bob.fault("build", asked(scm, json!({"repo_id": 1}))).await;
    assert!(fault.1.starts_with("policy violation (build_from_repo_id): "), "{fault:?}");
    world.ok("build", json!({"src": scm, "target": "dest", "opts": {"repo_id": 1}})).await;
    assert_eq!(world.fault("build", json!({"src": scm, "target": "none", "opts": {"repo_id": 1}})).await.0, 1000);
    assert_eq!(world.fault("build", json!({"src": scm, "target": null, "opts": {"repo_id": 7}})).await.0, 1000);

    let rules = "bool scratch && tag dest && bool from_scm :: deny scratch\nskip_tag !! deny tagged\nall :: allow";
    set(&world, "build_rpm", rules).await;
    assert_eq!(bob.fault("build", asked(scm, json!({"scratch": true}))).await, denied("build_rpm", "scratch"));
    assert_eq!(world.fault("build", asked(scm, json!({}))).await, denied("build_rpm", "tagged"));
    bob.ok("build", asked(scm, json!({"skip_tag": true}))).await;
    // the task that was made before is asked again when it runs, on its owner's behalf
    set(&world, "build_rpm", "user bob && buildtag build && target t && has task_id :: deny too late").await;
    assert_eq!(failure(&world, &task).await, "policy violation (build_rpm): too late");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn tasks(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["build", "dest"]).await;
    world.ok("createBuildTarget", json!({"name": "t", "build_tag": "build", "dest_tag": "dest"})).await;
    let big = world.ok("addChannel", json!({"channel_name": "big"})).await;
    let make = async |method: &str, arguments: Value, opts: Value| {
        let mut call = json!({"method": method, "arglist": arguments});
        call.as_object_mut().unwrap().extend(opts.as_object().unwrap().clone());
        world.call("makeTask", call).await
    };
    let placed = async |task: Value| {
        let task = world.ok("getTaskInfo", json!({"task_id": task})).await;
        (task["channel_id"].clone(), task["priority"].as_i64().unwrap())
    };
    set(&world, "channel", "source git+* && target t && bool scratch && user admin :: use big\nhas req_channel :: req\nmethod odd :: parent").await;
    set(&world, "priority", "tag dest :: adjust -3\nmatch build_tag build :: set 1").await;
    let scratch = json!(["git+https://example.com/foo#1", "t", {"scratch": true}]);
    assert_eq!(placed(make("build", scratch, json!({})).await.unwrap()).await, (big.clone(), 20));
    let plain = json!(["git+https://example.com/foo#1", "t"]);
    let default = world.ok("getChannel", json!({"channelInfo": "default"})).await["id"].clone();
    assert_eq!(placed(make("build", plain.clone(), json!({})).await.unwrap()).await, (default.clone(), 20));
    let asked = make("build", plain, json!({"channel": "big", "priority": 7})).await.unwrap();
    assert_eq!(placed(asked).await, (big.clone(), 7));
    let tag = world.tag_id("dest").await;
    assert_eq!(placed(make("tagBuild", json!([tag, 1]), json!({})).await.unwrap()).await, (default.clone(), 17));
    let rebuild = json!(["x.src.rpm", "build", {"repo_id": 1}]);
    assert_eq!(placed(make("rebuildSRPM", rebuild, json!({})).await.unwrap()).await, (default.clone(), 1));
    // arguments that do not fit, and kinds that nobody knows, have nothing to tell
    assert_eq!(placed(make("tagBuild", json!([]), json!({})).await.unwrap()).await, (default.clone(), 20));
    assert_eq!(placed(make("whatever", json!([1, {}]), json!({})).await.unwrap()).await, (default, 20));

    assert_eq!(make("odd", json!([]), json!({})).await.unwrap_err().to_string(), "invalid channel policy");
    set(&world, "channel", "all :: use none").await;
    assert!(make("odd", json!([]), json!({})).await.unwrap_err().to_string().contains("No such channel: 'none'"));
    set(&world, "channel", "all :: use big").await;
    let unknown = make("odd", json!([]), json!({"channel": "unknown"})).await.unwrap_err().to_string();
    assert!(unknown.contains("No such channel"), "{unknown}");
    set(&world, "priority", "all :: set high").await;
    assert_eq!(make("odd", json!([]), json!({})).await.unwrap_err().to_string(), "invalid priority policy");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn volumes(pool: PgPool) {
    let world = World::new(pool).await;
    sqlx::query("INSERT INTO volume (id, name) VALUES (1, 'Archive')").execute(&world.pool).await.unwrap();
    let choose = async |data: Value, strict: bool| {
        let mut cx = toji_hub::call::Cx::internal(&world.hub, now()).await.unwrap();
        let chosen = policy::volume(&mut cx, serde_json::from_value(data).unwrap(), strict).await;
        chosen.map(|chosen| chosen.map(|(_, name)| name)).map_err(|error| error.to_string())
    };
    assert_eq!(choose(json!({}), true).await, Ok(Some("DEFAULT".to_owned())));
    set(&world, "volume", "match package a* :: Archive\nmatch package n* :: Nowhere\npackage x :: DEFAULT").await;
    assert_eq!(choose(json!({"package": "abc"}), false).await, Ok(Some("Archive".to_owned())));
    assert_eq!(choose(json!({"package": "nbc"}), false).await, Ok(None));
    assert!(choose(json!({"package": "nbc"}), true).await.unwrap_err().contains("no such volume"));
    assert_eq!(choose(json!({"package": "y"}), false).await, Ok(None));
    assert!(choose(json!({"package": "y"}), true).await.unwrap_err().contains("says nothing"));
    // a test that cannot be asked
    assert_eq!(choose(json!({}), false).await, Ok(None));
    assert!(choose(json!({}), true).await.unwrap_err().contains("asks for a package"));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn package_lists(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["a", "b"]).await;
    let (bob, carol) = (world.user("bob", &[]).await, world.user("carol", &["tag"]).await);
    let on = |tag: &str, package: &str| json!({"taginfo": tag, "pkginfo": package, "owner": "bob"});
    // Koji's default: who has the permission tag
    let fault = bob.fault("packageListAdd", on("a", "foo")).await;
    assert!(fault.0 == 1004 && fault.1.starts_with("policy violation (package_list): "), "{fault:?}");
    carol.ok("packageListAdd", on("a", "foo")).await;

    let rules = "tag b :: deny b is closed\nmatch action remove unblock :: deny no \nis_new_package :: deny unknown\nall :: allow";
    world.ok("policy.set", json!({"name": "package_list", "rules": rules})).await;
    assert_eq!(carol.fault("packageListAdd", on("b", "foo")).await, denied("package_list", "b is closed"));
    assert_eq!(carol.fault("packageListAdd", on("a", "new")).await, denied("package_list", "unknown"));
    assert_eq!(world.ok("getPackageID", json!({"name": "new"})).await, Value::Null);
    bob.ok("packageListBlock", json!({"taginfo": "a", "pkginfo": "foo"})).await;
    for method in ["packageListRemove", "packageListUnblock"] {
        let asked = json!({"taginfo": "a", "pkginfo": "foo"});
        assert_eq!(bob.fault(method, asked).await, denied("package_list", "no"), "{method}");
    }
    bob.ok("packageListSetOwner", json!({"taginfo": "a", "pkginfo": "foo", "owner": "carol", "force": true})).await;
    // force is for admins, and nobody else
    let mut forced = on("b", "new");
    forced["force"] = json!(true);
    assert_eq!(carol.fault("packageListAdd", forced.clone()).await, denied("package_list", "b is closed"));
    world.ok("packageListAdd", forced).await;
}
