//! Each of Koji's 26 callback points, with what is asked and told there: `points.txt` has one of each address. `TOJI_WRITE_VECTORS=1`
//! writes it, to be read before it is committed.

use std::{collections::BTreeMap, env, fs, path::Path};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use toji_hub::callback::{Callback, Point, When, deliver};

use super::receiver::{Heard, Receiver, SECRET};
use crate::{
    builder::Trick,
    parents::Farm,
    signing::Tree,
    world::{Host, World, seconds, start},
};

/// All of Koji's: of the hub 22, of the builder 4.
fn points() -> Vec<String> {
    let both = |callback| [When::Pre, When::Post].map(|when| Point { when, callback }.to_string());
    let all = Callback::ALL.into_iter().flat_map(both).filter(|name| name.parse::<Point>().is_ok());
    all.collect()
}

/// Everything is asked and told.
fn settings(receiver: &Receiver) -> String {
    let pre: Vec<String> = points().into_iter().filter(|name| name.starts_with("pre")).collect();
    let (url, pre) = (receiver.url(), json!(pre));
    format!(
        "[[hook]]\nname = \"all\"\ncallbacks = {pre}\nurl = \"{url}/ask\"\n
         [[webhook]]\nname = \"all\"\nurl = \"{url}/tell\"\nsecret = \"{SECRET}\"\ntopics = [\"**\"]\n"
    )
}

/// Times and what is drawn by lot say something else each time.
fn still(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let is_time = name == "time" || name.ends_with("_time") || name.ends_with("_ts");
                match value {
                    Value::String(text) if is_time => *text = "a time".to_owned(),
                    Value::Number(_) if is_time || name == "buildtime" || name == "size" => *value = json!(0),
                    Value::String(text) if matches!(name.as_str(), "payloadhash" | "sighash") => {
                        *text = "a digest".to_owned();
                    }
                    Value::String(text) if name.contains("sigkey") && !text.is_empty() => *text = "a key".to_owned(),
                    Value::String(text) if text.starts_with("cli-build/") => *text = "cli-build/…".to_owned(),
                    other => still(other),
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                match value {
                    Value::String(text) if text.starts_with("cli-build/") => *text = "cli-build/…".to_owned(),
                    other => still(other),
                }
            }
        }
        _ => {}
    }
}

/// A build, its imports and its tagging, with a repo before it.
async fn build(farm: &Farm) {
    let task = farm.build(start()).await;
    farm.finish(1, Trick::None, start()).await;
    farm.is_whole(task).await;
}

async fn report(world: &World, host: &Host) {
    let task = world.make("buildSRPMFromSCM", json!({}), start()).await;
    let held = host.take(world, start()).await;
    assert_eq!(held.id.0, task);
    let scm = json!({"scminfo": {"url": "git://example.org/a#1"}, "build_tag": "f-build", "scratch": false, "srcdir": "/builddir"});
    let repo = json!({"tag": "f-build", "arch": "x86_64", "repo_id": 1});
    for (callback, data) in
        [("preSCMCheckout", &scm), ("postSCMCheckout", &scm), ("postCreateRepo", &repo), ("postCreateDistRepo", &repo)]
    {
        let arguments = json!({"task_id": task, "attempt": held.attempt, "callback": callback, "data": data});
        host.ok(world, "host.callback", arguments, start()).await;
    }
    let report =
        |callback: &str, attempt: i32| json!({"task_id": task, "attempt": attempt, "callback": callback, "data": {}});
    for bad in ["preTag", "preCreateRepo", "", "postsCMCheckout"] {
        let error = host.call(world, "host.callback", report(bad, held.attempt), start()).await.unwrap_err();
        assert_eq!(error.fault_code(), 1019, "{bad}");
    }
    let stale = host.call(world, "host.callback", report("preSCMCheckout", 7), start()).await.unwrap_err();
    assert!(stale.to_string().contains("attempt 7"), "{stale}");
    let fault = toji_protocol::xmlrpc::encode_fault(1, "x");
    let failed = json!({"task_id": task, "attempt": held.attempt, "response": String::from_utf8(fault).unwrap()});
    host.ok(world, "host.failTask", failed, start()).await;
}

