//! The commands of `toji`, from an empty system to a download, as people and as scripts use them.

use std::fs;

use serde_json::{Value as Json, json};
use toji_tests::{ADMIN, Golden, System, Wishes};

#[tokio::test]
async fn from_tags_to_a_download() {
    let system = System::start(Wishes::default()).await;
    let well = async |line: &str| system.toji(&line.split(' ').collect::<Vec<_>>()).await.well();
    let json = async |line: &str| well(&format!("--json {line}")).await.json();

    well("hello").await.has(&[ADMIN]);
    assert_eq!(json("call getTag demo").await["name"], "demo");
    let _ = well("add-tag f42 --arches x86_64").await;
    let _ = well("add-tag f42-build --arches x86_64").await;
    let _ = well("add-tag-inheritance f42-build f42").await;
    let _ = well("add-target f42 f42-build f42").await;
    let _ = well("add-external-repo -t f42-build minidistro").await;
    for group in ["build", "srpm-build"] {
        let _ = well(&format!("add-group f42-build {group}")).await;
        let _ = well(&format!("add-group-pkg f42-build {group} minidistro-buildroot")).await;
    }
    let _ = well(&format!("add-pkg --owner {ADMIN} f42 good")).await;

    has(&json("list-tags").await, "name", "f42-build");
    has(&json("list-targets").await, "name", "f42");
    has(&json("list-pkgs --tag f42").await, "package_name", "good");
    has(&json("list-external-repos --tag f42-build").await, "external_repo_name", "minidistro");
    has(&json("list-groups f42-build").await, "name", "srpm-build");
    has(&json("list-hosts").await, "name", "builder-0");
    has(&json("list-channels").await, "name", "default");
    well("list-tag-inheritance f42-build").await.has(&["f42"]);
    well("taginfo f42-build").await.has(&["f42-build", "minidistro"]);

    let srpm = system.srpm(&Golden::good(1)).display().to_string();
    let started = json(&format!("build --nowait f42 {srpm}")).await;
    let task = started.as_i64().or_else(|| started["task_id"].as_i64()).unwrap_or_else(|| panic!("no id in {started}"));
    well(&format!("watch-task {task}")).await.has(&["completed successfully"]);
    well("wait-repo f42-build --build good-1.0-1").await.has(&["good-1.0-1"]);

    has(&json("list-tagged f42").await, "nvr", "good-1.0-1");
    has(&json("list-tagged f42-build --inherit --latest").await, "nvr", "good-1.0-1");
    has(&json("list-builds --package good").await, "nvr", "good-1.0-1");
    has(&json("list-tasks --all").await, "method", "buildArch");
    has(&json("latest-build f42 good").await, "nvr", "good-1.0-1");
    well("buildinfo good-1.0-1").await.has(&["COMPLETE", "f42", "good-data-1.0-1.noarch"]);
    well("rpminfo good-1.0-1.x86_64").await.has(&["good-1.0-1", "f42-build"]);
    well(&format!("taskinfo -r {task}")).await.has(&["closed", "buildArch"]);
    well(&format!("watch-logs {}", system.hub.child(task, "buildArch").await.unwrap())).await.has(&["+ echo brewing"]);
    for shown in ["buildinfo good-1.0-1", "rpminfo good-1.0-1.x86_64", &format!("taskinfo {task}"), "taginfo f42"] {
        let answer = json(shown).await;
        assert!(answer.is_object() || answer.is_array(), "{shown}: {answer}");
    }

    let _ = well("download-build good-1.0-1").await;
    let downloaded = fs::read(system.dir().join("good-1.0-1.x86_64.rpm")).unwrap();
    let rpm = system.hub.call("getRPM", json!(["good-1.0-1.x86_64"])).await;
    assert_eq!(rpm["size"], downloaded.len());
    let _ = well(&format!("download-logs -r {task}")).await;
    assert!(fs::read_dir(system.dir().join("kojilogs")).unwrap().count() >= 2);

    let _ = well("untag-build f42 good-1.0-1").await;
    assert_eq!(json("list-tagged f42").await, json!([]));
    let _ = well("tag-build f42 good-1.0-1").await;
    has(&json("list-tagged f42").await, "nvr", "good-1.0-1");
    system.hub.assert_quiet().await;
}

/// A listing has a row in which this field has this value.
#[track_caller]
fn has(listing: &Json, field: &str, value: &str) {
    let rows = listing.as_array().unwrap_or_else(|| panic!("no list: {listing}"));
    assert!(rows.iter().any(|row| row[field] == value), "no {field} '{value}' in {listing:#}");
}
