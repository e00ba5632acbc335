//! What the sweep takes away, and what it leaves.

use chrono::TimeDelta;
use serde_json::json;
use sqlx::PgPool;
use toji_hub::{
    call::{Auth, Request},
    sweep,
};
use toji_protocol::{
    id::SessionId,
    task::{
        TaskMethod,
        build::{BuildOpts, BuildTask},
    },
    value::Map,
    xmlrpc,
};

use crate::world::{World, now};

async fn count(world: &World, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&world.pool).await.unwrap()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn sessions_that_are_over_go(pool: PgPool) {
    let world = World::new(pool).await;
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let login = json!({"user": "admin", "password": "the admin's token"});
        let login = world.nobody().ok("login", login).await;
        let id = SessionId(login["session-id"].as_i64().unwrap());
        sessions.push(Auth::Session { id, key: login["session-key"].as_str().unwrap().to_owned(), callnum: None });
    }
    let call = async |method: &str, auth: &Auth| {
        let (method, auth) = (method.to_owned(), auth.clone());
        let (positional, named) = (Vec::new(), Map::new());
        let request = Request { method, positional, named, auth, idempotency_key: None, now: now() };
        world.hub.call(request).await.map(|_| ())
    };
    call("subsession", &sessions[0]).await.unwrap();
    call("logout", &sessions[1]).await.unwrap();
    let swept = async |days: i64, seconds: i64| {
        let then = now() + TimeDelta::days(days) + TimeDelta::seconds(seconds);
        sweep::run_once(&world.hub, then).await.unwrap().sessions
    };
    assert_eq!(swept(1, 0).await, 0);
    assert_eq!(swept(1, 1).await, 1, "the closed one");
    assert_eq!(swept(2, 0).await, 0, "the others may still be renewed");
    call("getLoggedInUser", &sessions[0]).await.unwrap();
    assert_eq!(swept(2, 1).await, 1, "the one below");
    assert_eq!(swept(2, 1).await, 1, "and then the one that it was below");
    assert_eq!((swept(2, 1).await, count(&world, "sessions").await), (0, 0));
}

/// A build task that has ended, with a child that has left all that a builder leaves.
async fn ended_build(world: &World, scratch: bool, child_state: i16) -> i64 {
    let opts = BuildOpts { scratch: Some(scratch), ..BuildOpts::default() };
    let asked = BuildTask { src: "a-1-1.src.rpm".to_owned(), target: Some("f42".to_owned()), opts: Some(opts) };
    sqlx::query_scalar(
        "WITH top AS (
             INSERT INTO task (state, method, coordinated, request, owner, channel_id, arch, priority, weight, create_time,
                 completion_time, free_since)
             VALUES (2, 'build', true, $1, 1, 1, 'noarch', 20, 0.2, $2, $2, $2) RETURNING id),
         child AS (
             INSERT INTO task (state, method, coordinated, request, owner, channel_id, arch, priority, weight, create_time,
                 completion_time, free_since, parent)
             SELECT $3, 'buildArch', false, '', 1, 1, 'x86_64', 20, 1, $2, CASE WHEN $3 <> 0 THEN $2 END, $2, id
             FROM top RETURNING id),
         run AS (INSERT INTO task_run (task_id, attempt, host_id, claim_id, start_time)
                 SELECT id, 1, 1, 'claim of ' || id, $2 FROM child),
         refusal AS (INSERT INTO task_refusal (task_id, host_id, soft, msg, time)
                     SELECT id, 1, true, 'no room', $2 FROM child),
         file AS (INSERT INTO task_file (task_id, attempt, name, size, sha256, upload_id, create_time)
                  SELECT id, 1, 'build.log', 1, '', '', $2 FROM child),
         buildroot AS (INSERT INTO buildroot (arch, host_id, task_id, attempt, state, create_event)
                       SELECT 'x86_64', 1, id, 1, 0, new_event() FROM child RETURNING id),
         listing AS (INSERT INTO buildroot_listing (buildroot_id, rpm_id) SELECT id, 1 FROM buildroot)
         SELECT id FROM top",
    )
    .bind(String::from_utf8(xmlrpc::encode_call(BuildTask::METHOD, &asked.to_request().unwrap()).unwrap()).unwrap())
    .bind(now())
    .bind(child_state)
    .fetch_one(&world.pool)
    .await
    .unwrap()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn scratch_builds_of_years_ago_go(pool: PgPool) {
    let world = World::new(pool).await;
    world.ok("addHost", json!({"hostname": "builder", "arches": "x86_64"})).await;
    world.build("a-1-1").await;
    let scratch = ended_build(&world, true, 2).await;
    let lasting = ended_build(&world, false, 2).await;
    let unfinished = ended_build(&world, true, 0).await;
    let swept = async |days: i64| {
        let then = now() + TimeDelta::days(days) + TimeDelta::seconds(1);
        sweep::run_once(&world.hub, then).await.unwrap().scratch_tasks
    };
    assert_eq!(swept(729).await, 0);
    assert_eq!(swept(730).await, 2, "the build and its child");
    assert_eq!(swept(730).await, 0);
    let left: Vec<i64> = sqlx::query_scalar("SELECT id FROM task WHERE parent IS NULL ORDER BY id")
        .fetch_all(&world.pool)
        .await
        .unwrap();
    assert_eq!(left, [lasting, unfinished], "{scratch} is gone, and nothing else");
    for table in ["task_run", "task_refusal", "task_file", "buildroot", "buildroot_listing"] {
        assert_eq!(count(&world, table).await, 2, "{table}");
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn reservations_of_yesterday_go(pool: PgPool) {
    let world = World::new(pool).await;
    let build = world.build_in_state("a-1-1", 0).await;
    sqlx::query("INSERT INTO build_reservations (build_id, token_hash, create_time) VALUES ($1, sha256(''), $2)")
        .bind(build)
        .bind(now())
        .execute(&world.pool)
        .await
        .unwrap();
    let swept = async |seconds: i64| {
        sweep::run_once(&world.hub, now() + TimeDelta::days(1) + TimeDelta::seconds(seconds))
            .await
            .unwrap()
            .reservations
    };
    assert_eq!((swept(0).await, swept(1).await, swept(1).await), (0, 1, 0));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_the_scheduler_said_a_week_ago_goes(pool: PgPool) {
    let world = World::new(pool).await;
    sqlx::query("INSERT INTO scheduler_log_messages (msg_time, msg) VALUES ($1, 'no host has room')")
        .bind(now())
        .execute(&world.pool)
        .await
        .unwrap();
    let swept = async |seconds: i64| {
        sweep::run_once(&world.hub, now() + TimeDelta::days(7) + TimeDelta::seconds(seconds))
            .await
            .unwrap()
            .log_messages
    };
    assert_eq!((swept(0).await, swept(1).await, swept(1).await), (0, 1, 0));
}
