//! What the pass over repos makes of them as time goes by.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use serde_json::json;
use sqlx::PgPool;
use toji_hub::repo::passes::{self, Budget, Passed};
use toji_protocol::{
    id::TaskId,
    queue_name::{MakeRepo, QueueName},
};

use crate::world::{World, seconds, start};

const READY: i16 = 1;
const EXPIRED: i16 = 2;
const DELETED: i16 = 3;
const PROBLEM: i16 = 4;

fn days(days: i64) -> DateTime<Utc> {
    start() + TimeDelta::days(days)
}

/// A repo of a tag, in a state since the start, with a file in S3.
async fn repo(world: &World, tag: &str, state: i16, custom: &str, dist: bool) -> i64 {
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO repo (tag_id, state, dist, create_event, creation_time, state_time, opts, custom_opts)
         SELECT id, $2, $3, new_event(), $4, $4, '{}', $5::jsonb FROM tag WHERE name = $1 RETURNING id",
    )
    .bind(tag)
    .bind(state)
    .bind(dist)
    .bind(start())
    .bind(custom)
    .fetch_one(&world.pool)
    .await
    .unwrap();
    world.hub.store.put(&file(tag, id), "{}", "application/json").await.unwrap();
    id
}

fn file(tag: &str, repo: i64) -> String {
    format!("repos/{tag}/{repo}/repo.json")
}

async fn state(world: &World, repo: i64) -> i16 {
    sqlx::query_scalar("SELECT state FROM repo WHERE id = $1").bind(repo).fetch_one(&world.pool).await.unwrap()
}

async fn tag(world: &World, name: &str) {
    world.ok("createTag", json!({"name": name, "arches": "x86_64"})).await;
}

async fn change(world: &World, name: &str) {
    world.ok("editTag2", json!({"tagInfo": name, "extra": {"key": name}})).await;
}

async fn use_by_buildroot(world: &World, repo: i64) {
    let sql = "INSERT INTO buildroot (arch, repo_id, state, create_event) SELECT 'x86_64', $1, 2, max(id) FROM events";
    sqlx::query(sql).bind(repo).execute(&world.pool).await.unwrap();
}

