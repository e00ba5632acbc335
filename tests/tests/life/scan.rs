//! No hot call reads a big table from end to end.
//!
//! Not by explaining statements that look like the hub's, but by counting what Postgres itself counts while the hub's own run.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::world::{World, new_id, seconds, start};

/// Rows in each big table.
const FILL: &[&str] = &[
    // rows that refer to each other rightly need no check, one by one
    "SET session_replication_role = replica",
    "INSERT INTO events (time) SELECT now() FROM generate_series(1, 1000)",
    "INSERT INTO users (name, usertype, status) SELECT 'u' || n, 0, 0 FROM generate_series(1, 1000) n",
    "INSERT INTO package (name) SELECT 'p' || n FROM generate_series(1, 5000) n",
    "INSERT INTO tag (name) SELECT 't' || n FROM generate_series(1, 20000) n",
    "INSERT INTO tag_config (tag_id, arches, create_event, creator_id) SELECT id, 'x86_64', 1, 1 FROM tag",
    // nine in ten have ended; the rest waits, most of it for others
    "INSERT INTO task (state, method, coordinated, request, result, owner, channel_id, arch, priority, weight, create_time,
         completion_time, free_since, host_id)
     SELECT CASE WHEN n % 10 = 0 THEN 0 ELSE 2 END, CASE WHEN n % 3 = 0 THEN 'buildArch' ELSE 'rebuildSRPM' END, false,
         '<methodCall><methodName>m</methodName><params/></methodCall>',
         CASE WHEN n % 10 > 0 THEN '<methodResponse/>' END, 1 + n % 1000, CASE WHEN n % 100 = 0 THEN 1 ELSE 3 END, 'x86_64',
         n % 20, 1, now(), CASE WHEN n % 10 > 0 THEN now() END, now(), CASE WHEN n % 10 > 0 THEN 1 END
     FROM generate_series(1, 100000) n",
    "INSERT INTO task_run (task_id, attempt, host_id, claim_id, start_time, end_time, outcome)
     SELECT id, 1, 1, 'c' || id, now(), now(), 'closed' FROM task WHERE state = 2",
    "INSERT INTO build (pkg_id, version, release, state, owner, create_event, start_time, completion_time, task_id)
     SELECT 1 + n % 5000, n::text, '1', 1, 1 + n % 1000, 1, now(), now(), n FROM generate_series(1, 100000) n",
    "INSERT INTO rpminfo (build_id, name, version, release, arch, payloadhash, size, buildtime)
     SELECT id, 'p' || pkg_id, version, release, 'src', md5(id::text), 1, 1 FROM build",
    "INSERT INTO tag_packages (package_id, tag_id, create_event, creator_id)
     SELECT id, 1, 1, 1 FROM package WHERE id <= 200",
    "INSERT INTO tag_package_owners (package_id, tag_id, owner, create_event, creator_id)
     SELECT id, 1, 1, 1, 1 FROM package WHERE id <= 200",
    "INSERT INTO tag_listing (build_id, tag_id, create_event, creator_id)
     SELECT id, CASE WHEN id <= 200 THEN 1 ELSE 2 + id % 19000 END, 1, 1 FROM build",
    "INSERT INTO sessions (user_id, key_hash, authtype, start_time, update_time)
     SELECT 1 + n % 1000, sha256(n::text::bytea), 0, to_timestamp(1900000000), now() FROM generate_series(1, 100000) n",
    "INSERT INTO api_token (user_id, hash, create_time)
     SELECT 2 + n % 900, sha256(n::text::bytea), now() FROM generate_series(1, 100000) n",
    "RESET session_replication_role",
    "ANALYZE",
];

/// What must not be read from end to end.
const BIG: &[&str] =
    &["task", "task_run", "build", "rpminfo", "tag_listing", "tag_config", "tag", "sessions", "api_token", "package"];

/// How often Postgres has read each big table from end to end.
async fn scans(pool: &PgPool) -> BTreeMap<String, i64> {
    for statement in ["SELECT pg_stat_force_next_flush()", "SELECT pg_stat_clear_snapshot()"] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT relname::text, seq_scan FROM pg_stat_user_tables WHERE relname = ANY($1)")
            .bind(BIG)
            .fetch_all(pool)
            .await
            .unwrap();
    assert_eq!(rows.len(), BIG.len());
    rows.into_iter().collect()
}

