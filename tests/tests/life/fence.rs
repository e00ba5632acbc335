//! A write that names an attempt which is over changes nothing.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use toji_hub::error::Error;
use toji_protocol::object_key;

use crate::{
    builder,
    world::{Held, Host, World, response, seconds, start},
};

/// Every write for a task, as the attempt would make it.
fn writes(held: &Held, buildroot: &Value, repo: i64, upload: &Value) -> Vec<(&'static str, Value)> {
    let digest = hex::encode(Sha256::digest(b"late"));
    let file = json!({"name": "late.log", "size": 4, "sha256": digest, "parts": [digest]});
    let rpm = json!({"name": "glibc", "version": "2", "release": "1", "epoch": null, "arch": "x86_64",
        "payloadhash": "00000000000000000000000000000000", "size": 1, "buildtime": 1, "external_repo_id": 1});
    vec![
        ("host.closeTask", held.with(json!({"response": response(&"late")}))),
        ("host.failTask", held.with(json!({"response": crate::world::fault("late")}))),
        ("host.handBack", held.with(json!({"reason": "late", "refuse": true}))),
        ("host.setTaskWeight", held.with(json!({"weight": 7.0}))),
        ("host.logUrls", held.with(json!({"first": 1, "count": 2}))),
        ("host.startUpload", held.with(json!({"files": [file]}))),
        ("host.finishUpload", held.with(json!({"files": [upload]}))),
        ("host.newBuildRoot", held.with(json!({"repo": repo, "arch": "x86_64"}))),
        ("host.setBuildRootState", held.with(json!({"brootid": buildroot, "state": "BUILDING"}))),
        ("host.setBuildRootList", held.with(json!({"brootid": buildroot, "rpmlist": [rpm]}))),
        ("host.updateBuildRootList", held.with(json!({"brootid": buildroot, "rpmlist": [rpm]}))),
    ]
}

/// A READY repo, for buildroots.
async fn repo(world: &World) -> i64 {
    world.ok("createTag", json!({"name": "t", "arches": "x86_64"})).await;
    world.ok("createExternalRepo", json!({"name": "ext", "url": "https://example.com/"})).await;
    sqlx::query_scalar(
        "INSERT INTO repo (tag_id, state, create_event, creation_time, state_time, opts, custom_opts)
         SELECT tag.id, 1, (SELECT max(id) FROM events), now(), now(), '{}', '{}' FROM tag WHERE name = 't' RETURNING id",
    )
    .fetch_one(&world.pool)
    .await
    .unwrap()
}

