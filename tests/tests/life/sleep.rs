//! Passes that have nothing to do leave Postgres alone, and wake when they have.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use toji_hub::{
    Hub, activity,
    call::{Auth, Request},
    config::Config,
    pass::{Outcome, Pass},
};
use toji_store::{Store, StoreAccess};

use crate::world::{ADMIN, World, new_id, seconds, start};

const PASSES: [Pass; 6] = [Pass::Outbox, Pass::Events, Pass::Rescue, Pass::Repos, Pass::Sweep, Pass::Uploads];

fn minutes(minutes: i64) -> DateTime<Utc> {
    start() + TimeDelta::minutes(minutes)
}

fn config() -> Config {
    Config { sleeps: true, repo_lifetime: TimeDelta::hours(2), ..Config::default() }
}

async fn world(options: PgPoolOptions, connect: &PgConnectOptions) -> World {
    World::with(options.connect_with(connect.clone()).await.unwrap(), config()).await
}

/// Those that did not sleep.
async fn ran(hub: &Hub, now: DateTime<Utc>) -> Vec<Pass> {
    let mut ran = Vec::new();
    for pass in PASSES {
        if pass.run(hub, now).await.unwrap() == Outcome::Ran {
            ran.push(pass);
        }
    }
    ran
}

/// Sessions that functions have now.
async fn sessions(world: &World) -> i64 {
    world
        .count(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'function'",
        )
        .await
}

