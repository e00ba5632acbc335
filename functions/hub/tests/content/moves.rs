//! Tagging many builds, moving them, and what is in no tag.

use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::coordinate;
use toji_protocol::id::TaskId;

use crate::world::{World, column, now};

/// Two tags that list a package, and three builds of it.
async fn two_tags(pool: PgPool) -> World {
    let world = World::new(pool).await;
    world.tags(&["from", "to"]).await;
    world.list("from", &["pkg"]).await;
    world.list("to", &["pkg"]).await;
    for nvr in ["pkg-1-1", "pkg-2-1", "pkg-3-1"] {
        world.build(nvr).await;
    }
    world
}

/// Lets the coordinator look at a task, as its message would.
async fn advance(world: &World, task: i64) {
    coordinate::advance(&world.hub, TaskId(task), now()).await.unwrap();
}

async fn state(world: &World, task: i64) -> i64 {
    world.ok("getTaskInfo", json!({"task_id": task})).await["state"].as_i64().unwrap()
}

async fn children(world: &World, task: i64) -> Vec<i64> {
    sqlx::query_scalar("SELECT id FROM task WHERE parent = $1 ORDER BY id")
        .bind(task)
        .fetch_all(&world.pool)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn many_at_once_keep_their_order(pool: PgPool) {
    let world = two_tags(pool).await;
    let before = world.last_event().await;
    let builds = json!(["pkg-2-1", 3, "pkg-1-1", "pkg-2-1", {"name": "pkg", "version": "1", "release": "1"}]);
    world.ok("massTag", json!({"tag": "to", "builds": builds})).await;
    // newest first; what is named twice counts where it is named last
    assert_eq!(world.nvrs("listTagged", json!({"tag": "to"})).await, ["pkg-1-1", "pkg-2-1", "pkg-3-1"]);
    assert_eq!(world.last_event().await, before + 3, "an event each");
    world.ok("massTag", json!({"tag": "to", "builds": ["pkg-3-1"]})).await;
    assert_eq!(world.nvrs("listTagged", json!({"tag": "to"})).await, ["pkg-3-1", "pkg-1-1", "pkg-2-1"], "anew");
    world.ok("massTag", json!({"tag": "to", "builds": []})).await;

    world.build_in_state("pkg-4-1", 3).await;
    let event = world.last_event().await;
    let refused = world.fault("massTag", json!({"tag": "to", "builds": ["pkg-1-1", "pkg-4-1"]})).await;
    assert_eq!(refused, (1003, "build pkg-4-1 not complete: state FAILED".to_owned()));
    let missing = world.fault("massTag", json!({"tag": "to", "builds": ["pkg-1-1", "none-1-1"]})).await;
    assert_eq!(missing, (1000, "No such build: 'none-1-1'".to_owned()));
    assert_eq!(world.last_event().await, event, "all or nothing");
    assert_eq!(world.fault("massTag", json!({"tag": "none", "builds": []})).await.0, 1000);
    assert_eq!(world.fault("massTag", json!({"tag": "to", "builds": "pkg-1-1"})).await.0, 1019);
    let bob = world.user("bob", &[]).await;
    assert_eq!(bob.fault("massTag", json!({"tag": "to", "builds": ["pkg-1-1"]})).await.0, 1004);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn one_build_moves(pool: PgPool) {
    let world = two_tags(pool).await;
    world.tag_build("from", "pkg-1-1").await;
    let task = world.ok("moveBuild", json!({"tag1": "from", "tag2": "to", "build": "pkg-1-1"})).await.as_i64().unwrap();
    let (from, to) = (world.tag_id("from").await, world.tag_id("to").await);
    assert_eq!(world.ok("getTaskRequest", json!({"taskId": task})).await, json!([to, 1, false, from, false]));
    advance(&world, task).await;
    assert_eq!(state(&world, task).await, 2);
    assert_eq!(world.nvrs("listTagged", json!({"tag": "from"})).await, [""; 0]);
    assert_eq!(world.nvrs("listTagged", json!({"tag": "to"})).await, ["pkg-1-1"]);
    // it is not there any more
    let task = world.ok("moveBuild", json!({"tag1": "from", "tag2": "to", "build": "pkg-1-1"})).await.as_i64().unwrap();
    advance(&world, task).await;
    assert_eq!(state(&world, task).await, 5);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn all_builds_move_one_after_another(pool: PgPool) {
    let world = two_tags(pool).await;
    for nvr in ["pkg-2-1", "pkg-3-1", "pkg-1-1"] {
        world.tag_build("from", nvr).await;
    }
    let arguments = json!({"tag1": "from", "tag2": "to", "package": "pkg"});
    let tasks: Vec<i64> = serde_json::from_value(world.ok("moveAllBuilds", arguments.clone()).await).unwrap();
    let (from, to) = (world.tag_id("from").await, world.tag_id("to").await);
    assert_eq!(tasks.len(), 3);
    let request = world.ok("getTaskRequest", json!({"taskId": tasks[1]})).await;
    assert_eq!(request, json!([[tasks[0]], [["tagBuild", [to, 3, false, from], {"priority": 15}]]]));

    // out of turn: none of them moves before its time
    advance(&world, tasks[2]).await;
    advance(&world, tasks[1]).await;
    assert_eq!((children(&world, tasks[2]).await, children(&world, tasks[1]).await), (vec![], vec![]));
    for task in &tasks {
        advance(&world, *task).await;
        advance(&world, *task).await;
        let children = children(&world, *task).await;
        assert_eq!(children.len(), 1, "looked at twice, it makes its child once");
        let info = world.ok("getTaskInfo", json!({"task_id": children[0]})).await;
        assert_eq!((&info["method"], &info["priority"]), (&json!("tagBuild"), &json!(15)));
        advance(&world, children[0]).await;
        assert_eq!(state(&world, *task).await, 1);
        advance(&world, *task).await;
        assert_eq!(state(&world, *task).await, 2);
    }
    assert_eq!(world.nvrs("listTagged", json!({"tag": "to"})).await, ["pkg-1-1", "pkg-3-1", "pkg-2-1"]);
    assert_eq!(world.nvrs("listTagged", json!({"tag": "from"})).await, [""; 0]);
    // the end of one is told to the next
    let told: Vec<String> = sqlx::query_scalar("SELECT body FROM outbox").fetch_all(&world.pool).await.unwrap();
    assert!(told.iter().filter(|body| body.contains(&format!("\"task\":{}", tasks[1]))).count() >= 2, "{told:?}");
    // nothing is left
    assert_eq!(world.ok("moveAllBuilds", arguments).await, json!([]));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_follows_a_failed_move_fails(pool: PgPool) {
    let world = two_tags(pool).await;
    for nvr in ["pkg-1-1", "pkg-2-1"] {
        world.tag_build("from", nvr).await;
    }
    let arguments = json!({"tag1": "from", "tag2": "to", "package": "pkg"});
    let tasks: Vec<i64> = serde_json::from_value(world.ok("moveAllBuilds", arguments.clone()).await).unwrap();
    advance(&world, tasks[0]).await;
    world.ok("untagBuild", json!({"tag": "from", "build": "pkg-1-1"})).await;
    let child = children(&world, tasks[0]).await[0];
    advance(&world, child).await;
    advance(&world, tasks[0]).await;
    assert_eq!((state(&world, child).await, state(&world, tasks[0]).await), (5, 5));
    advance(&world, tasks[1]).await;
    let fault = world.fault("getTaskResult", json!({"taskId": tasks[1]})).await;
    assert_eq!(fault, (1000, format!("Dependency {} failed to complete.", tasks[0])));
    assert_eq!(world.nvrs("listTagged", json!({"tag": "from"})).await, ["pkg-2-1"]);

    // what may not be
    world.ok("packageListBlock", json!({"taginfo": "to", "pkginfo": "pkg"})).await;
    let bob = world.user("bob", &[]).await;
    let blocked = (1003, "Package pkg blocked in tag to".to_owned());
    assert_eq!(world.fault("moveAllBuilds", arguments.clone()).await, blocked);
    assert_eq!(world.fault("moveAllBuilds", json!({"tag1": "from", "tag2": "to", "package": "none"})).await.0, 1000);
    world.ok("packageListUnblock", json!({"taginfo": "to", "pkginfo": "pkg"})).await;
    world.ok("editTag2", json!({"tagInfo": "from", "locked": true})).await;
    assert_eq!(bob.fault("moveAllBuilds", arguments.clone()).await, (1004, "tag is locked".to_owned()));
    assert_eq!(world.nobody().fault("moveAllBuilds", arguments).await.0, 1004);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_dependant_task_of_nonsense_fails(pool: PgPool) {
    let world = two_tags(pool).await;
    for list in [json!(["tagBuild"]), json!([["tagBuild", 5]]), json!([["tagBuild", [], {"colour": "red"}]])] {
        let arguments = json!({"method": "dependantTask", "arglist": [[999_999], list]});
        let task = world.ok("makeTask", arguments).await.as_i64().unwrap();
        advance(&world, task).await;
        assert_eq!(state(&world, task).await, 5, "{list}");
    }
    let nothing = world.ok("makeTask", json!({"method": "dependantTask", "arglist": [[], []]})).await.as_i64().unwrap();
    advance(&world, nothing).await;
    assert_eq!(state(&world, nothing).await, 2);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn untagged_builds(pool: PgPool) {
    let world = two_tags(pool).await;
    world.build("other-1-1").await;
    world.build_in_state("other-2-1", 3).await;
    world.tag_build("from", "pkg-1-1").await;
    let ids = async |arguments: Value| column(&world.ok("untaggedBuilds", arguments).await, "id");
    assert_eq!(ids(json!({})).await, ["2", "3", "4"]);
    assert_eq!(ids(json!({"name": "other"})).await, ["4"]);
    assert_eq!(ids(json!({"name": "none"})).await, [""; 0]);
    assert_eq!(ids(json!({"draft": true})).await, [""; 0]);
    assert_eq!(ids(json!({"queryOpts": {"order": "-id", "limit": 1}})).await, ["4"]);
    assert_eq!(world.ok("untaggedBuilds", json!({"queryOpts": {"countOnly": true}})).await, json!(3));
    let row = &world.ok("untaggedBuilds", json!({"name": "other"})).await[0];
    assert_eq!(row, &json!({"id": 4, "name": "other", "version": "1", "release": "1"}));
    assert_eq!(world.fault("untaggedBuilds", json!({"queryOpts": {"order": "size"}})).await.0, 1000);
    world.ok("untagBuild", json!({"tag": "from", "build": "pkg-1-1"})).await;
    assert_eq!(ids(json!({})).await.len(), 4);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn there_are_no_archives(pool: PgPool) {
    let world = two_tags(pool).await;
    world.tag_build("from", "pkg-1-1").await;
    let archives = world.ok("listTaggedArchives", json!({"tag": "from"})).await;
    assert_eq!((&archives[0], column(&archives[1], "nvr")), (&json!([]), vec!["pkg-1-1".to_owned()]));
    assert_eq!(world.ok("listTaggedArchives", json!({"tag": "from", "type": "maven"})).await, json!([[], []]));
    assert_eq!(world.fault("listTaggedArchives", json!({"tag": "from", "type": "x"})).await.0, 1000);
    assert_eq!(world.fault("listTaggedArchives", json!({"tag": "none"})).await.0, 1000);
    assert_eq!(world.ok("getLatestMavenArchives", json!({"tag": "from"})).await, json!([]));
    assert_eq!(world.fault("getLatestMavenArchives", json!({"tag": "none"})).await.0, 1000);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn changed_since(pool: PgPool) {
    let world = two_tags(pool).await;
    let (from, to, event) = (world.tag_id("from").await, world.tag_id("to").await, world.last_event().await);
    let has_changed = async |event: i64, tags: &[i64]| {
        world.ok("tagChangedSinceEvent", json!({"event": event, "taglist": tags})).await == json!(true)
    };
    assert!(!has_changed(event, &[from, to]).await);
    world.tag_build("from", "pkg-1-1").await;
    assert!(has_changed(event, &[to, from]).await);
    assert!(!has_changed(event, &[to]).await, "what it inherits is not looked at");
    assert!(!has_changed(event, &[]).await);
    assert!(!has_changed(world.last_event().await, &[from]).await);
    assert_eq!(world.fault("tagChangedSinceEvent", json!({"event": event, "taglist": "from"})).await.0, 1019);
}
