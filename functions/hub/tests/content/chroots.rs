//! Asking for a command in a chroot, and for what a failed build has left.

use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::config::Config;

use crate::world::World;

async fn task(world: &World, id: &Value) -> Value {
    world.ok("getTaskInfo", json!({"task_id": id, "request": true})).await
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn runroot(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["t"]).await;
    let bob = world.user("bob", &["runroot"]).await;
    let plain = json!({"tagInfo": "t", "arch": "x86_64", "command": "id"});
    let fault = bob.fault("runroot", plain.clone()).await;
    assert!(fault.1.contains("No such channel: 'runroot'"), "{fault:?}");
    let channel = world.ok("addChannel", json!({"channel_name": "runroot"})).await;
    let id = bob.ok("runroot", plain.clone()).await;
    let made = task(&world, &id).await;
    let told = ["method", "arch", "channel_id", "priority", "state", "request"].map(|key| made[key].clone());
    // nobody has the method yet, so it waits
    let wanted = [json!("runroot"), json!("x86_64"), channel, json!(15), json!(0), json!(["t", "x86_64", "id"])];
    assert_eq!(told, wanted);
    assert_eq!(made["weight"], json!(2.0));

    let tag = world.tag_id("t").await;
    let full = json!({"tagInfo": tag, "arch": "x86_64", "command": ["ls", "/"], "channel": "default",
                      "packages": ["bash"], "keep": true});
    let made = task(&world, &bob.ok("runroot", full).await).await;
    assert_eq!(
        made["request"],
        json!([tag, "x86_64", ["ls", "/"], {"__starstar": true, "packages": ["bash"], "keep": true}])
    );
    for (arguments, says) in [
        (json!({"tagInfo": "none", "arch": "x86_64", "command": "id"}), "No such tag: 'none'"),
        (json!({"tagInfo": "t", "arch": "", "command": "id"}), "needs an architecture"),
        (json!({"tagInfo": "t", "arch": "x86;64", "command": "id"}), "is no architecture"),
        (json!({"tagInfo": "t", "arch": "x86_64 i686", "command": "id"}), "is no architecture"),
        (json!({"tagInfo": "t", "arch": "x86_64", "command": 5}), "must be a text or a list"),
    ] {
        let fault = bob.fault("runroot", arguments.clone()).await;
        assert!(fault.1.contains(says), "{arguments}: {fault:?}");
    }
    let carol = world.user("carol", &[]).await;
    assert_eq!(carol.fault("runroot", plain).await.0, 1004);
    assert_eq!(bob.fault("runroot", json!({"tagInfo": "t"})).await.0, 1019);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn runroot_anywhere(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["t"]).await;
    world.ok("createTag", json!({"name": "bare"})).await;
    world.ok("createTag", json!({"name": "s", "arches": "s390x i686 x86_64"})).await;
    world.ok("createTag", json!({"name": "far", "arches": "riscv64"})).await;
    let asked = |tag: &str| json!({"tagInfo": tag, "arch": "noarch", "command": "id", "channel": "default"});
    let arch = async |tag: &str| {
        let made = task(&world, &world.ok("runroot", asked(tag)).await).await;
        assert_eq!(made["request"][1], json!("noarch"));
        made["arch"].clone()
    };
    world.ok("addHost", json!({"hostname": "x", "arches": "x86_64"})).await;
    assert_eq!(arch("t").await, json!("noarch"), "the tag has all that hosts have");
    world.ok("addHost", json!({"hostname": "p", "arches": "ppc64le"})).await;
    assert_eq!(arch("t").await, json!("x86_64"));
    assert_eq!(arch("s").await, json!("x86_64"), "the first that a host of the channel has");
    assert!(world.fault("runroot", asked("far")).await.1.contains("no common arches for tag/channel: far/default"));
    assert!(world.fault("runroot", asked("bare")).await.1.contains("no arches defined for tag bare"));
    world.ok("disableHost", json!({"hostname": "x"})).await;
    assert_eq!(world.fault("runroot", asked("t")).await.0, 1000);
}

/// A failed task of a builder, and its buildroot.
async fn failed(world: &World, method: &str) -> (i64, i64) {
    sqlx::query_as(
        "WITH t AS (INSERT INTO task (state, method, coordinated, request, owner, channel_id, arch, priority, weight, host_id,
                 create_time, free_since, completion_time)
             SELECT 5, $1, false, '', users.id, 1, 'x86_64', 20, 1, 1, now(), now(), now() FROM users WHERE name = 'bob'
             RETURNING id)
         INSERT INTO buildroot (arch, host_id, task_id, state, create_event)
             SELECT 'x86_64', 1, t.id, 1, max(events.id) FROM t, events GROUP BY t.id RETURNING id, task_id",
    )
    .bind(method)
    .fetch_one(&world.pool)
    .await
    .unwrap()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn failed_trees(pool: PgPool) {
    let world = World::new(pool).await;
    let (bob, carol) = (world.user("bob", &[]).await, world.user("carol", &[]).await);
    world.ok("addHost", json!({"hostname": "x", "arches": "x86_64"})).await;
    let (buildroot, broken) = failed(&world, "buildArch").await;
    let id = bob.ok("saveFailedTree", json!({"buildrootID": buildroot})).await;
    let made = task(&world, &id).await;
    let told = ["method", "state", "host_id", "request", "weight"].map(|key| made[key].clone());
    assert_eq!(told, [json!("saveFailedTree"), json!(4), json!(1), json!([buildroot, false]), json!(3.0)]);
    let id = world.ok("saveFailedTree", json!({"buildrootID": buildroot, "full": true, "strategy": "x"})).await;
    let request = task(&world, &id).await["request"].clone();
    assert_eq!(request, json!([buildroot, true, {"__starstar": true, "strategy": "x"}]));

    let fault =
        async |who: &World, buildroot: i64| who.fault("saveFailedTree", json!({"buildrootID": buildroot})).await;
    assert_eq!(fault(&carol, buildroot).await.0, 1004);
    assert_eq!(fault(&world.nobody(), buildroot).await.0, 1004);
    assert_eq!(fault(&bob, 999).await.0, 1000);
    assert_eq!(bob.fault("saveFailedTree", json!({"buildrootID": "x"})).await.0, 1019);
    let (other, _) = failed(&world, "rebuildSRPM").await;
    let refused = fault(&bob, other).await;
    assert!(refused.0 == 1010 && refused.1.contains("only of these is anything kept: buildArch"), "{refused:?}");
    world.ok("disableHost", json!({"hostname": "x"})).await;
    let refused = fault(&bob, buildroot).await;
    assert!(refused.0 == 1010 && refused.1.contains("is disabled"), "{refused:?}");
    sqlx::query("UPDATE task SET state = 2 WHERE id = $1").bind(broken).execute(&world.pool).await.unwrap();
    let refused = fault(&bob, buildroot).await;
    assert!(refused.0 == 1010 && refused.1.contains("has not failed"), "{refused:?}");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn failed_trees_of_any_task(pool: PgPool) {
    let world = World::with(pool, Config { save_failed_tree: None, ..Config::default() }).await;
    let bob = world.user("bob", &[]).await;
    world.ok("addHost", json!({"hostname": "x", "arches": "x86_64"})).await;
    let (buildroot, _) = failed(&world, "rebuildSRPM").await;
    bob.ok("saveFailedTree", json!({"buildrootID": buildroot})).await;
}
