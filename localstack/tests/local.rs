//! The whole, started and stopped; and what its cloud gives to whom.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{path::Path, time::Duration};

use chrono::Utc;
use sqlx::PgPool;
use toji_hub::tag::Quirks;
use toji_local::{Local, Parts, Settings, cloud::Cloud};
use toji_protocol::{
    client::Client,
    id::{ChannelId, HostId},
    method::{system::Hello, tag::CreateTag},
    queue::{Listener, QueueAccess},
    queue_name::{Bin, BinQueue, QueueName, QueueUrls},
    value::{Map, Value},
};

const TOKEN: &str = "a-token-of-the-admin";

async fn settings(pool: &PgPool, data: &Path) -> Settings {
    let database: String = sqlx::query_scalar("SELECT current_database()").fetch_one(pool).await.unwrap();
    let url = std::env::var("DATABASE_URL").unwrap();
    // what follows a question mark may name the folder of Postgres's socket
    let (place, options) =
        url.split_once('?').map_or((url.as_str(), String::new()), |(place, options)| (place, format!("?{options}")));
    let (server, _) = place.rsplit_once('/').unwrap();
    Settings {
        parts: Parts::All,
        listen: ([127, 0, 0, 1], 0).into(),
        database_url: format!("{server}/{database}{options}"),
        data: data.to_owned(),
        admin: "admin".to_owned(),
        admin_token: TOKEN.to_owned(),
        aws_endpoint: None,
        demo_repo: Some(data.to_owned()),
        smtp_url: None,
        lease: None,
        policies: toji_hub::policy::PolicyFile::default(),
        hooks: toji_hub::callback::Settings::default(),
        keyring: toji_keyring::Keyring::default(),
        signing_user_id: None,
        quirks: Quirks::Koji,
        builder: None,
    }
}

// without migrations: it brings its database up to date itself
#[sqlx::test(migrations = false)]
async fn everything_is_there_again_after_a_restart(pool: PgPool) {
    let dir = tempfile::tempdir().unwrap();
    let first = Local::start(settings(&pool, dir.path()).await).await.unwrap();
    let client = Client::new(&first.server_url, Some(TOKEN)).unwrap();
    assert_eq!(client.call(&Hello { args: vec![] }).await.unwrap(), "Hello World");
    let mut arguments = Map::new();
    arguments.insert("name".to_owned(), Value::from("demo"));
    let tag = client.call_named("createTag", arguments).await.unwrap();
    first.hub.store.put("packages/a", "kept", "text/plain").await.unwrap();
    let queue = first.hub.queues.url(&QueueName::Coordinator).await.unwrap();
    let second_start = Local::start(settings(&pool, dir.path()).await).await;
    assert!(second_start.is_err(), "two cannot have the same data");
    first.stop().await;

    let second = Local::start(settings(&pool, dir.path()).await).await.unwrap();
    let client = Client::new(&second.server_url, None).unwrap();
    let mut arguments = Map::new();
    arguments.insert("tagInfo".to_owned(), Value::from("demo"));
    let found = client.call_named("getTag", arguments).await.unwrap();
    assert_eq!(found.get("id"), Some(&tag));
    assert_eq!(second.hub.store.get("packages/a").await.unwrap(), "kept");
    assert_eq!(second.hub.queues.url(&QueueName::Coordinator).await.unwrap(), queue, "builders know it by this URL");
    std::fs::write(dir.path().join("greeting"), "hello").unwrap();
    let file = client.download(&format!("{}/minidistro/greeting", second.server_url), 2).await.unwrap();
    assert_eq!(file.unwrap().chunk().await.unwrap().unwrap(), "llo");
    second.stop().await;
}

#[sqlx::test(migrations = false)]
async fn connections_that_postgres_has_closed_are_not_used(pool: PgPool) {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(settings(&pool, dir.path()).await).await.unwrap();
    let client = Client::new(&local.server_url, Some(TOKEN)).unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::query(kill).execute(&pool).await.unwrap();
    // sent again by itself where it meets a dead one
    let create = CreateTag {
        name: "demo".to_owned(),
        parent: None,
        arches: None,
        perm: None,
        locked: false,
        maven_support: false,
        maven_include_all: false,
        extra: None,
    };
    client.call(&create).await.unwrap();
    local.stop().await;
}

#[tokio::test]
async fn a_builder_may_only_listen_at_its_own_queues() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::serve(dir.path()).await.unwrap();
    let queues = cloud.queues().await;
    let bin = Bin::new(ChannelId(1), "x86_64");
    let own = queues.url(&QueueName::Host(HostId(7))).await.unwrap();
    let other = queues.url(&QueueName::Host(HostId(71))).await.unwrap();
    let rung = queues.url(&QueueName::Bin(bin.clone())).await.unwrap();
    let urls = QueueUrls {
        endpoint: None,
        region: String::new(),
        own: own.clone(),
        bins: vec![BinQueue { bin: bin.clone(), url: rung.clone() }],
        access_key_id: String::new(),
        secret_access_key: String::new(),
        session_token: None,
        expires_ts: None,
    };
    let issued = cloud.queue_credentials().issue(HostId(7), urls).await.unwrap();
    assert!(issued.expires_ts.unwrap() > Utc::now().timestamp() as f64);
    let keys = aws_credential_types::Credentials::from_keys(
        issued.access_key_id,
        issued.secret_access_key,
        issued.session_token,
    );
    let access = QueueAccess { endpoint: issued.endpoint, region: issued.region, credentials: Some(keys) };
    let client = access.client().await;

    queues.send(&QueueName::Bin(bin), &["ring".to_owned()]).await.unwrap();
    let bell = Listener::new(client.clone(), rung).receive(Duration::ZERO, 1).await.unwrap();
    assert_eq!(bell[0].body, "ring");
    assert!(Listener::new(client.clone(), own).receive(Duration::ZERO, 1).await.unwrap().is_empty());
    assert!(Listener::new(client, other).receive(Duration::ZERO, 1).await.is_err());
    cloud.stop().await;
}
