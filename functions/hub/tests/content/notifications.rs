//! Who is told of builds, and what.

use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::{
    coordinate,
    notification::{Mail, compose},
};
use toji_protocol::{
    id::{BuildId, TagId, TaskId, UserId},
    queue_name::Notice,
    state::BuildState,
};

use crate::world::{World, column, now};

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn notifications_come_and_go(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["f42"]).await;
    world.list("f42", &["hello"]).await;
    let bob = world.user("bob", &[]).await;
    let all = json!({"user_id": "bob", "package_id": null, "tag_id": null, "success_only": false});
    let one = json!({"user_id": 2, "package_id": "hello", "tag_id": "f42", "success_only": true});
    assert_eq!(bob.ok("createNotification", all.clone()).await, Value::Null);
    bob.ok("createNotification", one.clone()).await;
    assert_eq!(
        bob.ok("getBuildNotifications", json!({})).await,
        json!([
            {"email": "bob@localhost", "id": 1, "package_id": null, "success_only": false, "tag_id": null, "user_id": 2},
            {"email": "bob@localhost", "id": 2, "package_id": 1, "success_only": true, "tag_id": 1, "user_id": 2},
        ])
    );
    assert_eq!(world.ok("getBuildNotification", json!({"id": 2})).await["package_id"], json!(1));
    assert_eq!(world.ok("getBuildNotification", json!({"id": 9})).await, Value::Null);
    let missing = world.fault("getBuildNotification", json!({"id": 9, "strict": true})).await;
    assert_eq!(missing, (1000, "No notification with ID 9 found".to_owned()));
    assert_eq!(bob.fault("createNotification", one).await, (1000, "notification already exists".to_owned()));
    for (name, bad) in [("user_id", "none"), ("package_id", "none"), ("tag_id", "none")] {
        let mut arguments = all.clone();
        arguments[name] = json!(bad);
        assert_eq!(bob.fault("createNotification", arguments).await.0, 1000, "{name}");
    }
    assert_eq!(bob.fault("createNotification", json!({"user_id": "bob"})).await.0, 1019);
    assert_eq!(world.nobody().fault("createNotification", all.clone()).await.0, 1004);
    assert_eq!(world.nobody().fault("getBuildNotifications", json!({})).await.0, 1000);

    let update =
        |id: i64, success: bool| json!({"id": id, "package_id": null, "tag_id": "f42", "success_only": success});
    bob.ok("updateNotification", update(1, true)).await;
    assert_eq!(world.ok("getBuildNotification", json!({"id": 1})).await["tag_id"], json!(1));
    assert_eq!(bob.fault("updateNotification", update(2, true)).await.0, 1000, "that is what the first one is");
    assert_eq!(bob.fault("updateNotification", update(9, true)).await.0, 1000);

    let carol = world.user("carol", &["tag"]).await;
    let denied = carol.fault("deleteNotification", json!({"id": 1})).await;
    assert_eq!(denied, (1000, "user 3 cannot delete notifications for user 2".to_owned()));
    assert_eq!(carol.fault("updateNotification", update(1, false)).await.0, 1000);
    assert_eq!(carol.fault("createNotification", all).await.0, 1000);
    bob.ok("deleteNotification", json!({"id": 1})).await;
    world.ok("deleteNotification", json!({"id": 2})).await;
    assert_eq!(world.fault("deleteNotification", json!({"id": 2})).await.0, 1000);
    assert_eq!(bob.ok("getBuildNotifications", json!({})).await, json!([]));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn blocks_come_and_go(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["f42"]).await;
    let bob = world.user("bob", &[]).await;
    let carol = world.user("carol", &[]).await;
    let block = json!({"user_id": "bob", "tag_id": "f42"});
    bob.ok("createNotificationBlock", block.clone()).await;
    world.ok("createNotificationBlock", json!({"user_id": "bob"})).await;
    assert_eq!(bob.fault("createNotificationBlock", block.clone()).await.0, 1000);
    assert_eq!(carol.fault("createNotificationBlock", block).await.0, 1000);
    assert_eq!(bob.fault("createNotificationBlock", json!({"user_id": "bob", "package_id": "none"})).await.0, 1000);
    assert_eq!(
        world.ok("getBuildNotificationBlocks", json!({"userID": "bob"})).await,
        json!([
            {"id": 1, "package_id": null, "tag_id": 1, "user_id": 2},
            {"id": 2, "package_id": null, "tag_id": null, "user_id": 2},
        ])
    );
    assert_eq!(world.ok("getBuildNotificationBlock", json!({"id": 1})).await["tag_id"], json!(1));
    assert_eq!(world.ok("getBuildNotificationBlock", json!({"id": 7})).await, Value::Null);
    assert_eq!(world.fault("getBuildNotificationBlock", json!({"id": 7, "strict": true})).await.0, 1000);
    assert_eq!(carol.fault("deleteNotificationBlock", json!({"id": 1})).await.0, 1000);
    bob.ok("deleteNotificationBlock", json!({"id": 1})).await;
    assert_eq!(world.fault("deleteNotificationBlock", json!({"id": 1})).await.0, 1000);
    assert_eq!(column(&bob.ok("getBuildNotificationBlocks", json!({})).await, "id"), ["2"]);
}

