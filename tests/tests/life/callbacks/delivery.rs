//! Webhooks: signed, in order, and once each when their receiver is back.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::{callback::deliver, error::Error, sweep};
use toji_protocol::queue_name::QueueName;

use super::receiver::{Heard, Receiver, SECRET};
use crate::world::{World, seconds, start};

fn webhook(receiver: &Receiver, more: &str) -> String {
    format!("[[webhook]]\nname = \"ci\"\nurl = \"{}/koji\"\nsecret = \"{SECRET}\"\n{more}", receiver.url())
}

async fn tell(world: &World, now: DateTime<Utc>) -> (usize, usize) {
    let delivered = deliver::run_once(&world.hub, now).await.unwrap();
    (delivered.told, delivered.failed)
}

/// Two builds that are tagged and untagged, again and again.
async fn tag_and_untag(world: &World) {
    for method in ["tagBuildBypass", "untagBuild", "tagBuildBypass"] {
        for build in ["a-1-1", "a-1-2"] {
            world.ok(method, json!({"tag": "f42", "build": build})).await;
        }
    }
}

async fn fill(world: &World) {
    world.ok("createTag", json!({"name": "f42", "arches": "x86_64"})).await;
    world.ok("packageListAdd", json!({"taginfo": "f42", "pkginfo": "a", "owner": "admin"})).await;
    for release in ["1", "2"] {
        let new = json!({"name": "a", "version": "1", "release": release, "epoch": null});
        world.ok("createEmptyBuild", new).await;
    }
}

