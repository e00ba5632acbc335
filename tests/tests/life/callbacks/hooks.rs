//! Hooks that refuse: nothing is done, and whoever asked is told by which hook, and why.

use serde_json::{Value, json};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use toji_hub::error::Error;

use super::receiver::{Receiver, SECRET};
use crate::{
    parents::Farm,
    world::{World, seconds, start},
};

fn hook(receiver: &Receiver, callbacks: &str, more: &str) -> String {
    format!(
        "[[hook]]\nname = \"freeze\"\ncallbacks = {callbacks}\nurl = \"{}/ask\"\nsecret = \"{SECRET}\"\n{more}",
        receiver.url()
    )
}

async fn build(world: &World, nvr: &str) -> i64 {
    let (rest, release) = nvr.rsplit_once('-').unwrap();
    let (name, version) = rest.rsplit_once('-').unwrap();
    let arguments = json!({"name": name, "version": version, "release": release, "epoch": null});
    world.ok("createEmptyBuild", arguments).await.as_i64().unwrap()
}

async fn tag_with(world: &World, name: &str, packages: &[&str]) {
    world.ok("createTag", json!({"name": name, "arches": "x86_64"})).await;
    for package in packages {
        world.ok("packageListAdd", json!({"taginfo": name, "pkginfo": package, "owner": "admin"})).await;
    }
}

fn told(answer: Result<Value, Error>) -> (i32, u16, String) {
    let error = answer.unwrap_err();
    (error.fault_code(), error.http_status(), error.to_string())
}