/// A build of `hello` that `maker` submitted for f42, where `owner` has it.
async fn built(world: &World, state: i16) -> i64 {
    world.tags(&["f42-build", "f42"]).await;
    world.ok("createBuildTarget", json!({"name": "f42", "build_tag": "f42-build", "dest_tag": "f42"})).await;
    for name in ["maker", "owner", "eve"] {
        world.ok("createUser", json!({"username": name})).await;
    }
    world.ok("packageListAdd", json!({"taginfo": "f42", "pkginfo": "hello", "owner": "owner"})).await;
    let build = world.build_in_state("hello-1.0-1", state).await;
    let request = ["hello-1.0-1.src.rpm", "f42"];
    let task = world.ok("makeTask", json!({"method": "build", "arglist": request, "owner": "maker"})).await;
    sqlx::query("UPDATE build SET owner = 2, task_id = $2 WHERE id = $1")
        .bind(build)
        .bind(task.as_i64().unwrap())
        .execute(&world.pool)
        .await
        .unwrap();
    build
}

async fn letter(world: &World, build: i64, state: BuildState, by: Option<i64>) -> Option<Mail> {
    let notice = Notice::Build { build: BuildId(build), state, by: by.map(UserId) };
    compose(&world.hub, &notice, now()).await.unwrap()
}

