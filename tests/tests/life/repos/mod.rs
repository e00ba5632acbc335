//! Repos of many packages: what is in them, what is made anew, and what a reader sees meanwhile.

mod changes;
mod external;
mod readers;
mod same;

use std::{collections::BTreeMap, io::Read, path::Path};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use toji_protocol::{object_key, queue_name::QueueName, state::TaskState};
use toji_repodata::{
    external::Repomd,
    repo::{DataKind, FrameIndex},
};
use toji_tests::made_up::{self, MadeUp, MadeUpBuild};

use crate::{
    parents::{Farm, advance},
    world::start,
};

/// A hub with a tag `r` of one architecture, and packages to put into it.
pub(crate) struct Repos {
    pub(crate) farm: Farm,
    pub(crate) made_up: MadeUp,
}

/// A repo of an architecture, as a reader gets it.
pub(crate) struct Got {
    pub(crate) id: i64,
    pub(crate) repomd: Repomd,
    /// Plain texts, by kind.
    pub(crate) texts: BTreeMap<String, String>,
}

impl Repos {
    pub(crate) async fn new(options: PgPoolOptions, connect: PgConnectOptions) -> Self {
        let farm = Farm::new(options, connect).await;
        farm.world.ok("createTag", json!({"name": "r", "arches": "x86_64"})).await;
        Self { farm, made_up: MadeUp::new() }
    }

    /// Tags made-up builds of these numbers.
    pub(crate) async fn fill(&self, tag: &str, numbers: std::ops::Range<u32>, version: u32) -> Vec<MadeUpBuild> {
        let builds: Vec<MadeUpBuild> = numbers.map(|number| self.made_up.build(number, version)).collect();
        let mut conn = self.farm.world.pool.acquire().await.unwrap();
        made_up::insert(&mut conn, tag, &builds).await;
        builds
    }

    /// Asks for a new repo of a tag; answers its task.
    pub(crate) async fn ask(&self, tag: &str) -> i64 {
        self.farm.world.ok("newRepo", json!({"tag": tag})).await.as_i64().unwrap()
    }

    /// Makes a new repo of a tag; answers how its task ended.
    pub(crate) async fn attempt(&self, tag: &str) -> (TaskState, Value) {
        let task = self.ask(tag).await;
        self.farm.pump(1, start()).await;
        let row = self.farm.world.task(task).await;
        (TaskState::from_number(row["state"].as_i64().unwrap()).unwrap(), row["result"].clone())
    }

    /// Begins a new repo of a tag; answers its task, and the message that has the repo function make it.
    pub(crate) async fn begin(&self, tag: &str) -> (i64, String) {
        let world = &self.farm.world;
        let task = self.ask(tag).await;
        world.take(&QueueName::Coordinator).await;
        advance(world, task.into(), start()).await.unwrap();
        (task, world.take(&QueueName::Repo).await.pop().unwrap())
    }

    /// The newest repo of a tag that is READY, whole.
    pub(crate) async fn newest(&self, tag: &str) -> Got {
        let repo = self.farm.world.ok("getRepo", json!({"tag": tag})).await;
        let id = repo["id"].as_i64().unwrap();
        let key = object_key::repo_file(tag, id.into(), "x86_64/repodata/repomd.xml");
        self.read(tag, id, &key).await
    }

    /// Makes a new repo of a tag, and reads it whole.
    pub(crate) async fn made(&self, tag: &str) -> Got {
        let (state, result) = self.attempt(tag).await;
        assert_eq!(state, TaskState::Closed, "{result}");
        let got = self.newest(tag).await;
        let latest = object_key::latest_file(tag, "x86_64/repodata/repomd.xml");
        assert_eq!(self.read(tag, got.id, &latest).await.texts, got.texts, "latest is the newest");
        got
    }

    /// Reads a repo from its `repomd.xml` on; every checksum and size must be right.
    async fn read(&self, tag: &str, id: i64, key: &str) -> Got {
        let store = &self.farm.world.hub.store;
        let repomd = Repomd::parse(&store.get(key).await.unwrap()).unwrap();
        let mut texts = BTreeMap::new();
        for record in &repomd.records {
            let name = record.href.strip_prefix("repodata/").unwrap();
            let bytes = store.get(&object_key::repo_data(tag, name)).await.unwrap();
            assert_eq!(record.size, Some(bytes.len() as u64));
            assert!(record.checksum.algorithm == "sha256" && record.open_checksum.is_some());
            let mut text = String::new();
            record.reader(bytes.as_ref()).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(record.open_size, Some(text.len() as u64), "{}", record.kind);
            texts.insert(record.kind.clone(), text);
        }
        Got { id, repomd, texts }
    }

    /// Writes the newest repo of a tag into a folder, as a mirror would.
    pub(crate) async fn mirror(&self, tag: &str, id: i64, to: &Path) {
        let store = &self.farm.world.hub.store;
        let repodata = to.join("repodata");
        std::fs::create_dir_all(&repodata).unwrap();
        let key = object_key::repo_file(tag, id.into(), "x86_64/repodata/repomd.xml");
        let bytes = store.get(&key).await.unwrap();
        for record in Repomd::parse(&bytes).unwrap().records {
            let name = record.href.strip_prefix("repodata/").unwrap();
            let data = store.get(&object_key::repo_data(tag, name)).await.unwrap();
            std::fs::write(repodata.join(name), data).unwrap();
        }
        std::fs::write(repodata.join("repomd.xml"), bytes).unwrap();
    }

    /// The frames of a repo.
    pub(crate) async fn frames(&self, tag: &str, id: i64) -> FrameIndex {
        let json = self.farm.world.hub.store.get(&object_key::repo_frames(tag, id.into(), "x86_64")).await.unwrap();
        serde_json::from_slice(&json).unwrap()
    }

    /// The data files of a tag.
    pub(crate) async fn data_files(&self, tag: &str) -> Vec<String> {
        let store = &self.farm.world.hub.store;
        store.list(&object_key::repo_data(tag, "")).await.unwrap().into_iter().map(|object| object.key).collect()
    }

    /// Runs the pass of repos.
    pub(crate) async fn pass(&self, now: DateTime<Utc>) -> toji_hub::repo::passes::Passed {
        toji_hub::repo::passes::run_once(&self.farm.world.hub, now).await.unwrap()
    }
}

impl Got {
    /// The text of a kind.
    pub(crate) fn text(&self, kind: DataKind) -> &str {
        &self.texts[kind.name()]
    }
}
