//! The API with everything it stands on, for one test.

use anyhow::Result;
use axum::{
    Router,
    body::{Body, BodyDataStream, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use bytes::Bytes;
use chrono::Utc;
use sqlx::PgPool;
use toji_hub::{Hub, config::Config};
use toji_local::cloud::Cloud;
use toji_protocol::{
    value::{Map, Value},
    xmlrpc::{Fault, decode_response, encode_call, join_named},
};
use tower::ServiceExt;

pub(crate) const ADMIN: &str = "admin";
pub(crate) const TOKEN: &str = "the-admins-token";

/// More than any answer has.
const LARGEST: usize = 256 << 20;

pub(crate) struct App {
    pub(crate) hub: Hub,
    pub(crate) router: Router,
    _cloud: Cloud,
    _dir: tempfile::TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

impl App {
    pub(crate) async fn new(pool: PgPool) -> Self {
        Self::try_with(pool, Config::default()).await.unwrap()
    }

    /// With settings of its own.
    pub(crate) async fn with(pool: PgPool, config: Config) -> Self {
        Self::try_with(pool, config).await.unwrap()
    }

    async fn try_with(pool: PgPool, config: Config) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let cloud = Cloud::serve(dir.path()).await?;
        let (store, queues) = (cloud.store().await?, cloud.queues().await);
        let config = Config { topurl: "http://toji.test/kojifiles".to_owned(), ..config };
        let hub = Hub::new(pool, store, queues, cloud.queue_credentials(), config);
        toji_hub::user::bootstrap_admin(&hub, ADMIN, TOKEN, Utc::now()).await?;
        let router = toji_api::router_with_files(hub.clone());
        Ok(Self { hub, router, _cloud: cloud, _dir: dir })
    }

    /// The same over TCP, until the test ends.
    pub(crate) async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = self.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer { status: parts.status, headers: parts.headers, body: to_bytes(body, LARGEST).await.unwrap() }
    }

    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.request(Method::GET, path, headers, Body::empty()).await
    }

    pub(crate) async fn json(&self, method: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.request(Method::POST, &format!("/api/{method}"), headers, body.to_owned()).await
    }

    /// The body of a file, as it comes.
    pub(crate) async fn stream(&self, path: &str) -> BodyDataStream {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        response.into_body().into_data_stream()
    }

    /// As the admin.
    pub(crate) async fn json_ok(&self, method: &str, body: &str) -> serde_json::Value {
        let answer = self.json(method, &[("authorization", &format!("Bearer {TOKEN}"))], body).await;
        assert_eq!(answer.status, 200, "{method}: {}", answer.text());
        answer.json()
    }

    /// An XML-RPC call as nobody.
    pub(crate) async fn xml(&self, method: &str, params: Vec<Value>) -> Result<Value, Fault> {
        self.xml_as("", &[], method, params).await
    }

    pub(crate) async fn xml_as(
        &self,
        query: &str,
        headers: &[(&str, &str)],
        method: &str,
        params: Vec<Value>,
    ) -> Result<Value, Fault> {
        let document = encode_call(method, &params).unwrap();
        let path = format!("/kojihub{query}");
        let headers: Vec<_> = headers.iter().copied().chain([("content-type", "text/xml")]).collect();
        let answer = self.request(Method::POST, &path, &headers, document).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), "text/xml");
        decode_response(&answer.body).unwrap()
    }

    pub(crate) async fn login(&self) -> Session<'_> {
        let answer = self.xml("login", vec![ADMIN.into(), TOKEN.into()]).await.unwrap();
        Session::new(self, &answer)
    }

    /// A user without permissions, and its token.
    pub(crate) async fn user(&self, name: &str) -> String {
        self.json_ok("createUser", &format!(r#"{{"username": "{name}"}}"#)).await;
        let user = name.to_owned();
        let token = format!("the-token-of-{name}");
        let hash = toji_hub::call::secret_hash(&token);
        let sql = "INSERT INTO api_token (user_id, hash, create_time) SELECT id, $2, now() FROM users WHERE name = $1";
        sqlx::query(sql).bind(user).bind(hash).execute(&self.hub.pool).await.unwrap();
        token
    }
}

/// A session of Koji's.
pub(crate) struct Session<'a> {
    app: &'a App,
    pub(crate) id: i64,
    pub(crate) key: String,
}

impl<'a> Session<'a> {
    pub(crate) fn new(app: &'a App, login: &Value) -> Self {
        assert_eq!(login.get("header-auth"), Some(&Value::Bool(true)));
        let id = login.get("session-id").and_then(Value::as_int).unwrap();
        let key = login.get("session-key").and_then(Value::as_str).unwrap().to_owned();
        Self { app, id, key }
    }

    pub(crate) async fn call(&self, callnum: i64, method: &str, params: Vec<Value>) -> Result<Value, Fault> {
        let (id, callnum) = (self.id.to_string(), callnum.to_string());
        let headers = [
            ("koji-session-id", id.as_str()),
            ("koji-session-key", &self.key),
            ("koji-session-callnum", callnum.as_str()),
        ];
        self.app.xml_as("", &headers, method, params).await
    }

    /// A raw upload; the query says where.
    pub(crate) async fn upload(&self, query: &str, body: impl Into<Body>) -> Result<Value, Fault> {
        let id = self.id.to_string();
        let headers = [
            ("koji-session-id", id.as_str()),
            ("koji-session-key", &self.key),
            ("content-type", "application/octet-stream"),
        ];
        let answer = self.app.request(Method::POST, &format!("/kojihub?{query}"), &headers, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        decode_response(&answer.body).unwrap()
    }
}

pub(crate) fn named(positional: Vec<Value>, named: &[(&str, Value)]) -> Vec<Value> {
    let named: Map = named.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    join_named(positional, named)
}

/// A fault as `code: message`.
pub(crate) fn fault<T: std::fmt::Debug>(answer: Result<T, Fault>) -> String {
    let fault = answer.unwrap_err();
    format!("{}: {}", fault.code, fault.message)
}
