//! HTTP: verbs, sizes, statuses, headers.

use std::io::Read;

use axum::{
    body::{Body, HttpBody},
    http::Method,
};
use http_body_util::BodyExt;
use sqlx::PgPool;
use toji_protocol::{
    value::Value,
    xmlrpc::{decode_response, encode_call},
};
use tower::ServiceExt;

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

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn long_replies_are_sent_while_they_are_encoded(pool: PgPool) {
    let app = App::new(pool).await;
    let list: Vec<Value> = (0..40_000).map(|number| format!("item {number} & more").into()).collect();
    let document = encode_call("echo", &[Value::Array(list.clone())]).unwrap();
    let request = axum::http::Request::post("/kojihub").header("content-type", "text/xml");
    let response = app.router.clone().oneshot(request.body(Body::from(document)).unwrap()).await.unwrap();
    let mut body = response.into_body();
    // its length is not known when it begins
    assert_eq!(body.size_hint().exact(), None);
    let mut pieces = Vec::new();
    while let Some(frame) = body.frame().await {
        pieces.push(frame.unwrap().into_data().unwrap());
    }
    assert!(pieces.len() > 20 && pieces.iter().all(|piece| piece.len() < 200 << 10), "{}", pieces.len());
    let answer = decode_response(&pieces.concat()).unwrap().unwrap();
    assert_eq!(answer.as_array().unwrap()[0], Value::Array(list.clone()));

    // … compressed, too
    let headers = [("content-type", "text/xml"), ("accept-encoding", "gzip")];
    let zipped =
        app.request(Method::POST, "/kojihub", &headers, encode_call("echo", &[Value::Array(list.clone())]).unwrap());
    let mut document = Vec::new();
    flate2::read::GzDecoder::new(&*zipped.await.body).read_to_end(&mut document).unwrap();
    assert_eq!(decode_response(&document).unwrap().unwrap().as_array().unwrap()[0], Value::Array(list));

    let texts: Vec<String> = (0..40_000).map(|number| format!("\"item {number}\"")).collect();
    let arguments = format!("[[{}]]", texts.join(","));
    let answer = app.json("echo", &[], &arguments).await;
    assert!(answer.body.len() > 300 << 10);
    assert_eq!(answer.json()[0].as_array().unwrap().len(), 40_000);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_client_that_leaves_stops_the_encoding(pool: PgPool) {
    let app = App::new(pool).await;
    let list: Vec<Value> = (0..60_000).map(Value::Int).collect();
    let document = encode_call("echo", &[Value::Array(list)]).unwrap();
    let request = axum::http::Request::post("/kojihub").header("content-type", "text/xml");
    let response = app.router.clone().oneshot(request.body(Body::from(document)).unwrap()).await.unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    // its thread would be waited for here for ever, if it still had something to send
    assert_eq!(app.xml("hello", vec![]).await, Ok(Value::from("Hello World")));
}
