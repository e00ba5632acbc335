//! Methods that others answer, beside ours.

use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::{
    call::{Auth, Request},
    error::Error,
};

use super::receiver::{Receiver, SECRET};
use crate::world::{World, start};

fn methods(receiver: &Receiver) -> String {
    let url = receiver.url();
    format!(
        r#"
[[method]]
name = "acme.echo"
access = "anonymous"
url = "{url}/echo"
secret = "{SECRET}"

[[method]]
name = "acme.freeze"
doc = "Freezes a tag."
permission = "acme"
parameters = ["tag", "until=nil", "why='no reason'"]
url = "{url}/freeze"
timeout_ms = 2000

[[method]]
name = "acmeWho"
access = "logged in"
parameters = []
url = "{url}/who"
"#
    )
}

fn answer(body: &Value) -> (u16, String) {
    let result = match body["method"].as_str() {
        Some("acme.echo") => json!({"result": {"args": body["args"], "kwargs": body["kwargs"]}}),
        Some("acmeWho") => json!({"result": body["caller"]}),
        _ if body["kwargs"]["tag"] == "none" => json!({"fault": {"code": 1003, "message": "there is no tag none"}}),
        _ => json!({"result": body["kwargs"]}),
    };
    (200, result.to_string())
}

async fn world(pool: PgPool) -> (World, Receiver) {
    let receiver = Receiver::new().await;
    receiver.answers(answer);
    (World::with_hooks(pool, &methods(&receiver)).await, receiver)
}

fn fault(answer: Result<Value, Error>) -> (i32, String) {
    let error = answer.unwrap_err();
    (error.fault_code(), error.to_string())
}