async fn run(world: &World, now: DateTime<Utc>) -> Passed {
    passes::run_once(&world.hub, now).await.unwrap()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn repos_end_by_kojis_rules(pool: PgPool) {
    let world = World::new(pool).await;
    for name in ["f", "f-build", "dist"] {
        tag(&world, name).await;
    }
    world.ok("createBuildTarget", json!({"name": "f", "build_tag": "f-build", "dest_tag": "f"})).await;
    let old = repo(&world, "f", READY, "{}", false).await;
    let (build_older, build_newest) =
        (repo(&world, "f-build", READY, "{}", false).await, repo(&world, "f-build", READY, "{}", false).await);
    let newer_but_custom = repo(&world, "f-build", READY, "{\"src\": true}", false).await;
    for name in ["f", "f-build"] {
        change(&world, name).await;
    }
    let current = repo(&world, "f", READY, "{}", false).await;
    let (dist_older, dist_newest) =
        (repo(&world, "dist", READY, "null", true).await, repo(&world, "dist", READY, "null", true).await);
    let states = async || {
        let mut states = Vec::new();
        for id in [old, build_older, build_newest, newer_but_custom, current, dist_older, dist_newest] {
            states.push(state(&world, id).await);
        }
        states
    };
    assert_eq!(run(&world, days(6)).await, Passed { ended: 4, ..Passed::default() });
    assert_eq!(states().await, [READY; 7]);
    assert_eq!(run(&world, days(7)).await, Passed { expired: 4, ..Passed::default() });
    let expired = [EXPIRED, EXPIRED, READY, EXPIRED, READY, EXPIRED, READY];
    assert_eq!(states().await, expired);

    // their files are kept for a while, and longer while a buildroot is filled from them
    use_by_buildroot(&world, old).await;
    assert_eq!(run(&world, days(13)).await, Passed::default());
    assert_eq!(run(&world, days(15)).await, Passed { deleted: 3, ..Passed::default() });
    let deleted = [EXPIRED, DELETED, READY, DELETED, READY, DELETED, READY];
    assert_eq!(states().await, deleted);
    let store = &world.hub.store;
    assert!(store.head(&file("f-build", build_older)).await.unwrap().is_none());
    for (tag, id) in [("f", old), ("f-build", build_newest), ("dist", dist_newest)] {
        assert!(store.head(&file(tag, id)).await.unwrap().is_some(), "{tag}");
    }
    sqlx::query("UPDATE buildroot SET state = 3, retire_event = create_event").execute(&world.pool).await.unwrap();
    assert_eq!(run(&world, days(16)).await, Passed { deleted: 1, ..Passed::default() });
    assert_eq!(run(&world, days(1000)).await, Passed::default());
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_a_repo_inherited_when_it_was_made_ends_it(pool: PgPool) {
    let world = World::new(pool).await;
    for name in ["base", "other", "child"] {
        tag(&world, name).await;
    }
    let parent = world.ok("getTagID", json!({"info": "base"})).await;
    let link = json!([{"parent_id": parent, "priority": 1}]);
    world.ok("setInheritanceData", json!({"tag": "child", "data": link})).await;
    let (first, aside) =
        (repo(&world, "child", READY, "{}", false).await, repo(&world, "other", READY, "{}", false).await);
    let unlink = json!([{"parent_id": parent, "delete link": true}]);
    world.ok("setInheritanceData", json!({"tag": "child", "data": unlink})).await;
    let unlinked: i64 = world.count("SELECT max(id) FROM events").await;
    let second = repo(&world, "child", READY, "{}", false).await;
    change(&world, "base").await;
    assert_eq!(run(&world, start()).await.ended, 1);
    let ends: Vec<(i64, Option<i64>)> =
        sqlx::query_as("SELECT id, end_event FROM repo ORDER BY id").fetch_all(&world.pool).await.unwrap();
    assert_eq!(ends, [(first, Some(unlinked)), (aside, None), (second, None)]);
    // as the call for one tag says
    let arguments = json!({"tag": "child", "after": unlinked - 1});
    assert_eq!(world.ok("tagFirstChangeEvent", arguments).await, unlinked);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn repos_that_are_stuck(pool: PgPool) {
    let world = World::new(pool).await;
    tag(&world, "f").await;
    let mut tasks = Vec::new();
    for _ in 0..2 {
        let task = world.ok("newRepo", json!({"tag": "f"})).await.as_i64().unwrap();
        toji_hub::coordinate::advance(&world.hub, TaskId(task), start()).await.unwrap();
        tasks.push(task);
    }
    world.take(&QueueName::Repo).await;
    run(&world, start() + seconds(29)).await;
    assert_eq!(world.take(&QueueName::Repo).await, [] as [String; 0]);
    // the function gets what it has lost once more, and not more than that
    run(&world, start() + seconds(31)).await;
    run(&world, start() + seconds(32)).await;
    let again: Vec<MakeRepo> =
        world.take(&QueueName::Repo).await.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(again, [MakeRepo { task: TaskId(tasks[0]) }, MakeRepo { task: TaskId(tasks[1]) }]);

    world.ok("cancelTask", json!({"task_id": tasks[0]})).await;
    let states = async || {
        let sql =
            "SELECT repo.state::bigint * 10 + task.state FROM repo JOIN task ON task.id = task_id ORDER BY repo.id";
        sqlx::query_scalar::<_, i64>(sql).fetch_all(&world.pool).await.unwrap()
    };
    assert_eq!(states().await, [43, 1]);
    // the row of a task that ended without a word
    sqlx::query("UPDATE repo SET state = 0").execute(&world.pool).await.unwrap();
    assert_eq!(run(&world, start() + seconds(40)).await.problems, 1);
    assert_eq!(states().await, [43, 1]);
    assert_eq!(run(&world, start() + TimeDelta::hours(3)).await.problems, 1);
    assert_eq!(states().await, [43, 45]);
    let (_, text) = {
        let error = world.attempt("getTaskResult", json!({"taskId": tasks[1]}), start()).await.unwrap_err();
        (error.fault_code(), error.to_string())
    };
    assert_eq!(text, "the repo was not made within 2 hours: ask for it again");
    assert_eq!(run(&world, days(8)).await.deleted, 2);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn several_at_once_do_it_once(pool: PgPool) {
    let world = World::new(pool).await;
    for round in 0..5 {
        let name = format!("f{round}");
        tag(&world, &name).await;
        let auto = json!({"tagInfo": name, "extra": {"repo.auto": true, "repo.lag": 0}});
        let mut repos = Vec::new();
        for _ in 0..30 {
            repos.push(repo(&world, &name, READY, "{}", false).await);
        }
        for state in [EXPIRED, PROBLEM] {
            for _ in 0..10 {
                repos.push(repo(&world, &name, state, "{}", false).await);
            }
        }
        world.ok("editTag2", auto).await;
        for now in [days(8), days(16)] {
            for passed in join_all((0..4).map(|_| passes::run_once(&world.hub, now))).await {
                passed.unwrap();
            }
        }
        let mut states = Vec::new();
        for id in &repos {
            states.push(state(&world, *id).await);
        }
        assert_eq!(states, [DELETED; 50]);
        assert!(world.hub.store.list(&format!("repos/{name}/")).await.unwrap().is_empty());
        assert_eq!(world.count("SELECT count(*) FROM repo_queue WHERE active").await, round + 1);
        assert_eq!(world.count("SELECT count(*) FROM task WHERE method = 'newRepo'").await, round + 1);
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_is_left_for_lack_of_time_comes_next(pool: PgPool) {
    let world = World::new(pool).await;
    tag(&world, "f").await;
    let mut repos = Vec::new();
    for _ in 0..3 {
        repos.push(repo(&world, "f", PROBLEM, "{}", false).await);
    }
    let none = Budget::new(days(8)).lasting(Duration::ZERO);
    assert_eq!(passes::run_within(&world.hub, none).await.unwrap(), Passed::default());
    assert_eq!(run(&world, days(8)).await.deleted, 3);
    // one that a crash has left between its rows and its files
    let half = repo(&world, "f", PROBLEM, "{}", false).await;
    world.hub.store.delete(&file("f", half)).await.unwrap();
    assert_eq!(run(&world, days(8)).await.deleted, 1);
    assert_eq!(state(&world, half).await, DELETED);
}
