//! HTTP: verbs, sizes, statuses, headers.

use std::io::Read;

use axum::{body::Body, http::Method};
use sqlx::PgPool;
use toji_protocol::{
    value::Value,
    xmlrpc::{decode_response, encode_call},
};

use crate::app::{App, fault, named};

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_is_no_call(pool: PgPool) {
    let app = App::new(pool).await;
    let answer = app.get("/kojihub", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"));
    assert!(answer.header("content-type").starts_with("text/plain"));
    assert_eq!(answer.header("koji-version"), "1.35.3");

    let post = async |body: Body| {
        let answer = app.request(Method::POST, "/kojihub", &[("content-type", "text/xml")], body).await;
        assert!(answer.header("content-type").starts_with("text/plain"));
        assert_eq!(answer.header("koji-version"), "1.35.3");
        format!("{} {}", answer.status.as_u16(), answer.text())
    };
    assert_eq!(post(Body::empty()).await, "400 Invalid request: Empty request");
    assert_eq!(post(vec![b' '; 5 << 20].into()).await, "400 Invalid request: Request too long");
    for bad in ["<methodCall>", "hello", "<methodCall><methodName></methodName></methodCall>", "\u{0}"] {
        let answer = post(bad.into()).await;
        assert!(answer.starts_with("400 Invalid request: ") && answer.len() > 25, "{answer}");
    }
    let answer = app.get("/nowhere", &[]).await;
    assert_eq!(answer.status, 404);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn calls(pool: PgPool) {
    let app = App::new(pool).await;
    assert_eq!(app.xml("hello", vec![]).await, Ok(Value::from("Hello World")));
    assert_eq!(fault(app.xml("nosuch", vec![]).await), "1000: Invalid method: nosuch");
    let arity = app.xml("getUser", vec![1.into(); 9]).await;
    assert!(
        fault(arity).starts_with("1019: getUser() takes from 0 to "),
        "{arity:?}",
        arity = app.xml("getUser", vec![1.into(); 9]).await
    );
    let unknown = app.xml("getUser", named(vec![], &[("nosuch", 1.into())])).await;
    assert_eq!(fault(unknown), "1019: getUser() got an unexpected keyword argument 'nosuch'");
    let by_name = app.xml("getUser", named(vec![], &[("userInfo", "admin".into())])).await.unwrap();
    assert_eq!(by_name.get("name"), Some(&Value::from("admin")));
    let values = vec![Value::Nil, Value::Int(1 << 40), Value::Double(0.5), Value::Bytes(vec![1]), "<&>".into()];
    assert_eq!(app.xml("echo", values.clone()).await, Ok(Value::Array(values)));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn the_path_behind_the_hub_means_nothing(pool: PgPool) {
    let app = App::new(pool).await;
    let document = encode_call("sslLogin", &[]).unwrap();
    let answer = app.request(Method::POST, "/kojihub/ssllogin", &[("content-type", "text/xml")], document).await;
    assert!(fault(decode_response(&answer.body).unwrap()).starts_with("1002: "));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn large_replies_are_compressed(pool: PgPool) {
    let app = App::new(pool).await;
    let ask = async |method: &str| {
        let headers = [("content-type", "text/xml"), ("accept-encoding", "gzip, deflate")];
        app.request(Method::POST, "/kojihub", &headers, encode_call(method, &[]).unwrap()).await
    };
    let small = ask("hello").await;
    assert_eq!(small.header("content-encoding"), "");
    let large = ask("_listapi").await;
    assert_eq!(large.header("content-encoding"), "gzip");
    let mut document = Vec::new();
    flate2::read::GzDecoder::new(&*large.body).read_to_end(&mut document).unwrap();
    assert!(document.len() > 5 * large.body.len());
    let methods = decode_response(&document).unwrap().unwrap();
    assert!(methods.as_array().unwrap().len() > 20);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn request_ids(pool: PgPool) {
    let app = App::new(pool).await;
    let answer = app.json("nosuch", &[("x-request-id", "mine-1")], "").await;
    assert_eq!(answer.header("x-request-id"), "mine-1");
    assert_eq!(answer.json()["requestId"], "mine-1");
    let made = app.json("hello", &[], "").await;
    assert_eq!(made.header("x-request-id").len(), 32);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn without_a_database(pool: PgPool) {
    let app = App::new(pool).await;
    let healthy = app.get("/healthz", &[]).await;
    assert_eq!(healthy.status, 200, "{}", healthy.text());
    assert_eq!(healthy.text(), r#"{"database":"ok","s3":"ok","queues":"ok"}"#);

    app.hub.close().await;
    let unhealthy = app.get("/healthz", &[]).await;
    assert_eq!(unhealthy.status, 503);
    assert_eq!(unhealthy.text(), r#"{"database":"unavailable","s3":"ok","queues":"ok"}"#);
    // the stock client sends again what has no status 200
    let document = encode_call("getLastEvent", &[]).unwrap();
    let answer = app.request(Method::POST, "/kojihub", &[("content-type", "text/xml")], document).await;
    assert_eq!((answer.status.as_u16(), answer.header("koji-version")), (503, "1.35.3"));
    assert!(answer.header("content-type").starts_with("text/plain"));
    let answer = app.json("getLastEvent", &[], "").await;
    assert_eq!((answer.status.as_u16(), answer.json()["faultCode"].as_i64()), (503, Some(1014)));
}
