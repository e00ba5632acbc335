//! What the scheduler is asked.

use serde_json::json;
use sqlx::PgPool;

use crate::world::{World, column, now};

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn runs_refusals_and_hosts(pool: PgPool) {
    let world = World::new(pool).await;
    world.ok("addHost", json!({"hostname": "b1", "arches": ["x86_64"]})).await;
    world.ok("addHost", json!({"hostname": "b2", "arches": ["x86_64"]})).await;
    let task = world.ok("makeTask", json!({"method": "sleep", "arglist": [1]})).await;
    for sql in [
        "INSERT INTO task_run (task_id, attempt, host_id, claim_id, start_time, end_time, outcome)
         VALUES ($1, 1, 1, 'a', $2, $2, 'lost')",
        "INSERT INTO task_run (task_id, attempt, host_id, claim_id, start_time) VALUES ($1, 2, 2, 'b', $2)",
        "INSERT INTO task_refusal (task_id, host_id, soft, msg, time) VALUES ($1, 2, true, 'no room', $2)",
    ] {
        sqlx::query(sql).bind(task.as_i64()).bind(now()).execute(&world.pool).await.unwrap();
    }

    let runs = world.ok("scheduler.getTaskRuns", json!({"clauses": [["task_id", task]]})).await;
    let first = json!({"active": false, "create_ts": 1_800_000_000.0, "host_id": 1, "id": 1, "task_id": task});
    assert_eq!((runs.as_array().unwrap().len(), &runs[0]), (2, &first));
    // as the stock command asks, whose host is a text
    let fields = ["id", "task_id", "host_name", "state", "create_ts", "start_ts", "completion_ts"];
    let opts = json!({"order": "-id", "limit": 100});
    for host in ["2", "b2"] {
        let asked = json!({"clauses": [["host_id", host]], "fields": fields, "opts": opts});
        assert_eq!(column(&world.ok("scheduler.getTaskRuns", asked).await, "host_name"), ["b2"]);
    }
    let (code, _) = world.fault("scheduler.getTaskRuns", json!({"fields": ["claim_id"]})).await;
    assert_eq!(code, 1019);

    let refusals = world.ok("scheduler.getTaskRefusals", json!({"fields": ["msg", "soft", "by_host", "method"]})).await;
    assert_eq!(refusals, json!([{"by_host": true, "method": "sleep", "msg": "no room", "soft": true}]));

    assert_eq!(world.ok("scheduler.getHostData", json!({})).await, json!([]));
    sqlx::query("UPDATE host SET methods = '{sleep}'").execute(&world.pool).await.unwrap();
    let data = world.ok("scheduler.getHostData", json!({"hostID": 1})).await;
    assert_eq!(data, json!([{"host_id": 1, "data": {"methods": ["sleep"], "maxjobs": 10}}]));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_admins_decide_is_noted(pool: PgPool) {
    let world = World::new(pool).await;
    world.ok("addHost", json!({"hostname": "b1", "arches": ["x86_64"]})).await;
    let task = world.ok("makeTask", json!({"method": "sleep", "arglist": [1]})).await;
    world.ok("assignTask", json!({"task_id": task, "host": "b1", "override": true})).await;
    world.ok("freeTask", json!({"task_id": task})).await;
    let fields = ["id", "task_id", "host_id", "host_name", "msg_ts", "msg"];
    let notes = world.ok("scheduler.getLogMessages", json!({"clauses": [], "fields": fields})).await;
    assert_eq!(column(&notes, "msg"), ["Assigned by admin", "Freed by admin"]);
    assert_eq!((&notes[1]["host_name"], &notes[1]["msg_ts"]), (&json!("b1"), &json!(1_800_000_000.0)));
    let of_method = json!({"clauses": [["method", "sleep"], ["msg", "Freed by admin"]], "opts": {"countOnly": true}});
    assert_eq!(world.ok("scheduler.getLogMessages", of_method).await, 1);

    // a week later they are gone
    let later = now() + chrono::TimeDelta::days(8);
    assert_eq!(toji_hub::sweep::run_once(&world.hub, later).await.unwrap().log_messages, 2);
    assert_eq!(world.ok("scheduler.getLogMessages", json!({})).await, json!([]));

    let bob = world.user("bob", &[]).await;
    assert_eq!(bob.fault("scheduler.doRun", json!({})).await.0, 1004);
}
