//! A hub with an admin, and how the tests call it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::{
    Hub,
    call::{Auth, Request},
    config::{Config, Issued, QueueCredentials},
    error::Error,
    user,
};
use toji_protocol::{
    id::HostId,
    queue::{QueueAccess, Queues},
    queue_name::QueueUrls,
};
use toji_store::{Store, StoreAccess};

/// A hub, and who calls it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) pool: PgPool,
    token: Option<Arc<str>>,
}

struct NoCredentials;

impl QueueCredentials for NoCredentials {
    fn issue(&self, _host: HostId, urls: QueueUrls) -> Issued<'_> {
        Box::pin(async move { Ok(urls) })
    }
}

/// The time of every call; what must lie in order does so by events.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

impl World {
    /// A hub whose S3 and SQS are nowhere: nothing here needs them, and messages stay in the outbox.
    pub(crate) async fn new(pool: PgPool) -> Self {
        Self::with(pool, Config::default()).await
    }

    /// The same, with settings.
    pub(crate) async fn with(pool: PgPool, config: Config) -> Self {
        let nowhere = Some("http://127.0.0.1:1".to_owned());
        let credentials = Some(aws_credential_types::Credentials::from_keys("test", "test", None));
        let region = "us-east-1".to_owned();
        let store = StoreAccess {
            endpoint: nowhere.clone(),
            region: region.clone(),
            credentials: credentials.clone(),
            bucket: "toji".to_owned(),
        };
        let queues = QueueAccess { endpoint: nowhere, region, credentials }.client().await;
        let hub = Hub::new(
            pool.clone(),
            Store::connect(&store).await,
            Queues::new(queues, "toji-"),
            Box::new(NoCredentials),
            config,
        );
        user::bootstrap_admin(&hub, "admin", "the admin's token", now()).await.unwrap();
        Self { hub, pool, token: Some("the admin's token".into()) }
    }

    /// The same hub, called by nobody.
    pub(crate) fn nobody(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// The same hub, called by a new user with these permissions.
    pub(crate) async fn user(&self, name: &str, perms: &[&str]) -> Self {
        self.ok("createUser", json!({"username": name})).await;
        for perm in perms {
            self.ok("grantPermission", json!({"userinfo": name, "permission": perm, "create": true})).await;
        }
        let token = self.ok("createToken", json!({"user": name})).await;
        Self { token: token["token"].as_str().map(Into::into), ..self.clone() }
    }

    /// The same hub, called by a new builder.
    pub(crate) async fn builder(&self, name: &str) -> Self {
        let enrolled = self.ok("enrolHost", json!({"name": name, "arches": ["x86_64"]})).await;
        Self { token: enrolled["token"].as_str().map(Into::into), ..self.clone() }
    }

    /// Calls a method with named arguments.
    pub(crate) async fn call(&self, method: &str, arguments: Value) -> Result<Value, Error> {
        let auth = match &self.token {
            Some(token) => Auth::Bearer(token.to_string()),
            None => Auth::Nobody,
        };
        let request = Request {
            method: method.to_owned(),
            positional: Vec::new(),
            named: serde_json::from_value(arguments).unwrap(),
            auth,
            idempotency_key: None,
            now: now(),
        };
        let reply = self.hub.call(request).await?;
        Ok(serde_json::to_value(&*reply).unwrap())
    }

    /// Calls a method that must succeed.
    pub(crate) async fn ok(&self, method: &str, arguments: Value) -> Value {
        match self.call(method, arguments.clone()).await {
            Ok(reply) => reply,
            Err(error) => panic!("{method}({arguments}) failed: {error:?}"),
        }
    }

    /// Calls a method that must fail; answers the fault's number and text.
    pub(crate) async fn fault(&self, method: &str, arguments: Value) -> (i32, String) {
        match self.call(method, arguments.clone()).await {
            Ok(reply) => panic!("{method}({arguments}) answered {reply}"),
            Err(error) => (error.fault_code(), error.to_string()),
        }
    }

    /// The newest event.
    pub(crate) async fn last_event(&self) -> i64 {
        sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM events").fetch_one(&self.pool).await.unwrap()
    }

    /// Makes tags of these names.
    pub(crate) async fn tags(&self, names: &[&str]) {
        for name in names {
            self.ok("createTag", json!({"name": name, "arches": "x86_64"})).await;
        }
    }

    /// A tag's id.
    pub(crate) async fn tag_id(&self, name: &str) -> i64 {
        self.ok("getTagID", json!({"info": name, "strict": true})).await.as_i64().unwrap()
    }

    /// Makes `child` inherit from `parent`.
    pub(crate) async fn inherit(&self, child: &str, parent: &str, priority: i32) {
        self.link(child, parent, json!({"priority": priority})).await;
    }

    /// The same, with further settings of the link.
    pub(crate) async fn link(&self, child: &str, parent: &str, mut link: Value) {
        link["parent_id"] = json!(self.tag_id(parent).await);
        self.ok("setInheritanceData", json!({"tag": child, "data": [link]})).await;
    }

    /// Puts packages into a tag's list.
    pub(crate) async fn list(&self, tag: &str, packages: &[&str]) {
        for package in packages {
            self.ok("packageListAdd", json!({"taginfo": tag, "pkginfo": package, "owner": "admin"})).await;
        }
    }

    /// Tags a build.
    pub(crate) async fn tag_build(&self, tag: &str, nvr: &str) {
        self.ok("tagBuildBypass", json!({"tag": tag, "build": nvr})).await;
    }

    /// The name-version-releases of a call that lists builds.
    pub(crate) async fn nvrs(&self, method: &str, arguments: Value) -> Vec<String> {
        column(&self.ok(method, arguments).await, "nvr")
    }

    /// A complete build with one source RPM and one binary RPM: rows as an import leaves them.
    pub(crate) async fn build(&self, nvr: &str) -> i64 {
        self.build_in_state(nvr, 1).await
    }

    pub(crate) async fn build_in_state(&self, nvr: &str, state: i16) -> i64 {
        let mut parts = nvr.rsplitn(3, '-');
        let (release, version, name) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let build: i64 = sqlx::query_scalar(
            "WITH package AS (
                 INSERT INTO package (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id)
             INSERT INTO build (pkg_id, version, release, state, owner, create_event, start_time, completion_time)
             SELECT package.id, $2, $3, $4, 1, new_event(), $5, CASE WHEN $4 <> 0 THEN $5 END FROM package RETURNING id",
        )
        .bind(name)
        .bind(version)
        .bind(release)
        .bind(state)
        .bind(now())
        .fetch_one(&self.pool)
        .await
        .unwrap();
        sqlx::query("INSERT INTO build_types (build_id, btype_id) SELECT $1, id FROM btype WHERE name = 'rpm'")
            .bind(build)
            .execute(&self.pool)
            .await
            .unwrap();
        for arch in ["src", "x86_64"] {
            sqlx::query(
                "INSERT INTO rpminfo (build_id, name, version, release, arch, payloadhash, size, buildtime)
                 VALUES ($1, $2, $3, $4, $5, 'd41d8cd98f00b204e9800998ecf8427e', 1, 1)",
            )
            .bind(build)
            .bind(name)
            .bind(version)
            .bind(release)
            .bind(arch)
            .execute(&self.pool)
            .await
            .unwrap();
        }
        build
    }
}

/// One member of each row.
pub(crate) fn column(rows: &Value, name: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    rows.as_array().unwrap().iter().map(|row| text(&row[name])).collect()
}
