//! External repos are watched: what changes there leads to new repos, and what is dead stops nobody.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use toji_hub::{
    config::Config,
    external_repo::watch::{self, Looked},
    repo::{Downloaded, Fetch, Fetched},
};
use toji_protocol::queue_name::QueueName;

use crate::world::{World, start};

/// What is to be read outside. Somebody may say nothing at all.
#[derive(Default)]
struct Outside {
    pages: Mutex<BTreeMap<String, String>>,
    asked: Mutex<Vec<String>>,
}

impl Outside {
    fn says(&self, url: &str, times: &[u64]) {
        let data = times.iter().map(|time| {
            format!(
                "<data type=\"primary\"><location href=\"repodata/p\"/><checksum type=\"sha256\">00</checksum>\
                 <timestamp>{time}</timestamp></data>"
            )
        });
        let page =
            format!("<repomd xmlns=\"http://linux.duke.edu/metadata/repo\">{}</repomd>", data.collect::<String>());
        self.page(url, &page);
    }

    fn page(&self, url: &str, page: &str) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.insert(format!("{url}/repodata/repomd.xml"), page.to_owned());
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner));
        asked.sort();
        asked
    }
}

impl Fetch for Outside {
    fn fetch<'a>(&'a self, url: &'a str) -> Fetched<'a> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(url.to_owned());
        let page = self.pages.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned();
        Box::pin(async move {
            if url.contains("silent") {
                std::future::pending::<()>().await;
            }
            page.map(Bytes::from).ok_or_else(|| "404".to_owned())
        })
    }

    fn download<'a>(&'a self, url: &'a str, _to: &'a Path) -> Downloaded<'a> {
        Box::pin(async move { Err(format!("{url}: who only looks downloads nothing")) })
    }
}

async fn attach(world: &World, name: &str, url: &str, tag: &str, arches: Option<&str>) {
    world.ok("createExternalRepo", json!({"name": name, "url": url})).await;
    let priority = world.count("SELECT count(*) FROM external_repo").await;
    let arguments = json!({"tag_info": tag, "repo_info": name, "priority": priority, "arches": arches});
    world.ok("addExternalRepoToTag", arguments).await;
}

async fn world(options: PgPoolOptions, connect: &PgConnectOptions) -> World {
    let config = Config { sleeps: true, ..Config::default() };
    let world = World::with(options.connect_with(connect.clone()).await.unwrap(), config).await;
    world.ok("createTag", json!({"name": "base", "arches": "x86_64 aarch64"})).await;
    let extra = json!({"repo.auto": true, "repo.lag": 0});
    world.ok("createTag", json!({"name": "auto", "arches": "i686 noarch", "parent": "base", "extra": extra})).await;
    world
}

async fn data(world: &World, repo: &str) -> Value {
    world.ok("repo.getExternalRepoData", json!({"erepo": repo})).await
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_changes_outside_is_noted(options: PgPoolOptions, connect: PgConnectOptions) {
    let world = world(options, &connect).await;
    attach(&world, "one", "http://one/$arch/", "base", None).await;
    attach(&world, "two", "http://two/", "base", None).await;
    attach(&world, "listed", "http://listed/$arch/", "base", Some("x86_64 s390x")).await;
    attach(&world, "gone", "http://gone/", "base", None).await;
    attach(&world, "silent", "http://silent/", "base", None).await;
    attach(&world, "broken", "http://broken/", "auto", None).await;
    world.ok("createExternalRepo", json!({"name": "unused", "url": "http://unused/"})).await;
    let outside = Outside::default();
    for (url, times) in [
        ("http://one/aarch64", &[3, 4][..]),
        ("http://one/i386", &[2]),
        ("http://one/x86_64", &[5]),
        ("http://two", &[1]),
        ("http://listed/x86_64", &[]),
    ] {
        outside.says(url, times);
    }
    outside.page("http://broken", "<html>");
    let run = async || watch::run_once(&world.hub, start(), &outside).await.unwrap();
    assert_eq!(run().await, Looked { repos: 6, dead: 3, changed: 3 });
    let file = "repodata/repomd.xml";
    let urls = ["broken", "gone", "listed/x86_64", "one/aarch64", "one/i386", "one/x86_64", "silent", "two"];
    assert_eq!(outside.asked(), urls.map(|url| format!("http://{url}/{file}")));
    assert_eq!(data(&world, "one").await["max_ts"], 5);
    assert_eq!((&data(&world, "two").await["max_ts"], &data(&world, "listed").await["max_ts"]), (&json!(1), &json!(0)));
    assert_eq!(data(&world, "gone").await, Value::Null);

    // the same again is not written again
    let before = world.count("SELECT max(id) FROM events").await;
    assert_eq!(run().await, Looked { repos: 6, dead: 3, changed: 0 });
    assert_eq!(world.count("SELECT max(id) FROM events").await, before);

    // what is older than before is a change, too; and it leads to a repo
    for body in world.take(&QueueName::Coordinator).await {
        assert!(body.contains("tags"), "{body}");
    }
    outside.says("http://two", &[0]);
    assert_eq!(run().await.changed, 1);
    assert_eq!(data(&world, "two").await["max_ts"], 1);
    let told = world.take(&QueueName::Coordinator).await;
    assert_eq!(told, ["{\"tags\":[1]}"]);
    toji_hub::repo::auto::changed(&world.hub, &[toji_protocol::id::TagId(1)], start()).await.unwrap();
    let queue = world.ok("repo.queryQueue", json!({"fields": ["tag_name"]})).await;
    assert_eq!(queue, json!([{"tag_name": "auto"}]));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn several_at_once_note_it_once(options: PgPoolOptions, connect: PgConnectOptions) {
    let world = world(options, &connect).await;
    attach(&world, "one", "http://one/", "base", None).await;
    let outside = Outside::default();
    for round in 1..=5 {
        outside.says("http://one", &[round]);
        let looks = join_all((0..4).map(|_| watch::run_once(&world.hub, start(), &outside))).await;
        let changed: usize = looks.into_iter().map(|looked| looked.unwrap().changed).sum();
        assert_eq!(changed, 1);
        assert_eq!(world.count("SELECT count(*) FROM external_repo_data").await, round as i64);
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_database_that_sleeps_is_woken_by_a_change_alone(options: PgPoolOptions, connect: PgConnectOptions) {
    let world = world(options, &connect).await;
    attach(&world, "one", "http://one/", "base", None).await;
    let outside = Outside::default();
    outside.says("http://one", &[1]);
    assert_eq!(watch::run_once(&world.hub, start(), &outside).await.unwrap().changed, 1);
    let look = async |minute: i64| {
        let config = Config { sleeps: true, ..Config::default() };
        let hub = world.function(&connect, config).await;
        let looked = watch::run_once(&hub, start() + TimeDelta::minutes(minute), &outside).await.unwrap();
        assert_eq!(looked.repos, 1);
        let is_connected = hub.pool.size() > 0;
        hub.close().await;
        (looked.changed, is_connected)
    };
    assert_eq!(look(5).await, (0, true), "something was written, so what is used may have changed");
    assert_eq!(look(20).await, (0, false));
    assert_eq!(look(21).await, (0, false));
    outside.says("http://one", &[2]);
    assert_eq!(look(22).await, (1, true));
    // which has told the passes to look
    assert_eq!(look(23).await, (0, true));
    assert_eq!(look(40).await, (0, false));
}