async fn all_else(farm: &Farm) {
    let world = &farm.world;
    for (method, arguments) in [
        ("packageListBlock", json!({"taginfo": "f", "pkginfo": "hello"})),
        ("packageListUnblock", json!({"taginfo": "f", "pkginfo": "hello"})),
        ("packageListSetOwner", json!({"taginfo": "f", "pkginfo": "hello", "owner": "one"})),
        ("packageListRemove", json!({"taginfo": "f", "pkginfo": "hello"})),
        ("untagBuild", json!({"tag": "f", "build": "hello-1.0-1"})),
        ("addVolume", json!({"name": "cold"})),
        ("changeBuildVolume", json!({"build": "hello-1.0-1", "volume": "cold"})),
        ("deleteBuild", json!({"build": "hello-1.0-1"})),
    ] {
        world.ok(method, arguments).await;
    }
    let draft = json!({"name": "hello", "version": "2", "release": "1", "epoch": null, "draft": true});
    let draft = world.ok("createEmptyBuild", draft).await;
    world.ok("promoteBuild", json!({"build": draft, "force": true})).await;
    let keys = json!({"tag": "f", "keys": ["abcd"], "arch": ["x86_64"]});
    world.ok("distRepo", keys).await;
    farm.pump(1, start()).await;
    let task = world.make("sleep", json!({}), start()).await;
    world.ok("setTaskPriority", json!({"task_id": task, "priority": 3})).await;
    world.ok("cancelTask", json!({"task_id": task})).await;
}

async fn heard(world: &World, receiver: &Receiver, now: DateTime<Utc>) -> Vec<Heard> {
    let delivered = deliver::run_once(&world.hub, now).await.unwrap();
    assert_eq!(delivered.failed, 0);
    receiver.heard()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn each_point_with_its_data(options: PgPoolOptions, connect: PgConnectOptions) {
    let receiver = Receiver::new().await;
    let farm = Farm::with_hooks(options, connect, &settings(&receiver)).await;
    let world = &farm.world;
    build(&farm).await;
    let other = world.host("two", &["x86_64"], 9.0, &["buildSRPMFromSCM"]).await;
    report(world, &other).await;
    all_else(&farm).await;
    let heard = heard(world, &receiver, start()).await;

    let mut found: BTreeMap<(String, String), String> = BTreeMap::new();
    for heard in &heard {
        let text = |member: &str| heard.body[member].as_str().unwrap().to_owned();
        let mut body = heard.body.clone();
        still(&mut body);
        if body.get("id").is_some() {
            body["id"] = json!(0);
        }
        // they come in any order: the one that sorts first
        let body = serde_json::to_string_pretty(&body).unwrap();
        let one = found.entry((text("callback"), text("address"))).or_insert_with(|| body.clone());
        if body < *one {
            *one = body;
        }
    }
    let named: Vec<&String> = found.keys().map(|(callback, _)| callback).collect();
    for point in points() {
        assert!(named.contains(&&point), "nothing was heard of {point}");
    }
    // what is asked about is told, too, but for what was only asked
    for (callback, address) in found.keys().filter(|(callback, _)| callback.starts_with("pre")) {
        let after = callback.replacen("pre", "post", 1);
        assert!(found.contains_key(&(after.clone(), address.clone())), "{callback} {address} without {after}");
    }
    let mut text = String::new();
    for ((callback, address), body) in &found {
        text.push_str(&format!("## {callback} {address}\n{body}\n\n"));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/life/callbacks/points.txt");
    if env::var_os("TOJI_WRITE_VECTORS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    for (ours, theirs) in text.split("## ").zip(expected.split("## ")) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(text.len(), expected.len());
}

/// A key of one's own is what protonmsg tells of.
#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_signature_with_a_key(pool: PgPool) {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let receiver = Receiver::new().await;
    let world = World::with_hooks(pool, &settings(&receiver)).await;
    let tree = Tree::plant(&world, 10).await;
    let (key, signed) = tree.sign("ada");
    let number = |at: usize| u32::from_be_bytes(signed[at..at + 4].try_into().unwrap()) as usize;
    let size = 16 + number(104) * 16 + number(108);
    let data = BASE64_STANDARD.encode(&signed[96..96 + size.next_multiple_of(8)]);
    let call = json!({"an_rpm": "tree-1.0-3.x86_64", "data": data});
    receiver.answers(|body| match body["callback"].as_str() {
        Some("preRPMSign") => (200, json!({"allow": false, "reason": "that key is lost"}).to_string()),
        _ => (200, String::new()),
    });
    let error = world.attempt("addRPMSig", call.clone(), start()).await.unwrap_err();
    assert_eq!(error.to_string(), "preRPMSign: the hook all refuses: that key is lost");
    receiver.answers(|_| (200, String::new()));
    receiver.heard();
    world.ok("addRPMSig", call).await;
    let heard = heard(&world, &receiver, start() + seconds(1)).await;
    let told = heard.iter().find(|heard| heard.body["callback"] == "postRPMSign").unwrap();
    assert_eq!(told.body["address"], "sign.rpm");
    assert_eq!(told.body["props"]["sigkey"], key.as_str());
    assert_eq!(told.body["props"]["rpm_name"], "tree");
    assert_eq!(told.body["body"]["rpm"]["arch"], "x86_64");
    assert_eq!(told.body["body"]["build"]["nvr"], "tree-1.0-3");
}
