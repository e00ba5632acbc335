//! Builders of the version before, and kinds of tasks that builders have added.

use serde_json::{Value, json};
use sqlx::PgPool;
use toji_protocol::method::worker::PROTOCOL;

use crate::{
    builder::upload,
    world::{Host, World, fault, response, seconds, start},
};

/// What is said here is what version 1 says, word for word, and the keys are those that it reads.
#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_builder_of_the_version_before(pool: PgPool) {
    assert_eq!(PROTOCOL - 1, 1, "bring this up to what the version before says now");
    let world = World::new(pool).await;
    let host = world.host("old", &["x86_64"], 9.0, &[]).await;
    let say = async |method: &str, arguments: Value, keys: &[&str]| {
        let answer = host.ok(&world, method, arguments, start()).await;
        for key in keys {
            assert!(answer.get(key).is_some(), "{method} answers no {key}: {answer}");
        }
        answer
    };
    let attach = json!({"methods": ["m", "sleep"], "max_jobs": 10, "protocol": 1});
    let keys = ["host_id", "name", "arches", "capacity", "topurl", "queues", "lease_seconds"];
    let attached = say("host.attach", attach, &keys).await;
    for key in
        ["endpoint", "region", "own", "bins", "access_key_id", "secret_access_key", "session_token", "expires_ts"]
    {
        assert!(attached["queues"].get(key).is_some(), "{key}: {attached}");
    }

    for _ in 0..3 {
        world.make("m", json!({"arch": "x86_64"}), start()).await;
    }
    let claimed = say("host.claim", json!({"claim_id": "one", "bin": null}), &["task", "left"]).await;
    for key in ["id", "attempt", "method", "request", "arch", "weight", "owner", "parent"] {
        assert!(claimed["task"].get(key).is_some(), "{key}: {claimed}");
    }
    let mut held = vec![host.claim(&world, "one", None, start()).await.task.unwrap()];
    assert_eq!(json!(held[0].id), claimed["task"]["id"], "the same claim");
    for _ in 0..2 {
        held.push(host.take(&world, start()).await);
    }
    let with = |n: usize, others: Value| held[n].with(others);
    let leases: Vec<Value> = (0..3).map(|n| with(n, json!({}))).collect();
    let beat = say("host.heartbeat", json!({"leases": leases}), &["orders", "drain"]).await;
    assert_eq!(beat, json!({"orders": ["continue", "continue", "continue"], "drain": false}));
    say("host.setTaskWeight", with(0, json!({"weight": 1.5})), &[]).await;
    let urls = say("host.logUrls", with(0, json!({"first": 1, "count": 2})), &[]).await;
    assert_eq!(urls.as_array().unwrap().len(), 2);
    let subtask = json!({"method": "sleep", "arglist": [0], "label": "a", "opts": {}});
    let subtask = say("host.startSubtask", with(0, subtask), &[]).await;
    let wait = json!({"subtasks": [subtask], "any": false});
    say("host.awaitSubtasks", with(0, wait), &["finished", "unfinished"]).await;
    upload(&world, &host, &held[0], "x.log", b"well", start()).await;
    say("host.closeTask", with(0, json!({"response": response(&json!("done"))})), &[]).await;
    say("host.failTask", with(1, json!({"response": fault("no")})), &[]).await;
    say("host.handBack", with(2, json!({"reason": "it goes", "refuse": false})), &[]).await;
    say("host.detach", json!({"reason": "it was stopped"}), &[]).await;
    let mut states = Vec::new();
    for task in &held {
        states.push(world.state(task.id.0).await);
    }
    assert_eq!(states, [2, 5, 0]);

    for (protocol, told) in [(0, "bring the builder up to date"), (PROTOCOL + 1, "bring the hub up to date")] {
        let attach = json!({"methods": [], "max_jobs": 1, "protocol": protocol});
        let error = host.call(&world, "host.attach", attach, start()).await.unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

async fn attach(world: &World, host: &Host, added: Value, later: i64) -> Result<Value, String> {
    let methods = ["m", "thing", "sleep"];
    let arguments = json!({"methods": methods, "max_jobs": 10, "protocol": PROTOCOL, "added": added});
    host.call(world, "host.attach", arguments, start() + seconds(later)).await.map_err(|error| error.to_string())
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn tasks_of_added_kinds_are_as_their_builders_say(pool: PgPool) {
    let world = World::new(pool).await;
    let host = world.host("one", &["x86_64"], 2.0, &["m"]).await;
    let shown = async |opts: Value| {
        let task = world.make("thing", opts, start()).await;
        let row = world.task(task).await;
        let name = "SELECT name FROM channels WHERE id = $1";
        let channel: String =
            sqlx::query_scalar(name).bind(row["channel_id"].as_i64()).fetch_one(&world.pool).await.unwrap();
        (row["weight"].as_f64().unwrap(), channel)
    };
    let is = |weight: f64, channel: &str| (weight, channel.to_owned());
    assert_eq!(shown(json!({})).await, is(1.0, "default"), "nobody has told of it");
    world.ok("addChannel", json!({"channel_name": "big"})).await;
    attach(&world, &host, json!([{"method": "thing", "weight": 2.5, "channel": "big"}]), 1).await.unwrap();
    assert_eq!(shown(json!({})).await, is(2.5, "big"));
    assert_eq!(shown(json!({"channel": "default", "weight": 0.5})).await, is(0.5, "default"));
    assert_eq!(shown(json!({"channel": "createrepo"})).await, is(2.5, "createrepo"));

    // the last word counts
    let other = world.host("two", &["x86_64"], 2.0, &["m"]).await;
    attach(&world, &other, json!([{"method": "thing", "weight": 3.0}]), 2).await.unwrap();
    assert_eq!(shown(json!({})).await, is(3.0, "default"));
    for (host, later) in [(&host, 3), (&other, 4)] {
        attach(&world, host, json!([]), later).await.unwrap();
    }
    assert_eq!(shown(json!({})).await, is(1.0, "default"));

    attach(&world, &host, json!([{"method": "thing", "channel": "nowhere"}]), 5).await.unwrap();
    let error = world.attempt("makeTask", json!({"method": "thing", "arglist": []}), start()).await.unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
    for (added, told) in [
        (json!([{"method": "m2"}]), "'m2' must be one of methods"),
        (json!([{"method": "thing", "weight": -1.0}]), "the weight of 'thing' must be 0 or more"),
    ] {
        let error = attach(&world, &host, added, 6).await.unwrap_err();
        assert!(error.contains(told), "{error}");
    }
    let own = json!({"methods": ["build"], "max_jobs": 1, "protocol": PROTOCOL, "added": [{"method": "build"}]});
    let error = host.call(&world, "host.attach", own, start()).await.unwrap_err().to_string();
    assert!(error.contains("none that toji has itself"), "{error}");
}
