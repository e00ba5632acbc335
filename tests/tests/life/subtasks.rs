//! What a builder runs makes tasks of its own and waits for them; hosts are restarted.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use toji_protocol::queue_name::{Advance, HostOrder, QueueName};

use crate::world::{Held, Host, World, new_id, seconds, start};

fn subtask(held: &Held, label: &str, method: &str) -> Value {
    held.with(json!({"method": method, "arglist": [], "label": label}))
}

/// A parent that is held, and its two subtasks.
async fn family(world: &World, host: &Host) -> (Held, [i64; 2]) {
    world.make("m", json!({"arch": "x86_64"}), start()).await;
    let parent = host.take(world, start()).await;
    let mut ids = [0; 2];
    for (id, label) in ids.iter_mut().zip(["a", "b"]) {
        *id = host.ok(world, "host.startSubtask", subtask(&parent, label, "m"), start()).await.as_i64().unwrap();
    }
    (parent, ids)
}

/// Does what the coordinator is asked for, until there is nothing more.
async fn advance(world: &World) {
    advance_at(world, start()).await;
}

async fn advance_at(world: &World, now: DateTime<Utc>) {
    loop {
        let asked = world.take(&QueueName::Coordinator).await;
        if asked.is_empty() {
            return;
        }
        for body in asked {
            let message: Advance = serde_json::from_str(&body).unwrap();
            toji_hub::coordinate::advance(&world.hub, message.task, now).await.unwrap();
        }
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_parent_waits_and_weighs_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 1.0, &["m"]).await;
    let (parent, [a, b]) = family(&world, &host).await;
    let again = host.ok(&world, "host.startSubtask", subtask(&parent, "a", "m"), start()).await;
    assert_eq!(again, json!(a), "one of that label is there");
    let row = world.task(a).await;
    let told = ["parent", "arch", "priority", "label", "awaited"].map(|key| row[key].clone());
    assert_eq!(told, [json!(parent.id), json!("x86_64"), json!(19), json!("a"), json!(true)]);

    world.orders(&host).await;
    let full = host.claim(&world, &new_id(), None, start()).await;
    assert_eq!(full.id(), None, "the parent fills the host");
    let wait = parent.with(json!({"subtasks": [a, b]}));
    let states = host.ok(&world, "host.awaitSubtasks", wait.clone(), start()).await;
    assert_eq!(states, json!({"finished": [], "unfinished": [a, b]}));
    assert_eq!(world.task(parent.id.0).await["waiting"], json!(true));

    let child = host.take(&world, start()).await;
    assert_eq!(child.id.0, a, "a parent that waits leaves its place to its children");
    host.close(&world, &child, "well", start()).await.unwrap();
    advance(&world).await;
    let woken = HostOrder::Wake { task_id: parent.id, attempt: 1 };
    assert_eq!(world.orders(&host).await, [woken]);
    let states = host.ok(&world, "host.awaitSubtasks", wait.clone(), start()).await;
    assert_eq!(states, json!({"finished": [a], "unfinished": [b]}));
    assert_eq!(world.task(a).await["awaited"], json!(false));
    let any = parent.with(json!({"subtasks": [a, b], "any": true}));
    host.ok(&world, "host.awaitSubtasks", any, start()).await;
    assert_eq!(world.task(parent.id.0).await["waiting"], json!(false), "one is enough");
    host.ok(&world, "host.awaitSubtasks", wait, start()).await;

    // the parent fails: what still runs below it is stopped
    let other = host.take(&world, start()).await;
    assert_eq!(other.id.0, b);
    host.fail(&world, &parent, "enough", start()).await.unwrap();
    assert_eq!(world.state(b).await, 3);
    assert_eq!(world.orders(&host).await, [HostOrder::Cancel { task_id: other.id, attempt: 1 }]);
    advance(&world).await;
    assert_eq!(world.orders(&host).await, [], "nobody waits any more");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_second_attempt_meets_the_subtasks_of_the_first(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 9.0, &["m"]).await;
    let (parent, [a, _]) = family(&world, &host).await;
    host.ok(&world, "host.awaitSubtasks", parent.with(json!({"subtasks": [a]})), start()).await;
    host.ok(&world, "host.handBack", parent.with(json!({"reason": "stopping"})), start()).await;
    for _ in 0..2 {
        host.take(&world, start()).await;
    }
    let again = host.take(&world, start()).await;
    assert_eq!((again.id, again.attempt), (parent.id, 2));
    assert_eq!(host.ok(&world, "host.startSubtask", subtask(&again, "a", "m"), start()).await, json!(a));
    for method in ["host.startSubtask", "host.awaitSubtasks"] {
        let mut arguments = subtask(&parent, "c", "m");
        if method == "host.awaitSubtasks" {
            arguments = parent.with(json!({"subtasks": [a]}));
        }
        let error = host.call(&world, method, arguments, start()).await.unwrap_err();
        assert!(matches!(error, toji_hub::Error::Conflict(_)), "{method} of an older attempt: {error:?}");
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn builders_do_not_act_for_others(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 2.0, &["m"]).await;
    let (parent, [a, _]) = family(&world, &host).await;
    let stranger = world.make("m", json!({}), start()).await;
    let refused = async |method: &str, arguments: Value| {
        let error = host.call(&world, method, arguments, start()).await.unwrap_err();
        error.to_string()
    };
    for method in ["build", "tagBuild", "newRepo", "restart", "restartHosts", "saveFailedTree"] {
        let said = refused("host.startSubtask", subtask(&parent, "x", method)).await;
        assert!(said.contains("only what builders do"), "{method}: {said}");
    }
    host.ok(&world, "host.startSubtask", subtask(&parent, "wait", "waitrepo"), start()).await;
    for (more, says) in [
        (json!({"label": ""}), "label must not be empty"),
        (json!({"owner": 1}), "no option 'owner'"),
        (json!({"assign": "one"}), "no option 'assign'"),
        (json!({"weight": -1.0}), "weight must be"),
        (json!({"arch": "x;y"}), "is no architecture"),
        (json!({"channel": "nowhere"}), "No such channel"),
    ] {
        let mut arguments = subtask(&parent, "x", "m");
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let said = refused("host.startSubtask", arguments).await;
        assert!(said.contains(says), "{more}: {said}");
    }
    let said = refused("host.awaitSubtasks", parent.with(json!({"subtasks": [a, stranger]}))).await;
    assert!(said.contains(&format!("has no subtask {stranger}")), "{said}");
    let said = refused("host.awaitSubtasks", parent.with(json!({"subtasks": []}))).await;
    assert!(said.contains("at least one"), "{said}");
    let error = world.call(crate::world::ADMIN, "host.startSubtask", subtask(&parent, "x", "m"), start()).await;
    assert!(error.is_err(), "admins are no builders");
}

const RESTARTS: [&str; 2] = ["restart", "restartVerify"];

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn hosts_restart_one_by_one(pool: PgPool) {
    let world = World::new(pool).await;
    let one = world.host("one", &["x86_64"], 2.0, &RESTARTS).await;
    let two = world.host("two", &["s390x"], 2.0, &RESTARTS).await;
    let none = world.attempt("restartHosts", json!({"options": {"arches": ["ppc64le"]}}), start()).await.unwrap();
    let task = world.ok("restartHosts", json!({"priority": 3})).await.as_i64().unwrap();
    advance(&world).await;
    assert_eq!(world.state(none.as_i64().unwrap()).await, 5, "there is no such host");
    assert_eq!(world.orders(&one).await, [HostOrder::Claim]);
    let first = one.take(&world, start()).await;
    assert_eq!((first.method.as_str(), first.request[0]["name"].as_str()), ("restart", Some("one")));
    one.close(&world, &first, "life 1", start()).await.unwrap();
    advance(&world).await;
    let verify = one.take(&world, start()).await;
    assert_eq!((verify.method.as_str(), &verify.request[0]), ("restartVerify", &json!(first.id)));
    one.close(&world, &verify, "well", start()).await.unwrap();
    advance(&world).await;
    assert_eq!(world.state(task).await, 1, "the other has not answered");

    // a host that is away keeps what is for it alone, however long that takes and whatever becomes of its attempts
    let late = start() + seconds(7200);
    world.rescue(late).await;
    let held = two.take(&world, late).await;
    assert_eq!(held.method, "restart");
    two.ok(&world, "host.handBack", held.with(json!({"reason": "stopping"})), late).await;
    assert!(one.claim(&world, &new_id(), None, late).await.task.is_none(), "not another's to take");
    let held = two.take(&world, late).await;
    for beat in 1..=4 {
        world.rescue(late + seconds(15 * beat)).await;
    }
    assert_eq!(world.task(held.id.0).await["state"], json!(4), "its lease ran out");
    let held = two.take(&world, late + seconds(60)).await;
    two.fail(&world, &held, "will not", late + seconds(60)).await.unwrap();
    advance(&world).await;
    assert_eq!(world.state(task).await, 5);
    assert!(world.task(task).await["result"].as_str().unwrap().contains("will not"));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn restarts_are_waited_for_only_so_long(pool: PgPool) {
    let world = World::new(pool).await;
    let one = world.host("one", &["x86_64"], 2.0, &RESTARTS).await;
    let bad = world.ok("restartHosts", json!({"options": {"timeout": "soon"}})).await.as_i64().unwrap();
    let odd = world.ok("restartHosts", json!({"options": {"hosts": ["one"]}})).await.as_i64().unwrap();
    let task = world.ok("restartHosts", json!({"options": {"timeout": "60", "channel": "default"}})).await;
    let task = task.as_i64().unwrap();
    advance(&world).await;
    assert_eq!((world.state(bad).await, world.state(odd).await, world.state(task).await), (5, 5, 1));
    for (after, state) in [(59, 1), (61, 5)] {
        world.rescue(start() + seconds(after)).await;
        advance_at(&world, start() + seconds(after)).await;
        assert_eq!(world.state(task).await, state, "after {after} s");
    }
    assert!(world.task(task).await["result"].as_str().unwrap().contains("Timed out; not done: restart one"));
    assert!(one.claim(&world, &new_id(), None, start()).await.task.is_none(), "its subtask was cancelled");
}
