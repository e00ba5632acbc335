//! Every list that can be asked for as it was at an event.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::edits::PASSING;
use crate::world::World;

/// A list: the method and its arguments, but for the event.
pub(super) type List = (&'static str, Value);

pub(super) fn all() -> Vec<List> {
    vec![
        ("listTagged", json!({"tag": "top", "inherit": true})),
        ("listTagged", json!({"tag": "top", "inherit": true, "latest": true})),
        ("listTagged", json!({"tag": "three", "inherit": true, "latest": 2, "extra": true})),
        ("listTagged", json!({"tag": "one", "package": "a"})),
        ("listTaggedRPMS", json!({"tag": "top", "inherit": true})),
        ("listTaggedArchives", json!({"tag": "two"})),
        ("getLatestBuilds", json!({"tag": "two"})),
        ("getLatestRPMS", json!({"tag": "one", "arch": "x86_64"})),
        ("listPackages", json!({"tagID": "top", "inherited": true})),
        ("listPackages", json!({"tagID": "top", "inherited": true, "with_dups": true})),
        ("listPackages", json!({"pkgID": "a", "with_blocked": false})),
        ("listPackages", json!({"userID": "bob"})),
        ("getPackageConfig", json!({"tag": "top", "pkg": "b"})),
        ("getTagGroups", json!({"tag": "top"})),
        ("getTagGroups", json!({"tag": "three", "incl_blocked": true})),
        ("getTag", json!({"tagInfo": "one", "blocked": true})),
        ("getTag", json!({"tagInfo": PASSING})),
        ("getInheritanceData", json!({"tag": "top"})),
        ("getFullInheritance", json!({"tag": "top"})),
        ("getFullInheritance", json!({"tag": "base", "reverse": true})),
        ("getBuildConfig", json!({"tag": "top"})),
        ("getBuildConfig", json!({"tag": PASSING})),
        ("getExternalRepoList", json!({"tag_info": "top"})),
        ("getTagExternalRepos", json!({})),
        ("listExternalRepos", json!({})),
        ("getExternalRepo", json!({"info": "ext"})),
        ("getBuildTargets", json!({})),
        ("getBuildTarget", json!({"info": "target"})),
        ("getHost", json!({"hostInfo": "builder"})),
    ]
}

/// What a list shows: at an event, or now. A fault is an answer, too.
pub(super) async fn read(world: &World, list: &List, event: Option<i64>) -> Value {
    let (method, mut arguments) = list.clone();
    if let Some(event) = event {
        arguments["event"] = json!(event);
    }
    match world.call(method, arguments.clone()).await {
        Ok(answer) => steady(method, answer),
        Err(error) => {
            assert_eq!(error.fault_code(), 1000, "{method}({arguments}): {error:?}");
            json!({"fault": error.to_string()})
        }
    }
}

/// Without what has no history.
fn steady(method: &str, mut answer: Value) -> Value {
    if method == "getHost" && answer.is_object() {
        for name in ["ready", "task_load", "update_time", "update_ts"] {
            answer.as_object_mut().unwrap().remove(name);
        }
    }
    answer
}

/// Every live row of every versioned table, as the history tells it: now, with the names of what is no longer so left out.
pub(super) async fn live_rows(world: &World) -> BTreeMap<String, Vec<String>> {
    rows(&world.ok("queryHistory", json!({"active": true})).await, |_| true)
}

/// The same for a past event, from the whole history.
pub(super) fn live_rows_at(history: &Value, event: i64) -> BTreeMap<String, Vec<String>> {
    rows(history, |row| {
        let revoked = row["revoke_event"].as_i64();
        row["create_event"].as_i64().unwrap() <= event && revoked.is_none_or(|revoked| event < revoked)
    })
}

fn rows(history: &Value, is_live: impl Fn(&Value) -> bool) -> BTreeMap<String, Vec<String>> {
    let mut tables = BTreeMap::new();
    for (table, rows) in history.as_object().unwrap() {
        let mut live: Vec<String> = Vec::new();
        for row in rows.as_array().unwrap().iter().filter(|row| is_live(row)) {
            let mut row = row.clone();
            for name in ["active", "revoke_event", "revoker_id", "revoker_name", "revoke_ts"] {
                row.as_object_mut().unwrap().remove(name);
            }
            live.push(row.to_string());
        }
        live.sort();
        tables.insert(table.clone(), live);
    }
    tables
}