/// Runs all passes in a function that has just been started. Answers those that ran, having seen that the others opened no connection.
async fn cold(world: &World, connect: &PgConnectOptions, now: DateTime<Utc>) -> Vec<Pass> {
    let mut all = Vec::new();
    for pass in PASSES {
        let hub = world.function(connect, config()).await;
        let outcome = pass.run(&hub, now).await.unwrap();
        let is_connected = hub.pool.size() > 0 || sessions(world).await > 0;
        assert_eq!(is_connected, outcome == Outcome::Ran, "{pass:?} at {now}");
        hub.close().await;
        all.extend((outcome == Outcome::Ran).then_some(pass));
    }
    all
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn idle_passes_open_no_connection(options: PgPoolOptions, connect: PgConnectOptions) {
    let world = world(options, &connect).await;
    assert_eq!(cold(&world, &connect, start()).await, PASSES, "the admin was just made");
    // the marker has lapsed: they look once more
    assert_eq!(cold(&world, &connect, minutes(9)).await, PASSES);
    for minute in [10, 60, 23 * 60] {
        assert_eq!(cold(&world, &connect, minutes(minute)).await, []);
    }
    // what only reads wakes nobody
    world.ok_at("listTags", json!({}), minutes(61)).await;
    assert_eq!(cold(&world, &connect, minutes(62)).await, []);

    world.ok_at("createTag", json!({"name": "f", "arches": "x86_64"}), minutes(63)).await;
    assert_eq!(cold(&world, &connect, minutes(64)).await, PASSES);
    assert_eq!(cold(&world, &connect, minutes(73)).await, PASSES);
    assert_eq!(cold(&world, &connect, minutes(74)).await, []);
    // once a day they look whatever the marker says
    assert_eq!(cold(&world, &connect, minutes(73 + 24 * 60 + 1)).await, PASSES);
    assert_eq!(cold(&world, &connect, minutes(73 + 24 * 60 + 2)).await, []);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn passes_that_run_do_not_keep_themselves_awake(options: PgPoolOptions, connect: PgConnectOptions) {
    let world = world(options, &connect).await;
    for name in ["f", "f-build"] {
        let extra = json!({"repo.auto": true, "repo.lag": 0});
        world.ok("createTag", json!({"name": name, "arches": "x86_64", "extra": extra})).await;
    }
    sqlx::raw_sql(
        "INSERT INTO repo (tag_id, state, create_event, creation_time, state_time, opts, custom_opts)
         SELECT tag.id, 1, max(events.id), '2030-03-17', '2030-03-17', '{}', '{}' FROM tag, events GROUP BY tag.id",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    // each minute, as a schedule would
    let mut slept = Vec::new();
    for minute in 1..15 {
        if ran(&world.hub, minutes(minute)).await.is_empty() {
            slept.push(minute);
        }
    }
    assert_eq!(slept, [9, 10, 11, 12, 13, 14]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_becomes_due_wakes_its_pass(options: PgPoolOptions, connect: PgConnectOptions) {
    let world = world(options, &connect).await;
    // the database's clock stamps events; they are moved to the test's time
    let lag = json!({"repo.auto": true, "repo.lag": 40 * 60});
    world.ok("createTag", json!({"name": "f", "arches": "x86_64", "extra": lag})).await;
    world.ok("createTag", json!({"name": "g", "arches": "x86_64"})).await;
    sqlx::raw_sql(
        "UPDATE events SET time = '2030-03-17 17:46:40Z';
         INSERT INTO repo (tag_id, state, create_event, creation_time, state_time, end_event, opts, custom_opts)
         SELECT tag.id, 1, min(events.id), '2030-03-17 17:46:40Z', '2030-03-17 17:46:40Z',
             CASE name WHEN 'g' THEN max(events.id) END, '{}', '{}' FROM tag, events GROUP BY tag.id;",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    assert_eq!(start().to_rfc3339(), "2030-03-17T17:46:40+00:00");
    assert_eq!(ran(&world.hub, minutes(9)).await, PASSES);
    assert_eq!(ran(&world.hub, minutes(39)).await, []);
    assert_eq!(world.count("SELECT count(*) FROM repo_queue").await, 0);
    // what it writes wakes those after it
    assert_eq!(ran(&world.hub, minutes(41)).await, PASSES[3..]);
    assert_eq!(world.count("SELECT count(*) FROM repo_queue").await, 1);
    assert_eq!(ran(&world.hub, minutes(42)).await, PASSES);
    world.ok_at("cancelTask", json!({"task_id": 1}), minutes(42)).await;
    sqlx::raw_sql(
        "UPDATE repo_queue SET active = false; UPDATE task SET state = 3, completion_time = now();
        UPDATE tag_extra SET active = NULL, revoke_event = create_event, revoker_id = 1; DELETE FROM outbox",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    assert_eq!(ran(&world.hub, minutes(60)).await, PASSES);
    assert_eq!(ran(&world.hub, minutes(119)).await, []);
    assert_eq!(ran(&world.hub, minutes(121)).await, [Pass::Repos]);
    // that of f is no longer current, either
    assert_eq!(world.count("SELECT count(*) FROM repo WHERE state = 2").await, 2);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_lease_keeps_the_rescue_awake(options: PgPoolOptions, connect: PgConnectOptions) {
    let world = world(options, &connect).await;
    let host = world.host("one", &["x86_64"], 4.0, &["sleep"]).await;
    let task = world.make("sleep", json!({"arglist": [1]}), start()).await;
    assert!(host.claim(&world, &new_id(), None, start()).await.task.is_some());
    // its builder says nothing more. The pass gives it a lease first, since it has not run for a while itself
    assert_eq!(ran(&world.hub, minutes(9)).await, PASSES);
    assert_eq!(ran(&world.hub, minutes(9) + seconds(15)).await, [Pass::Rescue]);
    // what it writes wakes those after it
    assert_eq!(ran(&world.hub, minutes(9) + seconds(31)).await, PASSES[2..]);
    assert_eq!(world.state(task).await, 0, "it was freed");
    assert_eq!(ran(&world.hub, minutes(9) + seconds(32)).await, PASSES);
    // a task that waits is looked at now and then
    assert_eq!(ran(&world.hub, minutes(30)).await, PASSES);
    assert_eq!(ran(&world.hub, minutes(89)).await, []);
    assert_eq!(ran(&world.hub, minutes(91)).await, [Pass::Rescue]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn messages_that_wait_keep_the_outbox_awake(options: PgPoolOptions, connect: PgConnectOptions) {
    let world = world(options, &connect).await;
    assert_eq!(ran(&world.hub, minutes(9)).await, PASSES);
    assert_eq!(ran(&world.hub, minutes(10)).await, []);
    // written by a function that died before it sent it, long after the marker had lapsed for everybody else
    world.hub.store.delete("state/passes/outbox.json").await.unwrap();
    let sql = "INSERT INTO outbox (queue, body, create_time) VALUES ('coordinator', '{\"tags\":[]}', $1)";
    sqlx::query(sql).bind(minutes(12)).execute(&world.pool).await.unwrap();
    assert_eq!(ran(&world.hub, minutes(12)).await, [Pass::Outbox]);
    assert_eq!(ran(&world.hub, minutes(13)).await, [Pass::Outbox]);
    assert_eq!(world.count("SELECT count(*) FROM outbox").await, 0);
    assert_eq!(ran(&world.hub, minutes(14)).await, []);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn without_s3_writes_go_on_and_nobody_sleeps(options: PgPoolOptions, connect: PgConnectOptions) {
    let world = world(options, &connect).await;
    assert_eq!(ran(&world.hub, minutes(9)).await, PASSES);
    let nowhere = StoreAccess {
        endpoint: Some("http://127.0.0.1:1".to_owned()),
        region: "us-east-1".to_owned(),
        credentials: Some(aws_credential_types::Credentials::from_keys("test", "test", None)),
        bucket: "toji".to_owned(),
    };
    let lost = world.with_store(Store::connect(&nowhere).await, config()).await;
    let before = world.count("SELECT count(*) FROM tag").await;
    let request = Request {
        method: "createTag".to_owned(),
        positional: Vec::new(),
        named: serde_json::from_value(json!({"name": "f", "arches": "x86_64"})).unwrap(),
        auth: Auth::Bearer(ADMIN.to_owned()),
        idempotency_key: None,
        now: minutes(10),
    };
    Box::pin(lost.call(request)).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM tag").await, before + 1);
    assert_eq!(Pass::Events.run(&lost, minutes(10)).await.unwrap(), Outcome::Ran);
    // S3 is back: nobody knows, until somebody writes, or for a day at the longest
    assert_eq!(ran(&world.hub, minutes(11)).await, []);
    assert_eq!(ran(&world.hub, minutes(10) + activity::LONGEST).await, PASSES);
}
