//! Changes between repos: only what changed is made anew, and nobody can tell.

use std::collections::{BTreeSet, HashSet};

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use toji_protocol::object_key;

use super::{Got, Repos};

/// Sources, enough for some chunks.
const SOURCES: u32 = 160;

/// A change of what is in the tag `r`, which inherits from `p` and `q`.
#[derive(Clone, Debug)]
enum Change {
    Tag(u32),
    Untag(u32),
    Block(u32),
    Unblock(u32),
    Inherit(bool, bool),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (0..SOURCES).prop_map(Change::Tag),
        4 => (0..SOURCES).prop_map(Change::Untag),
        2 => (0..SOURCES).prop_map(Change::Block),
        2 => (0..SOURCES).prop_map(Change::Unblock),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(p, q)| Change::Inherit(p, q)),
    ]
}

impl Change {
    /// Does it; what is refused changes nothing.
    async fn apply(&self, repos: &Repos) {
        let world = &repos.farm.world;
        let (method, arguments) = match self {
            // the one of r, or that of an ancestor
            Change::Tag(n) => (
                "tagBuildBypass",
                json!({"tag": "r", "build": format!("made-up-{n}-1.{}-1.fc42", n % 3), "force": true}),
            ),
            Change::Untag(n) => {
                let build = format!("made-up-{n}-1.{}-1.fc42", n % 3);
                ("untagBuildBypass", json!({"tag": "r", "build": build, "strict": false}))
            }
            Change::Block(n) => ("packageListBlock", json!({"taginfo": "r", "pkginfo": format!("made-up-{n}")})),
            Change::Unblock(n) => ("packageListUnblock", json!({"taginfo": "r", "pkginfo": format!("made-up-{n}")})),
            Change::Inherit(p, q) => {
                let mut links = Vec::new();
                for (parent, wanted, priority) in [("p", *p, 10), ("q", *q, 5)] {
                    if wanted {
                        let id = world.ok("getTag", json!({"tagInfo": parent})).await["id"].clone();
                        links.push(
                            json!({"parent_id": id, "priority": priority, "maxdepth": null, "intransitive": false,
                            "noconfig": false, "pkg_filter": ""}),
                        );
                    }
                }
                ("setInheritanceData", json!({"tag": "r", "data": links, "clear": true}))
            }
        };
        let _ = world.attempt(method, arguments, crate::world::start()).await;
    }
}

/// The packages that a repo lists, as `name-version-release.arch`.
fn listed(got: &Got) -> BTreeSet<String> {
    let paths = got.texts["primary"].split("<location href=\"").skip(1);
    let names = paths.map(|rest| rest.split('"').next().unwrap().rsplit('/').next().unwrap());
    names.map(|name| name.trim_end_matches(".rpm").to_owned()).collect()
}

/// The same as the hub's list says.
async fn tagged(repos: &Repos) -> BTreeSet<String> {
    let found = repos.farm.world.ok("getLatestRPMS", json!({"tag": "r"})).await;
    let text = |rpm: &Value, field: &str| rpm[field].as_str().unwrap().to_owned();
    let nvra = |rpm: &Value| {
        format!("{}-{}-{}.{}", text(rpm, "name"), text(rpm, "version"), text(rpm, "release"), text(rpm, "arch"))
    };
    found[0].as_array().unwrap().iter().map(nvra).collect()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn two_hundred_changes(options: PgPoolOptions, connect: PgConnectOptions) {
    let repos = Repos::new(options, connect).await;
    let world = &repos.farm.world;
    for parent in ["p", "q"] {
        world.ok("createTag", json!({"name": parent, "arches": "x86_64"})).await;
    }
    repos.fill("r", 0..SOURCES, 0).await;
    repos.fill("p", 0..SOURCES, 1).await;
    repos.fill("q", 0..SOURCES, 2).await;
    let mut runner = TestRunner::deterministic();
    for round in 0..20 {
        for _ in 0..10 {
            let change = change().new_tree(&mut runner).unwrap().current();
            change.apply(&repos).await;
        }
        let got = repos.made("r").await;
        assert_eq!(listed(&got), tagged(&repos).await, "round {round}");
        if round % 4 == 0 {
            // without frames to take over it is the same, byte for byte
            world.hub.store.delete(&object_key::repo_frames("r", got.id.into(), "x86_64")).await.unwrap();
            let anew = repos.made("r").await;
            assert_eq!(anew.texts["primary"], got.texts["primary"]);
            assert_eq!(anew.texts["filelists"], got.texts["filelists"]);
            assert_eq!(anew.texts["other"], got.texts["other"]);
        }
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn one_build_touches_one_chunk(options: PgPoolOptions, connect: PgConnectOptions) {
    let repos = Repos::new(options, connect).await;
    repos.fill("r", 0..400, 1).await;
    let first = repos.made("r").await;
    let before = repos.frames("r", first.id).await;
    assert!(before.chunks.len() > 8, "{}", before.chunks.len());
    repos.fill("r", 7..8, 2).await;
    let second = repos.made("r").await;
    let after = repos.frames("r", second.id).await;
    let ids = |index: &toji_repodata::repo::FrameIndex| {
        index.chunks.iter().map(|chunk| chunk.id.clone()).collect::<HashSet<_>>()
    };
    assert_eq!(ids(&after).difference(&ids(&before)).count(), 1);
    assert_ne!(first.texts["primary"], second.texts["primary"]);

    // nothing changed: no file is written
    let files = repos.data_files("r").await;
    let third = repos.made("r").await;
    assert!(third.id != second.id && third.texts == second.texts);
    assert_eq!(repos.data_files("r").await, files);

    // the first one of a tag that inherits takes over its parent's
    let world = &repos.farm.world;
    world.ok("createTag", json!({"name": "child", "arches": "x86_64", "parent": "r"})).await;
    let child = repos.made("child").await;
    assert_eq!(child.texts["primary"], third.texts["primary"]);
    assert_eq!(repos.frames("child", child.id).await, repos.frames("r", third.id).await);

    // data that is gone, or is not what it should be, is made anew
    for damage in [None, Some("not what it was")] {
        for key in repos.data_files("r").await {
            match damage {
                None => world.hub.store.delete(&key).await.unwrap(),
                Some(text) => world.hub.store.put(&key, text, "text/plain").await.unwrap(),
            }
        }
        repos.fill("r", 9..10, if damage.is_some() { 4 } else { 3 }).await;
        let mended = repos.made("r").await;
        assert_eq!(listed(&mended), tagged(&repos).await);
    }
}
