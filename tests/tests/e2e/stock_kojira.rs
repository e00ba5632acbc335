//! The stock `kojira`, changed only by configuration: it keeps the repos in order, by what the hub tells it and lets it do.

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::json;
use toji_protocol::state::RepoState;
use toji_tests::{Daemon, SOON, System, Wishes, koji, until};

#[tokio::test]
async fn kojira_expires_deletes_and_asks_for_repos() {
    let Some(koji) = koji() else {
        eprintln!("skipped: TOJI_TEST_KOJI is not set");
        return;
    };
    let system = System::start(Wishes { lease: 30, ..Wishes::default() }).await;
    let hub = &system.hub;
    let old = hub.fresh_repo("demo-build").await;
    hub.call("packageListBlock", json!(["demo-build", "sleeps"])).await;
    let new = hub.fresh_repo("demo-build").await;
    assert_ne!(old, new);
    hub.call("createTag", json!({ "name": "auto", "arches": "x86_64", "extra": { "repo.auto": true } })).await;

    let log = system.dir().join("kojira.log");
    let mut command = Command::new(koji.with_file_name("kojira"));
    command.args(["-f", "-v", "-c"]).arg(settings(&system, &log).await);
    let mut kojira = Daemon::start(&mut command, &system.dir().join("kojira.out"));
    let said = || fs::read_to_string(&log).unwrap_or_default();
    let state = async |repo: i64| {
        let repo = hub.call("repoInfo", json!([repo])).await;
        repo["state"].as_i64().and_then(RepoState::from_number)
    };

    // what is neither new nor the newest of its tag ends
    until("the old repo's end", SOON, async || {
        assert!(kojira.is_running(), "{}", kojira.last_words());
        (state(old).await == Some(RepoState::Deleted)).then_some(())
    })
    .await;
    assert_eq!(state(new).await, Some(RepoState::Ready));
    for line in [format!("Expiring repo {old} for tag demo-build"), format!("Set repo {old} state to deleted")] {
        assert!(said().contains(&line), "'{line}' is not in\n{}", said());
    }
    // a tag that says so gets a repo by itself
    until("a repo of auto", SOON, async || {
        let repo = hub.call("getRepo", json!(["auto"])).await;
        repo["id"].as_i64()
    })
    .await;
    // and external repos are watched
    let external = hub.call("getExternalRepo", json!(["minidistro"])).await;
    until("the external repo's age", SOON, async || {
        let data = hub.call("repo.getExternalRepoData", json!([external["id"]])).await;
        data["max_ts"].as_f64()
    })
    .await;

    tokio::task::spawn_blocking(move || kojira.terminate(Duration::from_secs(20))).await.unwrap();
    for wrong in ["Traceback", "[ERROR]", "thread died"] {
        assert!(!said().contains(wrong), "{}", said());
    }
}

/// kojira's settings: a user of its own, and lives that are over at once.
async fn settings(system: &System, log: &Path) -> std::path::PathBuf {
    let hub = &system.hub;
    hub.call("createUser", json!(["kojira"])).await;
    hub.call("grantPermission", json!(["kojira", "repo"])).await;
    let token = hub.call("createToken", json!({ "user": "kojira", "description": "kojira" })).await;
    let topdir = system.folder("topdir");
    let file = system.dir().join("kojira.conf");
    let text = format!(
        "[kojira]\nserver = {}/kojihub\nuser = kojira\npassword = {}\ntopdir = {}\nlogfile = {}\nsleeptime = 1\n\
         repo_lifetime = 0\nexpired_repo_lifetime = 0\nrecheck_period = 0\nretry_interval = 1\nmax_retries = 3\n",
        system.url,
        token["token"].as_str().unwrap(),
        topdir.display(),
        log.display(),
    );
    fs::write(&file, text).unwrap();
    file
}
