//! A builder holds a task by heartbeats; when it is lost, the task is freed.

use serde_json::json;
use sqlx::PgPool;
use toji_protocol::queue_name::{HostOrder, QueueName};

use crate::world::{World, new_id, seconds, start};

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_heartbeat_renews(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 2.0, &["m"]).await;
    let task = world.make("m", json!({}), start()).await;
    let held = host.take(&world, start()).await;
    for number in 1..20 {
        let now = start() + seconds(10 * number);
        assert_eq!(host.heartbeat(&world, std::slice::from_ref(&held), now).await, ["continue"]);
        assert_eq!(world.rescue(now).await.lost, 0);
    }
    assert_eq!((world.state(task).await, world.task(task).await["attempt"].clone()), (1, json!(1)));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_lost_builder_loses_its_task(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 2.0, &["m"]).await;
    let task = world.make("m", json!({}), start()).await;
    let held = host.take(&world, start()).await;
    let bin = QueueName::Bin(world.bin("default", "noarch").await);
    world.take(&bin).await;
    for now in [0, 15, 30] {
        assert_eq!(world.rescue(start() + seconds(now)).await.lost, 0, "at {now} s");
    }
    let now = start() + seconds(31);
    assert_eq!(world.rescue(now).await.lost, 1);
    assert_eq!(world.rescue(now).await.lost, 0, "once");
    let row = world.task(task).await;
    assert_eq!((&row["state"], &row["host_id"], &row["claim_id"]), (&json!(0), &json!(null), &json!(null)));
    let ended: Option<String> = sqlx::query_scalar("SELECT outcome FROM task_run WHERE task_id = $1")
        .bind(task)
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(ended.as_deref(), Some("lost"));
    // should the builder only have been out of reach, it is told; and the bin rings for others
    assert_eq!(world.orders(&host).await, [HostOrder::Cancel { task_id: held.id, attempt: 1 }]);
    assert_eq!(world.take(&bin).await.len(), 1);
    assert_eq!(host.heartbeat(&world, &[held], now).await, ["lost"]);
    assert_eq!(host.take(&world, now).await.attempt, 2);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_task_that_loses_builder_after_builder_fails(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 2.0, &["m"]).await;
    let task = world.make("m", json!({}), start()).await;
    let mut now = start();
    world.rescue(now).await;
    // handed back and freed by an admin: no fault of the task's
    for _ in 0..5 {
        let held = host.take(&world, now).await;
        host.ok(&world, "host.handBack", held.with(json!({"reason": "stopping"})), now).await;
        host.take(&world, now).await;
        world.ok_at("freeTask", json!({"task_id": task}), now).await;
    }
    let most = world.hub.config.max_attempts;
    for number in 1..=most {
        assert_eq!(world.state(task).await, 0, "before attempt {number}");
        host.take(&world, now).await;
        for _ in 0..4 {
            now += seconds(10);
            world.rescue(now).await;
        }
    }
    assert_eq!(world.state(task).await, 5);
    let error = world.attempt("getTaskResult", json!({"taskId": task}), now).await.unwrap_err();
    assert_eq!(error.to_string(), format!("the builder was lost {most} times, at last one; giving up"));
    assert_eq!(host.claim(&world, &new_id(), None, now).await.id(), None);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn an_unreachable_hub_makes_no_dead_builder(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 2.0, &["m"]).await;
    let task = world.make("m", json!({}), start()).await;
    let held = host.take(&world, start()).await;
    world.rescue(start()).await;
    // an hour without the hub: nobody could renew
    let back = start() + seconds(3600);
    assert_eq!(world.rescue(back).await.lost, 0);
    assert_eq!(world.state(task).await, 1);
    assert_eq!(host.heartbeat(&world, &[held], back + seconds(5)).await, ["continue"]);
    // renewed once: who is silent still is lost after all
    for later in [15, 30] {
        assert_eq!(world.rescue(back + seconds(later)).await.lost, 0);
    }
    assert_eq!(world.rescue(back + seconds(36)).await.lost, 1);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_pass_that_is_a_little_late_is_no_outage(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 2.0, &["m"]).await;
    world.make("m", json!({}), start()).await;
    host.take(&world, start()).await;
    // a pass every 16 s of a lease of 30: the builder is dead, and is found to be
    world.rescue(start()).await;
    assert_eq!(world.rescue(start() + seconds(16)).await.lost, 0);
    assert_eq!(world.rescue(start() + seconds(32)).await.lost, 1);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_its_host_does_not_take_is_for_others(pool: PgPool) {
    let world = World::new(pool).await;
    let one = world.host("one", &["x86_64"], 2.0, &["m"]).await;
    let two = world.host("two", &["x86_64"], 2.0, &["m"]).await;
    let task = world.make("m", json!({"assign": "one"}), start()).await;
    assert_eq!(world.orders(&one).await, [HostOrder::Claim]);
    assert_eq!(two.claim(&world, &new_id(), None, start()).await.id(), None);
    assert_eq!(world.rescue(start() + seconds(299)).await.unassigned, 0);
    let now = start() + seconds(301);
    assert_eq!(world.rescue(now).await.unassigned, 1);
    assert_eq!(world.take(&QueueName::Bin(world.bin("default", "noarch").await)).await.len(), 1);
    assert_eq!(two.take(&world, now).await.id.0, task);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn lost_bells_are_rung_again(pool: PgPool) {
    let world = World::new(pool).await;
    let bin = QueueName::Bin(world.bin("default", "noarch").await);
    for _ in 0..3 {
        world.make("m", json!({}), start()).await;
    }
    assert_eq!(world.take(&bin).await.len(), 3);
    assert_eq!(world.rescue(start() + seconds(9)).await.rung, 0, "it may be on its way");
    let now = start() + seconds(11);
    assert_eq!(world.rescue(now).await.rung, 1);
    assert_eq!(world.rescue(now).await.rung, 0, "there are bells enough");
    assert_eq!(world.take(&bin).await.len(), 3);
    for _ in 0..20 {
        world.make("m", json!({}), start()).await;
    }
    world.take(&bin).await;
    world.rescue(now).await;
    assert_eq!(world.take(&bin).await.len(), 10, "at most");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_a_crash_left_in_the_outbox_is_sent(pool: PgPool) {
    let world = World::new(pool).await;
    let bin = QueueName::Bin(world.bin("default", "noarch").await);
    for number in 0..3 {
        sqlx::query("INSERT INTO outbox (queue, body) VALUES ($1, $2)")
            .bind(bin.to_string())
            .bind(format!("{number}"))
            .execute(&world.pool)
            .await
            .unwrap();
    }
    // two passes at once: each row is one's
    let (one, two) = futures::join!(world.sweep(start()), world.sweep(start()));
    assert_eq!(one + two, 3);
    let mut sent = world.take(&bin).await;
    sent.sort();
    assert_eq!(sent, ["0", "1", "2"]);
    assert_eq!(world.count("SELECT count(*) FROM outbox").await, 0);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_task_that_no_host_may_take_says_so_once(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 2.0, &["m"]).await;
    world.make("m", json!({"arch": "x86_64"}), start()).await;
    let lonely = world.make("m", json!({"arch": "s390x"}), start()).await;
    let unplaced = async |after: i64| {
        toji_hub::task::rescue::run_once(&world.hub, start() + seconds(after)).await.unwrap().unplaced
    };
    assert_eq!(unplaced(10).await, 0, "a host may just be coming");
    assert_eq!((unplaced(11).await, unplaced(12).await), (1, 0));
    let said = async || {
        let asked = json!({"clauses": [["task_id", lonely]], "fields": ["msg"]});
        world.ok("scheduler.getLogMessages", asked).await
    };
    let why = "No enabled host takes m tasks for s390x in channel default";
    assert_eq!(said().await, json!([{"msg": why}]));
    // the other one has a host until that is disabled
    world.ok("disableHost", json!({"hostname": "one"})).await;
    assert_eq!(unplaced(13).await, 1);
    assert_eq!(host.claim(&world, &new_id(), None, start() + seconds(14)).await.id(), None);
}
