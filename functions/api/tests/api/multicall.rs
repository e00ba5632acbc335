//! Many calls in one request.

use sqlx::PgPool;
use toji_protocol::value::Value;

use crate::app::{App, TOKEN, fault, named};

fn call(method: &str, params: Vec<Value>) -> Value {
    [("methodName".to_owned(), Value::from(method)), ("params".to_owned(), params.into())]
        .into_iter()
        .collect::<toji_protocol::value::Map>()
        .into()
}

async fn users(app: &App) -> Vec<String> {
    sqlx::query_scalar("SELECT name FROM users ORDER BY name").fetch_all(&app.hub.pool).await.unwrap()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn one_that_fails_is_undone_alone(pool: PgPool) {
    let app = App::new(pool).await;
    let session = app.login().await;
    let calls = vec![
        call("createUser", vec!["one".into()]),
        call("createUser", vec!["not a name".into()]),
        call("createUser", named(vec![], &[("username", "two".into())])),
    ];
    for name in ["multiCall", "system.multicall"] {
        assert_eq!(fault(app.xml(name, vec![Value::Nil]).await), "1019: calls: expected a list, got nil");
    }
    let answers = session.call(3, "multiCall", vec![calls.into()]).await.unwrap();
    let answers = answers.as_array().unwrap();
    assert!(matches!(answers[0].as_array(), Some([Value::Int(_)])), "{answers:?}");
    assert_eq!(answers[1].get("faultCode"), Some(&Value::Int(1024)));
    assert!(answers[1].get("faultString").and_then(Value::as_str).unwrap().contains("not a name"));
    assert!(answers[1].get("traceback").and_then(Value::as_array).is_some());
    assert!(matches!(answers[2].as_array(), Some([Value::Int(_)])));
    assert_eq!(users(&app).await, ["admin", "one", "two"]);
    // one request, one number
    assert!(
        fault(session.call(3, "multiCall", vec![vec![call("createUser", vec!["x".into()])].into()]).await)
            .starts_with("1009: ")
    );
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_is_no_call_fails_alone(pool: PgPool) {
    let app = App::new(pool).await;
    let calls = vec![
        call("echo", vec![1.into()]),
        Value::from("nonsense"),
        call("nosuch", vec![]),
        call("multiCall", vec![Value::Array(vec![])]),
        call("login", vec!["a".into(), "b".into()]),
        call("createUser", vec!["one".into()]),
        call("getUser", vec![1.into(); 9]),
        call("hello", vec![]),
    ];
    let answers = app.xml("multiCall", vec![calls.into()]).await.unwrap();
    let codes: Vec<i64> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| answer.get("faultCode").and_then(Value::as_int).unwrap_or_default())
        .collect();
    assert_eq!(codes, [0, 1000, 1000, 1000, 1000, 1004, 1019, 0]);
    assert_eq!(app.xml("multiCall", vec![Value::Array(vec![])]).await, Ok(Value::Array(vec![])));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn in_json(pool: PgPool) {
    let app = App::new(pool).await;
    let body = r#"{"calls": [
        {"methodName": "createUser", "params": ["one"]},
        {"methodName": "createUser", "args": {"username": "not a name"}},
        {"methodName": "echo", "params": [null, 1.5]}
    ]}"#;
    let answer = app.json_ok("multiCall", body).await;
    assert!(answer[0]["result"].is_i64());
    assert_eq!((&answer[1]["problem"]["faultCode"], &answer[1]["problem"]["status"]), (&1024.into(), &400.into()));
    assert_eq!(answer[2]["result"], serde_json::json!([null, 1.5]));
    assert_eq!(users(&app).await, ["admin", "one"]);
    let bad = app.json("multiCall", &[("authorization", &format!("Bearer {TOKEN}"))], r#"{"calls": 3}"#).await;
    assert_eq!((bad.status.as_u16(), bad.json()["faultCode"].as_i64()), (400, Some(1019)));
}
