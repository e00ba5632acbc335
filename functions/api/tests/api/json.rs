//! JSON: arguments, errors, receipts.

use axum::http::Method;
use sqlx::PgPool;

use crate::app::{App, TOKEN};

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn arguments(pool: PgPool) {
    let app = App::new(pool).await;
    assert_eq!(app.json("hello", &[], "").await.text(), r#""Hello World""#);
    assert_eq!(app.json("echo", &[], r#"[1, "a", null]"#).await.text(), r#"[1,"a",null]"#);
    let by_name = app.json("getUser", &[], r#"{"userInfo": "admin"}"#).await;
    assert_eq!((by_name.status.as_u16(), by_name.json()["name"].as_str()), (200, Some("admin")));
    assert_eq!(by_name.header("content-type"), "application/json");
    assert_eq!(by_name.header("koji-version"), "1.35.3");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn errors(pool: PgPool) {
    let app = App::new(pool).await;
    let told = async |method: &str, headers: &[(&str, &str)], body: &str| {
        let mut headers = headers.to_vec();
        headers.push(("x-request-id", "r"));
        let answer = app.json(method, &headers, body).await;
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let is_challenged = answer.header("www-authenticate").starts_with("Bearer");
        assert_eq!(is_challenged, answer.status == 401, "{}", answer.text());
        answer.text()
    };
    insta::assert_snapshot!(told("nosuch", &[], "").await, @r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"Invalid method: nosuch","faultCode":1000,"requestId":"r"}"#);
    insta::assert_snapshot!(told("createUser", &[], "{}").await, @r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"admin permission required (user not logged in)","faultCode":1004,"requestId":"r"}"#);
    insta::assert_snapshot!(told("hello", &[("authorization", "Bearer wrong")], "").await, @r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Invalid token; make one with `toji create-token`, or ask an admin for one","faultCode":1002,"requestId":"r"}"#);
    insta::assert_snapshot!(told("hello", &[("authorization", "Basic x")], "").await, @r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Authorization must be 'Bearer <API token>'","faultCode":1002,"requestId":"r"}"#);
    insta::assert_snapshot!(told("hello", &[], "3").await, @r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"arguments are an object (by name) or an array (by position), not an int","faultCode":1019,"requestId":"r"}"#);
    insta::assert_snapshot!(told("getUser", &[], r#"{"x": 1}"#).await, @r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"getUser() got an unexpected keyword argument 'x'","faultCode":1019,"requestId":"r"}"#);
    assert!(told("hello", &[], "{").await.contains("the body is not JSON"));

    let bob = format!("Bearer {}", app.user("bob").await);
    assert!(told("createUser", &[("authorization", &bob)], r#"["x"]"#).await.contains(r#""status":403"#));
    let long = app.json("hello", &[], &" ".repeat(5 << 20)).await;
    assert_eq!((long.status.as_u16(), long.header("content-type")), (413, "application/problem+json"));
    let get = app.request(Method::GET, "/api/hello", &[], "").await;
    assert_eq!((get.status.as_u16(), get.header("allow")), (405, "POST"));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_write_sent_again_is_done_once(pool: PgPool) {
    let app = App::new(pool).await;
    let bearer = format!("Bearer {TOKEN}");
    let send = async |key: &str, body: &str| {
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
        let answer = app.json("createUser", &headers, body).await;
        (answer.status.as_u16(), answer.text())
    };
    let first = send("k1", r#"["one"]"#).await;
    assert_eq!(first.0, 200);
    assert_eq!(send("k1", r#"["one"]"#).await, first);
    assert_eq!(send("k1", r#"["two"]"#).await.0, 409);
    assert_eq!(send("k2", r#"["one"]"#).await.0, 400, "it is there already");
    assert_eq!(send(&"k".repeat(201), r#"["three"]"#).await.0, 400);
}