fn no(body: &Value) -> (u16, String) {
    let tag = &body["body"]["tag"]["name"];
    (200, json!({"allow": false, "reason": format!("{} is frozen", tag.as_str().unwrap_or("all"))}).to_string())
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_hook_refuses_a_tagging(pool: PgPool) {
    let receiver = Receiver::new().await;
    let world = World::with_hooks(pool, &hook(&receiver, "[\"preTag\", \"preUntag\"]", "")).await;
    tag_with(&world, "f42", &["a"]).await;
    build(&world, "a-1-1").await;
    assert_eq!(receiver.heard().len(), 0, "nobody asks about what it is not for");
    let tag = json!({"tag": "f42", "build": "a-1-1"});

    receiver.answers(no);
    let before = world.count("SELECT max(id) FROM events").await;
    let (code, status, text) = told(world.attempt("tagBuildBypass", tag.clone(), start()).await);
    assert_eq!((code, status, text.as_str()), (1017, 403, "preTag: the hook freeze refuses: f42 is frozen"));
    assert_eq!(world.count("SELECT max(id) FROM events").await, before);
    assert_eq!(world.ok("listTagged", json!({"tag": "f42"})).await, json!([]));
    let heard = receiver.heard();
    assert_eq!(heard.len(), 1, "asked once, although the call was run twice");
    let asked = &heard[0];
    assert!(asked.is_signed() && asked.path == "/ask", "{asked:?}");
    assert_eq!(asked.body["callback"], "preTag");
    assert_eq!(asked.body["user"], json!({"id": 1, "name": "admin"}));
    assert_eq!(asked.body["props"]["name"], "a");
    assert_eq!(asked.body["body"]["build"]["nvr"], "a-1-1");
    assert_eq!(asked.body["body"]["force"], false);

    // what is wrong anyway is told before anybody is asked
    let (code, _, text) = told(world.attempt("tagBuildBypass", json!({"tag": "f42", "build": "b-1-1"}), start()).await);
    assert_eq!((code, text.as_str()), (1000, "No such build: 'b-1-1'"));
    let unknown = json!({"tag": "f42", "build": "a-1-1", "strict": true});
    assert_eq!(told(world.attempt("untagBuild", unknown, start()).await).0, 1003, "it is not there");
    assert_eq!(receiver.heard().len(), 0);

    // it thinks better of it: nothing that it said before is remembered
    receiver.answers(|_| (200, String::new()));
    world.ok("tagBuildBypass", tag.clone()).await;
    assert_eq!(world.ok("listTagged", json!({"tag": "f42"})).await[0]["nvr"], "a-1-1");
    receiver.answers(no);
    let (_, _, text) = told(world.attempt("untagBuild", tag, start()).await);
    assert_eq!(text, "preUntag: the hook freeze refuses: f42 is frozen");
    assert_eq!(world.ok("listTagged", json!({"tag": "f42"})).await.as_array().unwrap().len(), 1);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_hook_that_does_not_answer(pool: PgPool) {
    let mut receiver = Receiver::away().await;
    let world = World::with_hooks(pool, &hook(&receiver, "[\"preTag\"]", "")).await;
    tag_with(&world, "f42", &["a"]).await;
    build(&world, "a-1-1").await;
    let tag = json!({"tag": "f42", "build": "a-1-1"});
    let attempt = async || told(world.attempt("tagBuildBypass", tag.clone(), start()).await);
    let (code, status, text) = attempt().await;
    assert_eq!((code, status), (1017, 502));
    assert!(text.starts_with("preTag: the hook freeze must be asked and does not answer: http://127.0.0.1"), "{text}");
    receiver.come().await;
    for (answer, said) in [
        ((500, "oh no".to_owned()), "answers 500 Internal Server Error: oh no"),
        ((302, String::new()), "answers 302 Found"),
        ((200, "yes".to_owned()), "it answers no JSON as it should"),
        ((200, "{\"allow\": \"no\"}".to_owned()), "it answers no JSON as it should"),
        ((200, "{\"allow\": false}".to_owned()), "refuses: it gives no reason"),
    ] {
        receiver.answers(move |_| answer.clone());
        let (code, _, text) = attempt().await;
        assert!(code == 1017 && text.contains(said), "{text}");
    }
    assert_eq!(world.ok("listTagged", json!({"tag": "f42"})).await, json!([]));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_hook_whose_word_is_not_needed(pool: PgPool) {
    let receiver = Receiver::away().await;
    let slow = "ignore_error = true\ntimeout_ms = 200\n";
    let world = World::with_hooks(pool, &hook(&receiver, "[\"preTag\"]", slow)).await;
    tag_with(&world, "f42", &["a"]).await;
    build(&world, "a-1-1").await;
    world.ok("tagBuildBypass", json!({"tag": "f42", "build": "a-1-1"})).await;
    assert_eq!(world.ok("listTagged", json!({"tag": "f42"})).await[0]["nvr"], "a-1-1");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn within_a_multicall(pool: PgPool) {
    let receiver = Receiver::new().await;
    let world = World::with_hooks(pool, &hook(&receiver, "[\"preTag\", \"preUntag\"]", "")).await;
    tag_with(&world, "f42", &["a"]).await;
    for nvr in ["a-1-1", "a-1-2", "a-1-3"] {
        build(&world, nvr).await;
    }
    receiver.answers(|body| match body["body"]["build"]["nvr"].as_str() {
        Some("a-1-2") => (200, json!({"allow": false, "reason": "not that one"}).to_string()),
        _ => (200, String::new()),
    });
    let tag = |nvr: &str| ("tagBuildBypass", json!({"tag": "f42", "build": nvr}));
    let untag = |nvr: &str| ("untagBuild", json!({"tag": "f42", "build": nvr}));
    let replies = world.multicall(vec![tag("a-1-1"), tag("a-1-2"), tag("a-1-3"), untag("a-1-2"), untag("a-1-3")]).await;
    assert_eq!(replies[0], Ok(Value::Null));
    assert_eq!(replies[1], Err((1017, "preTag: the hook freeze refuses: not that one".to_owned())));
    assert_eq!(replies[2], Ok(Value::Null));
    // the call before did not tag it
    assert_eq!(replies[3].as_ref().unwrap_err().0, 1003);
    assert_eq!(replies[4], Ok(Value::Null));
    let listed = world.ok("listTagged", json!({"tag": "f42"})).await;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["nvr"]), (1, &json!("a-1-1")));
    let asked = receiver.heard().len();
    // the first run asks about all five; that the second is refused changes none of the other questions
    assert_eq!(asked, 5);
}

/// `promoteBuild` makes its own transactions, and is run again alone.
#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_makes_its_own_transactions(pool: PgPool) {
    let receiver = Receiver::new().await;
    let points = "[\"preBuildPromote\", \"preCommit\"]";
    let world = World::with_hooks(pool, &hook(&receiver, points, "")).await;
    let mut drafts = Vec::new();
    for version in ["1", "2"] {
        let new = json!({"name": "a", "version": version, "release": "1", "epoch": null, "draft": true});
        drafts.push(world.ok("createEmptyBuild", new).await);
    }
    receiver.heard();
    receiver.answers(|body| match &body["body"]["target_release"] {
        Value::String(_) if body["body"]["build"]["version"] == "2" => no(body),
        _ => (200, String::new()),
    });
    let promote = |draft: &Value| ("promoteBuild", json!({"build": draft, "force": true}));
    let replies = world.multicall(vec![promote(&drafts[0]), promote(&drafts[1])]).await;
    assert_eq!(replies[0].as_ref().unwrap()["nvr"], "a-1-1");
    assert_eq!(replies[1], Err((1017, "preBuildPromote: the hook freeze refuses: all is frozen".to_owned())));
    let asked: Vec<Value> = receiver.heard().into_iter().map(|heard| heard.body["callback"].clone()).collect();
    assert!(asked.contains(&json!("preBuildPromote")) && asked.contains(&json!("preCommit")), "{asked:?}");
    // nothing is left of the attempt, and it can be made again
    assert_eq!(world.count("SELECT count(*) FROM pending_import").await, 0);
    receiver.answers(|_| (200, String::new()));
    assert_eq!(world.ok("promoteBuild", json!({"build": drafts[1], "force": true})).await["nvr"], "a-2-1");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_task_fails_with_the_hooks_reason(options: PgPoolOptions, connect: PgConnectOptions) {
    let receiver = Receiver::new().await;
    let farm = Farm::with_hooks(options, connect, &hook(&receiver, "[\"preTag\", \"preTaskStateChange\"]", "")).await;
    let world = &farm.world;
    tag_with(world, "f42", &["a"]).await;
    build(world, "a-1-1").await;
    receiver.answers(|body| match body["callback"].as_str() {
        Some("preTag") => no(body),
        _ => (200, String::new()),
    });
    let task = world.ok("tagBuild", json!({"tag": "f42", "build": "a-1-1"})).await.as_i64().unwrap();
    farm.pump(2, start()).await;
    assert_eq!(world.state(task).await, 5);
    let result = world.task(task).await["result"].as_str().unwrap().to_owned();
    assert!(result.contains("preTag: the hook freeze refuses: f42 is frozen"), "{result}");
    assert_eq!(world.ok("listTagged", json!({"tag": "f42"})).await, json!([]));
    // that it fails, nobody can refuse
    let asked = receiver.heard();
    let new: Vec<&Value> = asked.iter().map(|heard| &heard.body["body"]["new"]).collect();
    assert!(
        new.contains(&&json!("FREE")) && new.contains(&&json!("OPEN")) && !new.contains(&&json!("FAILED")),
        "{new:?}"
    );

    // who may not begin is told at once, and there is no task
    receiver.answers(no);
    let tasks = world.count("SELECT count(*) FROM task").await;
    let (_, _, text) = told(world.attempt("tagBuild", json!({"tag": "f42", "build": "a-1-1"}), start()).await);
    assert_eq!(text, "preTaskStateChange: the hook freeze refuses: all is frozen");
    assert_eq!(world.count("SELECT count(*) FROM task").await, tasks);
}

/// A builder's death is no question.
#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn the_hub_itself_asks_nobody(pool: PgPool) {
    let receiver = Receiver::new().await;
    let world = World::with_hooks(pool, &hook(&receiver, "[\"preTaskStateChange\"]", "")).await;
    let host = world.host("one", &["x86_64"], 9.0, &["sleep"]).await;
    world.rescue(start()).await;
    let task = world.make("sleep", json!({}), start()).await;
    host.take(&world, start()).await;
    receiver.answers(no);
    receiver.heard();
    for later in [10, 20, 30, 40] {
        world.rescue(start() + seconds(later)).await;
    }
    assert_eq!(world.state(task).await, 0, "it was freed");
    assert_eq!(receiver.heard().len(), 0);
}

/// A task that is for one host alone waits for it when it is handed back; any other is anybody's.
#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_is_asked_when_a_task_is_handed_back(pool: PgPool) {
    let receiver = Receiver::new().await;
    let world = World::with_hooks(pool, &hook(&receiver, "[\"preTaskStateChange\"]", "")).await;
    let host = world.host("one", &["x86_64"], 9.0, &["sleep", "restart"]).await;
    let free = vec![json!(["state", "OPEN", "FREE"]), json!(["host_id", host.id, null])];
    let waits = vec![json!(["state", "OPEN", "ASSIGNED"])];
    for (method, refuse, wanted) in
        [("sleep", false, &free), ("restart", false, &waits), ("restart", true, &free), ("sleep", true, &free)]
    {
        world.make(method, json!({"assign": "one"}), start()).await;
        let held = host.take(&world, start()).await;
        receiver.heard();
        let arguments = held.with(json!({"reason": "x", "refuse": refuse}));
        host.ok(&world, "host.handBack", arguments, start()).await;
        let asked: Vec<Value> = receiver.heard().into_iter().map(|heard| heard.body["body"].clone()).collect();
        let asked: Vec<Value> = asked.iter().map(|body| json!([body["attribute"], body["old"], body["new"]])).collect();
        assert_eq!(asked, *wanted, "{method}");
        let state = world.state(held.id.0).await;
        assert_eq!(state, if wanted.len() == 1 { 4 } else { 0 }, "what was asked is what was done");
        world.ok("cancelTask", json!({"task_id": held.id})).await;
    }
}
