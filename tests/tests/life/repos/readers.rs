//! Repos come and go; who has begun to read one reads it to its end.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use chrono::TimeDelta;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use toji_hub::Hub;
use toji_protocol::object_key;
use toji_repo::HttpFetch;
use toji_repodata::external::Repomd;

use super::Repos;
use crate::{parents::crash_after, world::start};

/// Reads the newest repo of `r` once: every file that it names.
async fn read(hub: &Hub) {
    let key = object_key::latest_file("r", "x86_64/repodata/repomd.xml");
    let repomd = Repomd::parse(&hub.store.get(&key).await.unwrap()).unwrap();
    for record in &repomd.records {
        let name = record.href.strip_prefix("repodata/").unwrap();
        let bytes = hub.store.get(&object_key::repo_data("r", name)).await.unwrap();
        let mut reader = record.reader(bytes.as_ref()).unwrap();
        std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_reader_without_pause(options: PgPoolOptions, connect: PgConnectOptions) {
    let repos = Repos::new(options, connect).await;
    repos.fill("r", 0..100, 0).await;
    repos.made("r").await;
    let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let reader = tokio::spawn({
        let (hub, stop, reads) = (repos.farm.world.hub.clone(), stop.clone(), reads.clone());
        async move {
            while !stop.load(Ordering::Relaxed) {
                read(&hub).await;
                reads.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let mut now = start();
    let mut deleted = 0;
    for version in 1..=100 {
        let number = version % 100;
        repos.fill("r", number..number + 1, version).await;
        let task = repos.farm.world.ok_at("newRepo", json!({"tag": "r"}), now).await.as_i64().unwrap();
        repos.farm.pump(1, now).await;
        assert_eq!(repos.farm.world.state(task).await, 2);
        // each goes when the fourth after it comes
        now += TimeDelta::days(4);
        deleted += repos.pass(now).await.deleted;
    }
    stop.store(true, Ordering::Relaxed);
    reader.await.unwrap();
    let reads = reads.load(Ordering::Relaxed);
    eprintln!("{reads} reads, {deleted} repos deleted");
    assert!(reads > 20 && deleted > 80, "{reads} reads, {deleted} deleted");
    // of the files of a hundred repos, those of the last few are left
    let files = repos.data_files("r").await.len();
    assert!(files < 40, "{files} files are left");
    assert_eq!(repos.farm.world.count("SELECT count(*) FROM repo_data WHERE deleting").await, 0);
}

/// The function dies at any step; what is published is always whole, and the next one ends the work.
#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_function_that_dies_anywhere(options: PgPoolOptions, connect: PgConnectOptions) {
    let repos = Repos::new(options, connect).await;
    let (world, fetch) = (&repos.farm.world, HttpFetch::new().unwrap());
    repos.fill("r", 0..120, 0).await;
    repos.made("r").await;
    let mut crashes = 0;
    for version in 1.. {
        repos.fill("r", 0..1, version).await;
        let (task, message) = repos.begin("r").await;
        // later and later, so that each of its steps is met
        let polls = version as usize;
        let has_ended = crash_after(polls, toji_repo::handle(&world.hub, &message, start(), &fetch)).await;
        read(&world.hub).await;
        let is_ready = world.state(task).await == 2;
        assert!(!has_ended || is_ready);
        toji_repo::handle(&world.hub, &message, start(), &fetch).await.unwrap();
        assert_eq!(world.state(task).await, 2, "after {polls} polls");
        let got = repos.newest("r").await;
        assert!(got.texts["primary"].contains(&format!("made-up-0-1.{version}-1.fc42.x86_64.rpm")));
        read(&world.hub).await;
        if has_ended {
            break;
        }
        crashes += 1;
        assert!(crashes < 2000, "it does not end");
    }
    eprintln!("it died at {crashes} places");
    assert!(crashes > 10, "{crashes}");
}