fn of_build<'a>(heard: &'a [Heard], nvr: &str) -> Vec<&'a str> {
    let is_of = |heard: &&Heard| heard.body["body"]["build"]["nvr"] == nvr || heard.body["body"]["info"]["nvr"] == nvr;
    heard.iter().filter(is_of).map(|heard| heard.body["address"].as_str().unwrap()).collect()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_receiver_that_was_down_gets_every_event_once(pool: PgPool) {
    let mut receiver = Receiver::away().await;
    let world = World::with_hooks(pool, &webhook(&receiver, "")).await;
    fill(&world).await;
    tag_and_untag(&world).await;
    assert_eq!(world.take(&QueueName::Events).await.len(), 9, "each change rings");
    let logged = world.count("SELECT count(*) FROM callback_log").await;
    assert_eq!(logged, 9, "a package, two builds, six taggings");

    // a minute long nobody is there: it is tried, less and less
    let mut tries = 0;
    for second in 0..60 {
        tries += tell(&world, start() + seconds(second)).await.1;
    }
    assert!((3..20).contains(&tries), "{tries} tries");
    let waiting = world.ok("callback.receivers", json!({})).await;
    assert_eq!(
        (&waiting[0]["name"], &waiting[0]["waiting"], &waiting[0]["oldest_id"]),
        (&json!("ci"), &json!(9), &json!(1))
    );
    assert!(waiting[0]["problem"].as_str().unwrap().contains("cannot be reached"), "{waiting}");
    assert!(!waiting.to_string().contains("whsec"), "its secret is told nobody");

    receiver.come().await;
    let back = start() + seconds(400);
    assert_eq!(tell(&world, back).await, (9, 0));
    let heard = receiver.heard();
    for one in &heard {
        assert!(one.is_signed() && one.path == "/koji", "{one:?}");
        assert_eq!(one.headers["webhook-id"].to_str().unwrap(), format!("evt_{}", one.body["id"]));
        let sent: i64 = one.headers["webhook-timestamp"].to_str().unwrap().parse().unwrap();
        assert!(sent >= back.timestamp(), "signed when it is sent");
    }
    for nvr in ["a-1-1", "a-1-2"] {
        assert_eq!(of_build(&heard, nvr), ["build.complete", "build.tag", "build.untag", "build.tag"], "{nvr}");
    }
    let mut ids: Vec<i64> = heard.iter().map(|heard| heard.body["id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=9).collect::<Vec<_>>(), "each once");
    assert_eq!(tell(&world, back + seconds(900)).await, (0, 0));
    let waiting = world.ok("callback.receivers", json!({})).await;
    assert_eq!((&waiting[0]["waiting"], &waiting[0]["problem"]), (&json!(0), &Value::Null));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_is_refused_holds_back_only_its_own_key(pool: PgPool) {
    let receiver = Receiver::new().await;
    let world = World::with_hooks(pool, &webhook(&receiver, "topics = [\"build.*\"]\n")).await;
    fill(&world).await;
    tag_and_untag(&world).await;
    receiver.answers(|body| match body["address"].as_str() {
        Some("build.tag") if body["body"]["build"]["nvr"] == "a-1-1" => (400, "what?".to_owned()),
        _ => (200, String::new()),
    });
    assert_eq!(tell(&world, start()).await, (5, 1));
    let heard = receiver.heard();
    assert_eq!(of_build(&heard, "a-1-1"), ["build.complete", "build.tag"]);
    assert_eq!(of_build(&heard, "a-1-2"), ["build.complete", "build.tag", "build.untag", "build.tag"]);
    let refused = heard.iter().find(|heard| heard.body["body"]["build"]["nvr"] == "a-1-1").unwrap();
    assert_eq!(tell(&world, start() + seconds(1)).await, (0, 0), "not at once again");

    receiver.answers(|_| (204, String::new()));
    assert_eq!(tell(&world, start() + seconds(5)).await, (3, 0));
    let heard = receiver.heard();
    assert_eq!(of_build(&heard, "a-1-1"), ["build.tag", "build.untag", "build.tag"]);
    assert_eq!(heard[0].body, refused.body, "the same message");
    assert_eq!(heard[0].headers["webhook-id"], refused.headers["webhook-id"]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn again_from_an_id(pool: PgPool) {
    let receiver = Receiver::new().await;
    let both = format!(
        "{}{}",
        webhook(&receiver, "topics = [\"build.tag\"]\n"),
        webhook(&receiver, "").replace("\"ci\"", "\"all\"")
    );
    let world = World::with_hooks(pool, &both).await;
    fill(&world).await;
    tag_and_untag(&world).await;
    assert_eq!(tell(&world, start()).await, (4 + 9, 0));
    receiver.heard();

    let log = world.ok("callback.log", json!({"from_id": 4, "limit": 2})).await;
    let shown: Vec<&Value> = log.as_array().unwrap().iter().map(|event| &event["address"]).collect();
    assert_eq!(shown, ["build.tag", "build.tag"]);
    assert_eq!(log[0]["receivers"], json!(["ci", "all"]));
    assert_eq!(log[0]["callback"], "postTag");
    let key = log[0]["key"].as_str().unwrap();
    let of_key = world.ok("callback.log", json!({"key": key})).await;
    assert_eq!(of_key.as_array().unwrap().len(), 4);

    // only what it wants, in order, and once although it is asked for twice
    let replay = json!({"receiver": "ci", "from_id": 5});
    assert_eq!(world.ok("callback.replay", replay.clone()).await, json!(3));
    assert_eq!(world.ok("callback.replay", replay).await, json!(0));
    assert_eq!(world.take(&QueueName::Events).await.len(), 9 + 2);
    assert_eq!(tell(&world, start()).await, (3, 0));
    let ids: Vec<i64> = receiver.heard().iter().map(|heard| heard.body["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [5, 8, 9]);
    assert_eq!(world.ok("callback.replay", json!({"receiver": "all", "from_id": 1, "to_id": 2})).await, json!(2));
    assert_eq!(tell(&world, start()).await, (2, 0));

    let error = world.attempt("callback.replay", json!({"receiver": "x", "from_id": 1}), start()).await.unwrap_err();
    assert_eq!(error.to_string(), "No such receiver: 'x'; there are: ci, all");
    let bob = world.ok("createUser", json!({"username": "bob"})).await;
    assert!(bob.is_i64());
    let token = world.ok("createToken", json!({"user": "bob"})).await["token"].as_str().unwrap().to_owned();
    for (method, arguments) in [
        ("callback.log", json!({})),
        ("callback.receivers", json!({})),
        ("callback.replay", json!({"receiver": "ci", "from_id": 1})),
    ] {
        let error = world.call(&token, method, arguments, start()).await.unwrap_err();
        assert!(matches!(error, Error::Denied(_)), "{method}: {error:?}");
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_nobody_takes_is_given_up_and_the_log_ends(pool: PgPool) {
    let mut receiver = Receiver::away().await;
    let world = World::with_hooks(pool, &webhook(&receiver, "")).await;
    fill(&world).await;
    assert_eq!(tell(&world, start()).await, (0, 3));
    let later = start() + seconds(86_401);
    let delivered = deliver::run_once(&world.hub, later).await.unwrap();
    assert_eq!((delivered.told, delivered.dropped), (0, 3));
    // from the log it can still be told
    receiver.come().await;
    let replay = json!({"receiver": "ci", "from_id": 0});
    assert_eq!(world.ok_at("callback.replay", replay, later).await, json!(3));
    assert_eq!(tell(&world, later).await, (3, 0));
    // what is old goes
    let swept = sweep::run_once(&world.hub, start() + seconds(13 * 86_400)).await.unwrap();
    assert_eq!(swept.callbacks, 0);
    let swept = sweep::run_once(&world.hub, start() + seconds(15 * 86_400)).await.unwrap();
    assert_eq!(swept.callbacks, 3);
    assert_eq!(world.count("SELECT count(*) FROM callback_log").await, 0);
}

/// Two that tell at once do not tell anything twice, nor out of order.
#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn by_several_at_once(pool: PgPool) {
    let receiver = Receiver::new().await;
    let world = World::with_hooks(pool, &webhook(&receiver, "")).await;
    fill(&world).await;
    for _ in 0..5 {
        tag_and_untag(&world).await;
        for build in ["a-1-1", "a-1-2"] {
            world.ok("untagBuild", json!({"tag": "f42", "build": build})).await;
        }
    }
    let tells = (0..4).map(|_| deliver::run_once(&world.hub, start()));
    let told = futures::future::join_all(tells).await;
    let mut sum: usize = told.into_iter().map(|told| told.unwrap().told).sum();
    // one that found only what another had in its hands has ended early
    sum += tell(&world, start()).await.0;
    assert_eq!(sum, 43);
    let heard = receiver.heard();
    assert_eq!(heard.len(), 43);
    for nvr in ["a-1-1", "a-1-2"] {
        let addresses = of_build(&heard, nvr);
        assert_eq!(addresses[0], "build.complete");
        for pair in addresses[1..].chunks(2) {
            assert_eq!(pair, ["build.tag", "build.untag"]);
        }
    }
}

/// A call that fails has told nobody anything.
#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_was_undone_is_not_told(pool: PgPool) {
    let receiver = Receiver::new().await;
    let world = World::with_hooks(pool, &webhook(&receiver, "")).await;
    fill(&world).await;
    let before = world.count("SELECT count(*) FROM callback_log").await;
    let again = json!({"name": "a", "version": "1", "release": "1", "epoch": null});
    world.attempt("createEmptyBuild", again, start()).await.unwrap_err();
    world.ok("packageListAdd", json!({"taginfo": "f42", "pkginfo": "a", "owner": "admin"})).await;
    assert_eq!(world.count("SELECT count(*) FROM callback_log").await, before, "nothing has changed");
}
