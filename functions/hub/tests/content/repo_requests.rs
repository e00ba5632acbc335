//! Requests for repos: which of them are made good by one repo.

use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::coordinate;
use toji_protocol::id::TaskId;

use crate::world::{World, now};

async fn ask(world: &World, min_event: Value) -> Value {
    world.ok("repo.request", json!({"tag": "one", "min_event": min_event})).await["request"].clone()
}

async fn tasks(world: &World) -> Vec<i64> {
    let tasks = sqlx::query_scalar("SELECT id FROM task WHERE method = 'newRepo' ORDER BY id");
    tasks.fetch_all(&world.pool).await.unwrap()
}

/// Fixes the event of the repo that a task makes.
async fn begin(world: &World, task: i64) -> i64 {
    coordinate::advance(&world.hub, TaskId(task), now()).await.unwrap();
    let repo = sqlx::query_scalar("SELECT id FROM repo WHERE task_id = $1").bind(task);
    repo.fetch_one(&world.pool).await.unwrap()
}

/// The repo function is done.
async fn finish(world: &World, task: i64, repo: i64) {
    let sql = "UPDATE task SET state = 2, completion_time = $2 WHERE id = $1";
    sqlx::query(sql).bind(task).bind(now()).execute(&world.pool).await.unwrap();
    world.ok("repo.setState", json!({"repo_id": repo, "state": 1})).await;
}

async fn change(world: &World) {
    let key = world.last_event().await;
    world.ok("editTag2", json!({"tagInfo": "one", "extra": {"key": key}})).await;
}

async fn is_active(world: &World, request: &Value) -> bool {
    world.ok("repo.checkRequest", json!({"req_id": request["id"]})).await["request"]["active"] == true
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_hundred_at_once_make_one_task(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["one"]).await;
    let asked = join_all((0..100).map(|_| ask(&world, json!("last")))).await;
    assert!(asked.iter().all(|request| request["id"] == asked[0]["id"]));
    assert_eq!(tasks(&world).await.len(), 1);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_repo_that_is_not_begun_will_do_for_all_that_has_happened(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["one"]).await;
    let first = ask(&world, json!("last")).await;
    for _ in 0..100 {
        change(&world).await;
        assert_eq!(ask(&world, json!("last")).await["id"], first["id"]);
    }
    assert_eq!(tasks(&world).await.len(), 1);

    // once it is begun it shows what had happened by then, and nothing later
    let task = tasks(&world).await[0];
    let repo = begin(&world, task).await;
    assert_eq!(ask(&world, json!("last")).await["id"], first["id"]);
    change(&world).await;
    let second = ask(&world, json!("last")).await;
    assert_ne!(second["id"], first["id"]);
    for _ in 0..50 {
        change(&world).await;
        assert_eq!(ask(&world, json!("last")).await["id"], second["id"]);
    }
    // it waits for the first to end, so that all of them gather
    assert_eq!(tasks(&world).await.len(), 1);
    finish(&world, task, repo).await;
    assert_eq!((is_active(&world, &first).await, is_active(&world, &second).await), (false, true));
    let task = tasks(&world).await[1];
    let repo = begin(&world, task).await;
    finish(&world, task, repo).await;
    assert!(!is_active(&world, &second).await);
    assert_eq!(tasks(&world).await.len(), 2);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_is_not_the_same_is_not_joined(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["one", "two"]).await;
    let event = world.last_event().await;
    change(&world).await;
    for arguments in [
        json!({"tag": "one", "min_event": "last"}),
        json!({"tag": "two", "min_event": "last"}),
        json!({"tag": "one", "min_event": "last", "opts": {"src": true}}),
        json!({"tag": "one", "at_event": event}),
        json!({"tag": "one", "at_event": event + 1}),
    ] {
        let new = world.ok("repo.request", arguments.clone()).await;
        assert_eq!(new["duplicate"], false, "{arguments}");
        let again = world.ok("repo.request", arguments.clone()).await;
        assert_eq!(
            (&again["duplicate"], &again["request"]["id"]),
            (&json!(true), &new["request"]["id"]),
            "{arguments}"
        );
    }
    assert_eq!(tasks(&world).await.len(), 5, "none of them waits for another");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn one_that_fails_is_tried_again_and_then_given_up(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["one"]).await;
    let request = ask(&world, json!("last")).await;
    for attempt in 1..=3 {
        let tasks = tasks(&world).await;
        assert_eq!(tasks.len(), attempt);
        world.ok("cancelTask", json!({"task_id": tasks.last()})).await;
        // a queue that is served by many at once makes one task
        join_all((0..8).map(|_| world.ok("repo.checkQueue", json!({})))).await;
    }
    assert!(!is_active(&world, &request).await);
    assert_eq!(tasks(&world).await.len(), 3);
}