/// One connection, so that its own counts are all there is to see.
#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn no_hot_call_reads_a_table_from_end_to_end(options: PgPoolOptions, connect: PgConnectOptions) {
    let pool = options.max_connections(1).connect_with(connect).await.unwrap();
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 1e9, &["buildArch", "rebuildSRPM"]).await;
    for statement in FILL {
        sqlx::query(*statement).execute(&world.pool).await.unwrap();
    }
    // the counter counts
    let before = scans(&world.pool).await;
    sqlx::query("SELECT count(*) FROM task WHERE request LIKE '%x%'").execute(&world.pool).await.unwrap();
    assert_ne!(scans(&world.pool).await, before);

    let page = json!({"limit": 50, "order": "-id"});
    let calls: Vec<(&str, Value)> = vec![
        ("getTag", json!({"tagInfo": "t17"})),
        ("getTag", json!({"tagInfo": 17})),
        ("getTaskInfo", json!({"task_id": 4711, "request": true})),
        ("getTaskChildren", json!({"task_id": 4711})),
        ("getTaskDescendents", json!({"task_id": 4711})),
        ("listTasks", json!({"queryOpts": page})),
        ("listTasks", json!({"opts": {"owner": "u7"}, "queryOpts": page})),
        ("listTasks", json!({"opts": {"state": [0, 1, 4]}, "queryOpts": page})),
        ("listTasks", json!({"opts": {"method": "buildArch"}, "queryOpts": page})),
        ("listTasks", json!({"opts": {"parent": 4711}, "queryOpts": page})),
        ("listTasks", json!({"opts": {"host_id": "one"}, "queryOpts": page})),
        ("getBuild", json!({"buildInfo": "p8-7-1"})),
        ("getBuild", json!({"buildInfo": 4711})),
        ("listBuilds", json!({"packageID": "p17", "queryOpts": page})),
        ("listBuilds", json!({"userID": "u17", "queryOpts": page})),
        ("listBuilds", json!({"taskID": 4711})),
        ("listBuilds", json!({"queryOpts": page})),
        ("listTagged", json!({"tag": "t1"})),
        ("listTagged", json!({"tag": "t1", "latest": true, "inherit": true})),
        ("listTagged", json!({"tag": "t1", "package": "p17"})),
        ("getLatestBuilds", json!({"tag": "t1"})),
        ("listPackages", json!({"tagID": "t1"})),
        ("listRPMs", json!({"buildID": 4711})),
        ("getRPM", json!({"rpminfo": "p8-7-1.src"})),
        ("listTags", json!({"build": 4711})),
    ];
    for (method, arguments) in calls {
        let before = scans(&world.pool).await;
        // often enough that Postgres may choose a plan for any arguments
        for _ in 0..8 {
            world.ok(method, arguments.clone()).await;
        }
        assert_eq!(scans(&world.pool).await, before, "{method}({arguments}) reads a table from end to end");
    }

    let before = scans(&world.pool).await;
    for number in 0..8 {
        let held = host.claim(&world, &new_id(), None, start()).await.task.unwrap();
        host.heartbeat(&world, std::slice::from_ref(&held), start() + seconds(number)).await;
        host.close(&world, &held, "done", start()).await.unwrap();
        world.make("buildArch", json!({}), start()).await;
    }
    assert_eq!(scans(&world.pool).await, before, "a claim, a heartbeat or an end");

    let before = scans(&world.pool).await;
    for id in 4711..4719 {
        let request = toji_hub::call::Request {
            method: "getLoggedInUser".to_owned(),
            positional: Vec::new(),
            named: toji_protocol::value::Map::new(),
            auth: toji_hub::call::Auth::Session { id: id.into(), key: id.to_string(), callnum: None },
            idempotency_key: None,
            now: start(),
        };
        world.hub.call(request).await.unwrap();
    }
    assert_eq!(scans(&world.pool).await, before, "who calls");
}