async fn user(world: &World, name: &str) -> String {
    world.ok("createUser", json!({"username": name})).await;
    world.ok("createToken", json!({"user": name})).await["token"].as_str().unwrap().to_owned()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn they_are_called_as_ours_are(pool: PgPool) {
    let (world, receiver) = world(pool).await;
    let listed = world.ok("_listapi", json!({})).await;
    let of = |name: &str| listed.as_array().unwrap().iter().find(|method| method["name"] == name).cloned().unwrap();
    assert_eq!(of("acme.echo")["argdesc"], "(*args, **kwargs)");
    assert_eq!(of("acme.freeze")["argdesc"], "(tag, until=None, why='no reason')");
    assert_eq!(of("acme.freeze")["doc"], "Freezes a tag.");
    assert!(world.ok("system.listMethods", json!({})).await.as_array().unwrap().contains(&json!("acmeWho")));

    assert_eq!(
        world.ok("acme.echo", json!({"b": 1, "a": [null, 2.5, {"x": "y"}]})).await,
        json!({"args": [], "kwargs": {"b": 1, "a": [null, 2.5, {"x": "y"}]}})
    );
    let heard = receiver.heard();
    assert!(heard[0].is_signed() && heard[0].path == "/echo");
    assert!(heard[0].body["caller"]["permissions"].as_array().unwrap().contains(&json!("admin")));
    assert_eq!(
        world.ok("acme.freeze", json!({"tag": "f42"})).await,
        json!({"tag": "f42", "until": null, "why": "no reason"})
    );
    assert_eq!(fault(world.attempt("acme.freeze", json!({}), start()).await).0, 1019);
    assert_eq!(fault(world.attempt("acme.freeze", json!({"tag": "x", "y": 1}), start()).await).0, 1019);
    let (code, text) = fault(world.attempt("acme.freeze", json!({"tag": "none"}), start()).await);
    assert_eq!((code, text.as_str()), (1003, "there is no tag none"));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn who_may_call_them(pool: PgPool) {
    let (world, receiver) = world(pool).await;
    let bob = user(&world, "bob").await;
    let freeze = json!({"tag": "f42"});
    let (code, text) = fault(world.call(&bob, "acme.freeze", freeze.clone(), start()).await);
    assert_eq!((code, text.as_str()), (1004, "acme permission required (logged in as bob)"));
    assert_eq!(receiver.heard().len(), 0, "nobody is called for nothing");
    world.ok("grantPermission", json!({"userinfo": "bob", "permission": "acme", "create": true})).await;
    world.call(&bob, "acme.freeze", freeze, start()).await.unwrap();
    let who = world.call(&bob, "acmeWho", json!({}), start()).await.unwrap();
    assert_eq!((&who["name"], &who["permissions"]), (&json!("bob"), &json!(["acme"])));
    let nobody = |method: &str| Request {
        method: method.to_owned(),
        positional: vec![toji_protocol::value::Value::Int(7)],
        named: serde_json::from_value(json!({})).unwrap(),
        auth: Auth::Nobody,
        idempotency_key: None,
        now: start(),
    };
    assert_eq!(world.hub.call(nobody("acmeWho")).await.err().unwrap().fault_code(), 1004);
    let reply = world.hub.call(nobody("acme.echo")).await.unwrap();
    assert_eq!(serde_json::to_value(&*reply).unwrap(), json!({"args": [7], "kwargs": {}}));
    assert_eq!(receiver.heard().last().unwrap().body["caller"], Value::Null);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn answers_that_are_none(pool: PgPool) {
    let (world, receiver) = world(pool).await;
    for (answer, said) in [
        ((200, "42".to_owned()), "it answers neither a result nor a fault"),
        ((200, "{}".to_owned()), "it answers neither a result nor a fault"),
        (
            (200, "{\"result\": 1, \"fault\": {\"message\": \"x\"}}".to_owned()),
            "it answers neither a result nor a fault",
        ),
        ((404, "not here".to_owned()), "answers 404 Not Found: not here"),
        ((503, String::new()), "answers 503 Service Unavailable"),
    ] {
        receiver.answers(move |_| answer.clone());
        let error = world.attempt("acme.echo", json!({}), start()).await.unwrap_err();
        assert_eq!((error.fault_code(), error.http_status()), (1016, 502));
        let text = error.to_string();
        assert!(text.starts_with("acme.echo: ") && text.contains(said), "{text}");
    }
    receiver.answers(|_| (200, json!({"fault": {"message": "no"}}).to_string()));
    assert_eq!(fault(world.attempt("acme.echo", json!({}), start()).await), (1000, "no".to_owned()));
    drop(receiver);
    assert_eq!(fault(world.attempt("acme.echo", json!({}), start()).await).0, 1016);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn within_a_multicall_they_go_first(pool: PgPool) {
    let (world, receiver) = world(pool).await;
    let replies = world
        .multicall(vec![
            ("createTag", json!({"name": "t"})),
            ("acme.freeze", json!({"tag": "t"})),
            ("createTag", json!({"name": "t"})),
            ("acme.freeze", json!({"tag": "none"})),
            ("getTag", json!({"tagInfo": "t"})),
            ("acme.freeze", json!({})),
        ])
        .await;
    assert!(replies[0].is_ok());
    assert_eq!(replies[1].as_ref().unwrap()["tag"], "t");
    assert_eq!(replies[2].as_ref().unwrap_err().0, 1000);
    assert_eq!(replies[3], Err((1003, "there is no tag none".to_owned())));
    assert_eq!(replies[4].as_ref().unwrap()["name"], "t");
    assert_eq!(replies[5].as_ref().unwrap_err().0, 1019);
    assert_eq!(receiver.heard().len(), 2);
    let replies = world.multicall(vec![("acme.echo", json!({"a": 1})), ("acmeWho", json!({}))]).await;
    assert_eq!(replies[0], Ok(json!({"args": [], "kwargs": {"a": 1}})));
    assert_eq!(replies[1].as_ref().unwrap()["name"], "admin");
    // a call within a call, with no transaction about it
    let counted = world.ok("count", json!({"methodName": "acme.echo"})).await;
    assert_eq!(counted, json!(2));
}
