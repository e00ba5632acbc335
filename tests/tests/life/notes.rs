//! What was decided about a task is noted with the decision.

use serde_json::json;
use sqlx::PgPool;

use crate::world::{World, seconds, start};

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_task_and_its_builders(pool: PgPool) {
    let world = World::new(pool).await;
    let (one, two) =
        (world.host("one", &["x86_64"], 2.0, &["m"]).await, world.host("two", &["x86_64"], 2.0, &["m"]).await);
    let task = world.make("m", json!({}), start()).await;
    world.rescue(start()).await;
    let held = one.take(&world, start()).await;
    one.ok(&world, "host.handBack", held.with(json!({"reason": "no room", "refuse": true})), start()).await;
    two.take(&world, start()).await;
    for now in [15, 30, 31] {
        world.rescue(start() + seconds(now)).await;
    }
    // given to a host that does not take it
    let late = start() + seconds(40);
    world.ok_at("assignTask", json!({"task_id": task, "host": "one"}), late).await;
    world.rescue(late + seconds(301)).await;

    let asked = json!({"clauses": [["task_id", task]], "fields": ["msg", "host_name"]});
    let notes = world.ok("scheduler.getLogMessages", asked).await;
    let note = |host: &str, msg: &str| json!({"host_name": host, "msg": msg});
    assert_eq!(
        notes,
        json!([
            note("one", "Assigning task"),
            note("one", "Refused by its host: no room"),
            note("two", "Assigning task"),
            note("two", "Builder lost: freed"),
            note("one", "Assigned by admin"),
            note("one", "Not taken by its host in time: freed"),
        ])
    );
    let runs = world.ok("scheduler.getTaskRuns", json!({"fields": ["host_name", "active"]})).await;
    assert_eq!(runs, json!([{"active": false, "host_name": "one"}, {"active": false, "host_name": "two"}]));
    let refused = world.ok("scheduler.getTaskRefusals", json!({"clauses": [["host_name", "one"]]})).await;
    assert_eq!((&refused[0]["msg"], &refused[0]["soft"]), (&json!("no room"), &json!(true)));
    assert_eq!(world.ok("scheduler.getHostData", json!({})).await[1]["data"]["methods"], json!(["m"]));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_pass_when_it_is_asked_for(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 2.0, &["m"]).await;
    let task = world.make("m", json!({}), start()).await;
    assert_eq!(world.ok("scheduler.doRun", json!({})).await, true);
    host.take(&world, start()).await;
    assert_eq!(world.ok_at("scheduler.doRun", json!({}), start() + seconds(15)).await, false, "not twice in a minute");
    for now in [15, 30, 31] {
        assert_eq!(world.ok_at("scheduler.doRun", json!({"force": true}), start() + seconds(now)).await, true);
    }
    assert_eq!(world.state(task).await, 0, "its builder was lost");
}
