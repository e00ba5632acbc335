//! A builder takes the best task that fits it.

use std::collections::HashSet;

use futures::future::join_all;
use serde_json::json;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::world::{World, new_id, seconds, start};

/// A pool for many callers at once.
async fn wide(options: PgPoolOptions, connect: PgConnectOptions) -> PgPool {
    options.max_connections(16).connect_with(connect).await.unwrap()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn priority_then_age(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 100.0, &["m"]).await;
    let mut made = Vec::new();
    for priority in [20, 5, 20, 30, 5] {
        made.push(world.make("m", json!({"priority": priority, "weight": 0.1}), start()).await);
    }
    let bin = world.bin("default", "noarch").await;
    let mut taken = Vec::new();
    for _ in 0..5 {
        taken.push(host.claim(&world, &new_id(), Some(&bin), start()).await.id().unwrap());
    }
    assert_eq!(taken, [made[1], made[4], made[0], made[2], made[3]]);
    let last = host.claim(&world, &new_id(), Some(&bin), start()).await;
    assert_eq!((last.id(), last.left.as_str()), (None, "nothing"));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn only_what_is_its_own(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 2.0, &["m"]).await;
    let other = world.host("two", &["aarch64"], 20.0, &["m", "n"]).await;
    world.make("m", json!({"channel": "maven"}), start()).await;
    let arm = world.make("m", json!({"arch": "aarch64"}), start()).await;
    let method = world.make("n", json!({}), start()).await;
    let assigned = world.make("m", json!({"assign": "two", "arch": "x86_64"}), start()).await;
    assert_eq!(host.claim(&world, &new_id(), None, start()).await.id(), None);
    // what was given to a host comes first, whatever its bins
    let mut taken = Vec::new();
    for _ in 0..3 {
        taken.push(other.take(&world, start()).await.id.0);
    }
    assert_eq!(taken, [assigned, arm, method]);

    let plain = world.make("m", json!({}), start()).await;
    world.ok("disableHost", json!({"hostname": "one"})).await;
    let bin = world.bin("default", "noarch").await;
    let refused = host.claim(&world, &new_id(), Some(&bin), start()).await;
    assert_eq!((refused.id(), refused.left.as_str()), (None, "unfit"), "the bell is for others");
    world.ok("enableHost", json!({"hostname": "one"})).await;
    world.ok("disableChannel", json!({"channelname": "default"})).await;
    assert_eq!(host.claim(&world, &new_id(), None, start()).await.id(), None);
    world.ok("enableChannel", json!({"channelname": "default"})).await;
    assert_eq!(host.take(&world, start()).await.id.0, plain);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn who_refuses_is_not_asked_again_for_a_while(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 2.0, &["m"]).await;
    let other = world.host("two", &["x86_64"], 2.0, &["m"]).await;
    let task = world.make("m", json!({}), start()).await;
    let held = host.take(&world, start()).await;
    let refuse = held.with(json!({"reason": "no room on the disk", "refuse": true}));
    host.ok(&world, "host.handBack", refuse, start()).await;
    assert_eq!(world.state(task).await, 0);
    assert_eq!(host.claim(&world, &new_id(), None, start()).await.id(), None);
    let again = other.take(&world, start()).await;
    assert_eq!((again.id.0, again.attempt), (task, 2));
    other.ok(&world, "host.handBack", again.with(json!({"reason": "stopping"})), start()).await;
    let later = start() + seconds(16 * 60);
    assert_eq!(host.take(&world, later).await.attempt, 3, "a refusal does not last");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_fits_and_what_is_left(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 2.0, &["m"]).await;
    let bin = world.bin("default", "noarch").await;
    for weight in [1.9, 1.0, 9.0, 9.0] {
        world.make("m", json!({"weight": weight}), start()).await;
    }
    let claim = async || {
        let claimed = host.claim(&world, &new_id(), Some(&bin), start()).await;
        (claimed.task, claimed.left)
    };
    let (first, left) = claim().await;
    assert_eq!(left, "more");
    let (second, left) = claim().await;
    assert_eq!((second.as_ref().map(|held| held.attempt), left.as_str()), (Some(1), "unfit"));
    assert_eq!(claim().await, (None, "unfit".to_owned()));
    for held in [first, second].into_iter().flatten() {
        host.close(&world, &held, "done", start()).await.unwrap();
    }
    // an empty host takes anything
    let (heavy, left) = claim().await;
    assert_eq!(left, "unfit");
    let heavy = heavy.unwrap();
    host.ok(&world, "host.setTaskWeight", heavy.with(json!({"weight": 0.5})), start()).await;
    assert_eq!(claim().await.0, None, "1.5 of room are not 4");
    host.close(&world, &heavy, "done", start()).await.unwrap();
    let (last, left) = claim().await;
    assert_eq!((last.is_some(), left.as_str()), (true, "nothing"));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_long_line_is_not_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64", "i686"], 1000.0, &["m"]).await;
    for _ in 0..51 {
        world.make("m", json!({"priority": 1}), start()).await;
    }
    world.make("m", json!({"arch": "i686"}), start()).await;
    world.make("m", json!({"assign": "one"}), start()).await;
    let bin = world.bin("default", "i686").await;
    // the bell's own task is behind more than one claim looks at
    assert_eq!(host.claim(&world, &new_id(), Some(&bin), start()).await.left, "more");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_claim_sent_again_is_the_same_claim(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 20.0, &["m"]).await;
    let other = world.host("two", &["x86_64"], 20.0, &["m"]).await;
    let first = world.make("m", json!({}), start()).await;
    let second = world.make("m", json!({}), start()).await;
    let held = host.claim(&world, "c1", None, start()).await.task;
    assert_eq!(held.as_ref().map(|held| held.id.0), Some(first));
    assert_eq!(host.claim(&world, "c1", None, start()).await.task, held);
    let taken = other.call(&world, "host.claim", json!({"claim_id": "c1"}), start()).await;
    assert_eq!(taken.unwrap_err().fault_code(), 1019, "a claim is one host's");

    // ended, it takes nothing more
    host.close(&world, &held.unwrap(), "done", start()).await.unwrap();
    assert_eq!(host.claim(&world, "c1", None, start()).await.task, None);
    let held = host.claim(&world, "c2", None, start()).await.task.unwrap();
    assert_eq!(held.id.0, second);
    world.ok("freeTask", json!({"task_id": second})).await;
    assert_eq!(host.claim(&world, "c2", None, start()).await.task, None, "freed since");
    assert_eq!(other.claim(&world, "c3", None, start()).await.id(), Some(second));
    assert_eq!(host.claim(&world, "c2", None, start()).await.task, None, "given to another since");
    for bad in ["", &"x".repeat(101)] {
        let error = host.call(&world, "host.claim", json!({"claim_id": bad}), start()).await.unwrap_err();
        assert_eq!(error.fault_code(), 1019);
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn one_of_a_hundred_wins(options: PgPoolOptions, connect: PgConnectOptions) {
    let world = World::new(wide(options, connect).await).await;
    let mut hosts = Vec::new();
    for number in 0..10 {
        hosts.push(world.host(&format!("h{number}"), &["x86_64"], 20.0, &["m"]).await);
    }
    let task = world.make("m", json!({}), start()).await;
    let claims = (0..100).map(|number| {
        let (world, host) = (&world, &hosts[number % hosts.len()]);
        async move { host.claim(world, &new_id(), None, start()).await.id() }
    });
    let won: Vec<i64> = join_all(claims).await.into_iter().flatten().collect();
    assert_eq!(won, [task]);
    assert_eq!(world.task(task).await["attempt"], 1);
    assert_eq!(world.count("SELECT count(*) FROM task_run").await, 1);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn claims_at_once_do_not_overload_a_host(options: PgPoolOptions, connect: PgConnectOptions) {
    let world = World::new(wide(options, connect).await).await;
    let host = world.host("one", &["x86_64"], 2.0, &["m"]).await;
    for round in 0..5 {
        for _ in 0..8 {
            world.make("m", json!({"weight": 8.0}), start()).await;
        }
        let ids: Vec<String> = (0..8).map(|_| new_id()).collect();
        let claims = ids.iter().map(|id| host.claim(&world, id, None, start()));
        let taken: Vec<_> = join_all(claims).await.into_iter().filter_map(|claimed| claimed.task).collect();
        assert_eq!(taken.len(), 1, "round {round}: the first one fills the host");
        host.close(&world, &taken[0], "done", start()).await.unwrap();
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn one_claim_sent_many_times_at_once(options: PgPoolOptions, connect: PgConnectOptions) {
    let world = World::new(wide(options, connect).await).await;
    let host = world.host("one", &["x86_64"], 20.0, &["m"]).await;
    for _ in 0..4 {
        world.make("m", json!({}), start()).await;
    }
    let claims = (0..8).map(|_| host.claim(&world, "c", None, start()));
    let taken: HashSet<Option<i64>> = join_all(claims).await.into_iter().map(|claimed| claimed.id()).collect();
    assert_eq!(taken.len(), 1);
    assert_eq!(world.count("SELECT count(*) FROM task WHERE state = 1").await, 1);
}