async fn all_are_stale(world: &World, host: &Host, held: &Held, why: &str, late: &[(&'static str, Value)]) {
    let now = start() + seconds(1);
    for (method, arguments) in late {
        let before = world.dump().await;
        match host.call(world, method, arguments.clone(), now).await {
            Err(Error::Conflict(_)) => {}
            other => panic!("{why}: {method} answered {:?}", other.map_err(|error| error.to_string())),
        }
        assert_eq!(world.dump().await, before, "{why}: {method} changed something");
    }
    let before = world.dump().await;
    let order = host.heartbeat(world, std::slice::from_ref(held), now).await;
    assert!(["lost", "cancel"].contains(&order[0].as_str()), "{why}: {order:?}");
    assert_eq!(world.dump().await, before, "{why}: a heartbeat renewed what is lost");
    let key = object_key::attempt_file(held.id, held.attempt, "cut.log");
    assert!(world.hub.store.head(&key).await.unwrap().is_none(), "{why}: the upload was completed");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn no_stale_write_lands(pool: PgPool) {
    let world = World::new(pool).await;
    let repo = repo(&world).await;
    let one = world.host("one", &["x86_64"], 90.0, &["m"]).await;
    let two = world.host("two", &["x86_64"], 90.0, &["m"]).await;
    for why in ["given to another", "taken again", "cancelled", "closed", "failed", "freed", "assigned", "lost"] {
        let task = world.make("m", json!({"weight": 0.1}), start()).await;
        let held = one.take(&world, start()).await;
        let arguments = held.with(json!({"repo": repo, "arch": "x86_64"}));
        let buildroot = one.ok(&world, "host.newBuildRoot", arguments, start()).await;
        let upload = builder::begin_upload(&world, &one, &held, "cut.log", b"cut short", start()).await;
        match why {
            "given to another" | "taken again" => {
                world.ok("freeTask", json!({"task_id": task})).await;
                let next = if why == "taken again" { &one } else { &two };
                assert_eq!(next.take(&world, start()).await.attempt, 2);
            }
            "cancelled" => drop(world.ok("cancelTask", json!({"task_id": task})).await),
            "closed" => drop(one.close(&world, &held, "in time", start()).await.unwrap()),
            "failed" => drop(one.fail(&world, &held, "in time", start()).await.unwrap()),
            "freed" => drop(world.ok("freeTask", json!({"task_id": task})).await),
            "assigned" => {
                drop(world.ok("assignTask", json!({"task_id": task, "host": "two", "force": true})).await);
            }
            _ => {
                world.rescue(start()).await;
                world.rescue(start() + seconds(20)).await;
                world.rescue(start() + seconds(40)).await;
                assert_eq!(world.state(task).await, 0);
            }
        }
        let mut late = writes(&held, &buildroot, repo, &upload);
        if why == "cancelled" {
            // the last words of its logs are still taken
            late.retain(|(method, _)| *method != "host.logUrls");
        }
        all_are_stale(&world, &one, &held, why, &late).await;
        // another host that knows the attempt's number holds it no more than a stranger
        if why == "given to another" {
            let theirs = Held { attempt: 2, ..held.clone() };
            all_are_stale(&world, &one, &theirs, "another's", &writes(&theirs, &buildroot, repo, &upload)).await;
        }
        world.attempt("cancelTask", json!({"task_id": task}), start()).await.unwrap();
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn an_end_told_twice(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 20.0, &["m"]).await;
    let other = world.host("two", &["x86_64"], 20.0, &["m"]).await;
    let is_conflict = |reply: Result<Value, Error>| matches!(reply, Err(Error::Conflict(_)));
    for _ in 0..2 {
        world.make("m", json!({}), start()).await;
    }
    let held = host.take(&world, start()).await;
    host.close(&world, &held, "well", start()).await.unwrap();
    let ended = world.dump().await;
    host.close(&world, &held, "well", start() + seconds(9)).await.unwrap();
    assert!(is_conflict(host.close(&world, &held, "better", start()).await));
    assert!(is_conflict(host.fail(&world, &held, "well", start()).await));
    assert!(is_conflict(other.close(&world, &held, "well", start()).await));
    assert_eq!(world.dump().await, ended);

    let held = host.take(&world, start()).await;
    host.fail(&world, &held, "badly", start()).await.unwrap();
    let ended = world.dump().await;
    host.fail(&world, &held, "badly", start()).await.unwrap();
    assert!(is_conflict(host.fail(&world, &held, "worse", start()).await));
    assert!(is_conflict(host.close(&world, &held, "badly", start()).await));
    assert_eq!(world.dump().await, ended);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_is_no_result(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 2.0, &["m"]).await;
    world.make("m", json!({}), start()).await;
    let held = host.take(&world, start()).await;
    for (method, response) in [
        ("host.closeTask", "not XML".to_owned()),
        ("host.closeTask", crate::world::fault("a fault")),
        ("host.failTask", response(&"no fault")),
        ("host.failTask", "<methodResponse>".to_owned()),
    ] {
        let error = host.call(&world, method, held.with(json!({"response": response})), start()).await.unwrap_err();
        assert_eq!(error.fault_code(), 1019, "{method}({response})");
    }
    for weight in [json!(-1.0), json!("heavy")] {
        let error = host.call(&world, "host.setTaskWeight", held.with(json!({"weight": weight})), start()).await;
        assert_eq!(error.unwrap_err().fault_code(), 1019);
    }
    assert_eq!(world.state(held.id.0).await, 1);
    // nobody but a host is a builder
    let error = world.attempt("host.heartbeat", json!({"leases": []}), start()).await.unwrap_err();
    assert_eq!(error.fault_code(), 1004);
}