async fn told(world: &World, build: i64, state: BuildState) -> Vec<String> {
    let mail = letter(world, build, state, None).await;
    let addresses = mail.map(|mail| mail.to).unwrap_or_default();
    addresses.iter().map(|address| address.trim_end_matches("@localhost").to_owned()).collect()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn who_is_told(pool: PgPool) {
    use BuildState::{Canceled, Complete, Failed};
    let world = World::new(pool).await;
    let build = built(&world, 1).await;
    let told = async |state: BuildState| told(&world, build, state).await;
    assert_eq!(told(Complete).await, ["maker", "owner"], "who made it, and who owns its package in the tag");
    let wish = async |package: Option<&str>, tag: Option<&str>, success_only: bool| {
        world
            .ok("packageListAdd", json!({"taginfo": "f42", "pkginfo": "other", "owner": "owner", "force": true}))
            .await;
        sqlx::query("DELETE FROM build_notifications").execute(&world.pool).await.unwrap();
        let wish = json!({"user_id": "eve", "package_id": package, "tag_id": tag, "success_only": success_only});
        world.ok("createNotification", wish).await;
        (told(Complete).await.contains(&"eve".to_owned()), told(Failed).await.contains(&"eve".to_owned()))
    };
    assert_eq!(wish(None, None, false).await, (true, true));
    assert_eq!(wish(None, None, true).await, (true, false));
    assert_eq!(wish(Some("hello"), None, false).await, (true, true));
    assert_eq!(wish(Some("other"), None, false).await, (false, false));
    assert_eq!(wish(None, Some("f42"), true).await, (true, false));
    assert_eq!(wish(None, Some("f42-build"), false).await, (false, false));
    assert_eq!(wish(Some("hello"), Some("f42"), false).await, (true, true));
    assert_eq!(wish(Some("hello"), Some("f42-build"), false).await, (false, false));

    let block = async |user: &str, package: Option<&str>, tag: Option<&str>| {
        sqlx::query("DELETE FROM build_notifications_block").execute(&world.pool).await.unwrap();
        world.ok("createNotificationBlock", json!({"user_id": user, "package_id": package, "tag_id": tag})).await;
        told(Canceled).await
    };
    wish(None, None, false).await;
    assert_eq!(block("eve", Some("other"), None).await, ["eve", "maker", "owner"]);
    assert_eq!(block("eve", Some("hello"), Some("f42-build")).await, ["eve", "maker", "owner"]);
    assert_eq!(block("eve", None, Some("f42")).await, ["maker", "owner"]);
    assert_eq!(block("owner", None, None).await, ["eve", "maker"]);
    assert_eq!(block("maker", Some("hello"), Some("f42")).await, ["eve", "owner"]);
    sqlx::query("DELETE FROM build_notifications_block").execute(&world.pool).await.unwrap();

    for user in ["eve", "owner"] {
        world.ok("disableUser", json!({"username": user})).await;
    }
    assert_eq!(told(Complete).await, ["maker"], "who is blocked is told nothing");
    world.ok("enableUser", json!({"username": "owner"})).await;
    world.ok("packageListBlock", json!({"taginfo": "f42", "pkginfo": "hello"})).await;
    assert_eq!(told(Complete).await, ["maker"], "a blocked package has no owner to tell");
    world.ok("disableUser", json!({"username": "maker"})).await;
    assert_eq!(told(Complete).await, [""; 0]);
    assert!(letter(&world, 99, Complete, None).await.is_none(), "there is no such build");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_a_letter_says(pool: PgPool) {
    let world = World::new(pool).await;
    let build = built(&world, 1).await;
    let mail = letter(&world, build, BuildState::Complete, None).await.unwrap();
    assert_eq!(mail.subject, "Package: hello-1.0-1 Tag: f42 Status: complete Built by: maker");
    let header = |mail: &Mail, name: &str| mail.headers.iter().find(|(known, _)| *known == name).unwrap().1.clone();
    let headers = ["X-Koji-Tag", "X-Koji-Package", "X-Koji-NVR", "X-Koji-User", "X-Koji-Status", "X-Koji-Draft"];
    let values = headers.map(|name| header(&mail, name));
    assert_eq!(values, ["f42", "hello", "hello-1.0-1", "maker", "complete", "False"]);
    for line in
        ["Package: hello-1.0-1", "Tag: f42", "Built by: maker", "    hello-1.0-1.src.rpm", "    hello-1.0-1.x86_64.rpm"]
    {
        assert!(mail.text.lines().any(|said| said == line), "{line} is not in\n{}", mail.text);
    }
    assert_eq!(mail, letter(&world, build, BuildState::Complete, None).await.unwrap(), "sent again, it is the same");

    // a failed task below one that only hands the failure on
    let task: i64 = sqlx::query_scalar("SELECT task_id FROM build").fetch_one(&world.pool).await.unwrap();
    let log: Vec<String> = (1..=40).map(|n| format!("line {n}")).collect();
    let fault = toji_protocol::xmlrpc::encode_fault(1000, &log.join("\n"));
    sqlx::query(
        "WITH failed AS (UPDATE task SET state = 5, completion_time = $2, result = $3 WHERE id = $1 RETURNING id)
         INSERT INTO task (state, method, coordinated, request, result, owner, channel_id, arch, priority, weight, parent,
             create_time, completion_time, free_since)
         SELECT 5, 'buildArch', false, '', $3, 1, 1, 'x86_64', 20, 1, id, $2, $2, $2 FROM failed",
    )
    .bind(task)
    .bind(now())
    .bind(String::from_utf8(fault).unwrap())
    .execute(&world.pool)
    .await
    .unwrap();
    let mail = letter(&world, build, BuildState::Failed, None).await.unwrap();
    assert_eq!(mail.subject, "Package: hello-1.0-1 Tag: f42 Status: failed Built by: maker");
    let failures: Vec<&str> = mail.text.lines().filter(|line| line.ends_with("failed:")).collect();
    assert_eq!(failures, [format!("Task {} buildArch (x86_64) failed:", task + 1)]);
    assert!(mail.text.contains("    line 26\n") && mail.text.contains("    line 40\n"), "{}", mail.text);
    assert!(!mail.text.contains("line 25\n"), "only the last lines are told: {}", mail.text);
    assert!(mail.text.contains(&format!("Task Info: /koji/taskinfo?taskID={task}\n")), "{}", mail.text);
    let canceled = letter(&world, build, BuildState::Canceled, Some(1)).await.unwrap();
    assert!(canceled.text.contains("\nCanceled by: admin\n"), "{}", canceled.text);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn tagging_is_told(pool: PgPool) {
    let world = World::new(pool).await;
    let build = built(&world, 1).await;
    let letter = async |into: Option<i64>, from: Option<i64>, failure: Option<&str>| {
        let (into, from) = (into.map(TagId), from.map(TagId));
        let failure = failure.map(str::to_owned);
        let notice = Notice::Tag { build: BuildId(build), into, from, by: Some(UserId(1)), failure, at: 5.0 };
        compose(&world.hub, &notice, now()).await.unwrap()
    };
    let tagged = letter(Some(2), None, None).await.unwrap();
    assert_eq!(tagged.subject, "hello-1.0-1 successfully tagged into f42 by admin");
    assert_eq!(tagged.to, ["maker@localhost", "owner@localhost"]);
    let untagged = letter(None, Some(1), None).await.unwrap();
    assert_eq!(untagged.subject, "hello-1.0-1 successfully untagged from f42-build by admin");
    assert_eq!(untagged.to, ["maker@localhost"], "nobody owns it there");
    let moved = letter(Some(2), Some(1), Some("it is\nlocked")).await.unwrap();
    assert_eq!(moved.subject, "hello-1.0-1 unsuccessfully moved from f42-build into f42 by admin");
    assert!(moved.text.contains("    it is\n    locked\n"), "{}", moved.text);
    assert!(moved.headers.contains(&("X-Koji-Tag", "f42-build, f42".to_owned())), "{:?}", moved.headers);
    assert_eq!(letter(None, None, None).await, None);
}

/// What waits for the mail function.
async fn notices(world: &World) -> Vec<Notice> {
    let bodies: Vec<String> = sqlx::query_scalar("DELETE FROM outbox WHERE queue = 'mail' RETURNING body")
        .fetch_all(&world.pool)
        .await
        .unwrap();
    bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn changes_leave_notices(pool: PgPool) {
    let world = World::new(pool).await;
    let build = BuildId(built(&world, 0).await);
    let task: i64 = sqlx::query_scalar("SELECT task_id FROM build").fetch_one(&world.pool).await.unwrap();
    world.ok("cancelTask", json!({"task_id": task})).await;
    let by = Some(UserId(1));
    assert_eq!(notices(&world).await, [Notice::Build { build, state: BuildState::Canceled, by }]);
    world.ok("cancelTask", json!({"task_id": task})).await;
    assert_eq!(notices(&world).await, [], "it has ended already");

    let done = world.build("hello-2.0-1").await;
    world.tag_build("f42", "hello-2.0-1").await;
    assert_eq!(notices(&world).await, [], "nobody asked for it");
    world.ok("untagBuild", json!({"tag": "f42", "build": "hello-2.0-1"})).await;
    let tag = |into: Option<i64>, from: Option<i64>| Notice::Tag {
        build: BuildId(done),
        into: into.map(TagId),
        from: from.map(TagId),
        by,
        failure: None,
        at: now().timestamp() as f64,
    };
    assert_eq!(notices(&world).await, [tag(None, Some(2))]);
    let notify = json!({"tag": "f42", "build": "hello-2.0-1", "notify": true});
    world.ok("tagBuildBypass", notify.clone()).await;
    assert_eq!(notices(&world).await, [tag(Some(2), None)]);
    world.fault("tagBuildBypass", notify).await;
    assert_eq!(notices(&world).await, [], "what was undone tells nothing");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_task_that_could_not_tag_tells(pool: PgPool) {
    let world = World::new(pool).await;
    let build = built(&world, 1).await;
    let run = async |arguments: Value| {
        let task = json!({"method": "tagBuild", "arglist": arguments, "owner": "maker"});
        let task = TaskId(world.ok("makeTask", task).await.as_i64().unwrap());
        coordinate::advance(&world.hub, task, now()).await.unwrap();
        let state = world.ok("getTaskInfo", json!({"task_id": task})).await["state"].as_i64().unwrap();
        (state, notices(&world).await)
    };
    let (state, told) = run(json!([2, build, false, null, true])).await;
    assert_eq!((state, told.len()), (2, 0), "it went well, and nobody is to be told so");
    let (state, told) = run(json!([2, build])).await;
    let [Notice::Tag { into: Some(TagId(2)), from: None, by: Some(UserId(2)), failure: Some(why), .. }] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert!(state == 5 && why.contains("already tagged"), "{state}, {why}");
    assert_eq!(run(json!(["no tag"])).await, (5, Vec::new()), "what cannot be read fails all the same");
}
