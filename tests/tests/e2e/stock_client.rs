//! The stock `koji` client, changed only by configuration.

use std::{fs, path::Path};

use toji_protocol::state::{BuildState, TaskState};
use toji_tests::{Golden, SOON, Said, System, Wishes, is_running, koji, until};

#[tokio::test]
async fn the_stock_client_does_it_all() {
    if koji().is_none() {
        eprintln!("skipped: TOJI_TEST_KOJI is not set");
        return;
    }
    let system = System::start(Wishes::default()).await;
    let folder = system.folder("koji");
    let run = async |arguments: &[&str]| system.koji(&folder, arguments).await.unwrap();
    let well = async |arguments: &[&str]| run(arguments).await.well();

    well(&["moshimoshi"]).await.has(&["admin!", "Authenticated via password"]);
    well(&["list-api"]).await.has(&["listTagged(", "getBuild("]);

    // a target of its own, made by nothing but the stock client
    let _ = well(&["add-tag", "--arches", "x86_64", "f42"]).await;
    let _ = well(&["add-tag", "--parent", "f42", "--arches", "x86_64", "f42-build"]).await;
    let _ = well(&["add-target", "f42", "f42-build", "f42"]).await;
    let _ = well(&["add-pkg", "--owner", "admin", "f42", "good", "sleeps"]).await;
    let _ = well(&["add-external-repo", "-t", "f42-build", "minidistro"]).await;
    for group in ["build", "srpm-build"] {
        let _ = well(&["add-group", "f42-build", group]).await;
        let _ = well(&["add-group-pkg", "f42-build", group, "minidistro-buildroot"]).await;
    }

    let srpm = system.srpm(&Golden::good(1)).display().to_string();
    let built = well(&["build", "--wait", "--noprogress", "f42", &srpm]).await;
    built.has(&["Created task:", "completed successfully"]);
    let task = created(&built);
    well(&["watch-task", &task.to_string()]).await.has(&["completed successfully"]);
    well(&["list-tagged", "f42"]).await.has(&["good-1.0-1", "admin"]);
    well(&["buildinfo", "good-1.0-1"]).await.has(&["State: COMPLETE", "Tags: f42", "good-data-1.0-1.noarch.rpm"]);
    well(&["rpminfo", "good-1.0-1.x86_64"]).await.has(&["RPM: good-1.0-1.x86_64", "Buildroot:", "f42-build"]);
    well(&["taskinfo", "-v", "-r", &task.to_string()]).await.has(&["State: closed", "buildArch", "tagBuild"]);

    downloads_are_exact(&system, &well(&["download-build", "good-1.0-1"]).await).await;
    let _ = well(&["download-logs", "--recurse", &task.to_string()]).await;
    let logs = logs_below(&folder.join("kojilogs"));
    assert!(logs.iter().any(|log| log.contains("+ echo brewing")), "{} logs", logs.len());

    cancels(&system).await;

    // what fails says so, and exits with 1
    let fails = system.srpm(&Golden::fails_in_build(1)).display().to_string();
    let failed = run(&["build", "--wait", "--noprogress", "demo", &fails]).await;
    assert_eq!(failed.code, Some(1), "{}", failed.all());
    failed.has(&["build.log", "failed"]);
    let failed = run(&["watch-task", &created(&failed).to_string()]).await;
    assert_eq!(failed.code, Some(1), "{}", failed.all());
    for (arguments, said) in [
        (["buildinfo", "nothing-1-1"], "nothing-1-1"),
        (["list-tagged", "nowhere"], "nowhere"),
        (["call", "noSuchMethod"], "noSuchMethod"),
    ] {
        let failed = run(&arguments).await;
        assert_ne!(failed.code, Some(0), "{}", failed.all());
        assert!(failed.all().contains(said), "{}", failed.all());
    }
    let refused = system.koji_as("wrong", &folder, &["moshimoshi"]).await.unwrap();
    assert_eq!(refused.code, Some(1), "{}", refused.all());
    system.hub.assert_quiet().await;
}

/// The task that a command says it has made.
fn created(said: &Said) -> i64 {
    let line = said.out.lines().find_map(|line| line.strip_prefix("Created task:"));
    line.unwrap_or_else(|| panic!("no task in\n{}", said.all())).trim().parse().unwrap()
}

/// The texts of all `build.log`s below a folder: each task's folder lies in its parent's.
fn logs_below(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => logs_below(&path),
            false if path.ends_with("build.log") => vec![fs::read_to_string(path).unwrap()],
            false => Vec::new(),
        })
        .collect()
}

/// What was downloaded is, to the byte, what the builder has made.
async fn downloads_are_exact(system: &System, said: &Said) {
    let files: Vec<(String, String)> =
        sqlx::query_as("SELECT DISTINCT name, sha256 FROM task_file WHERE moved_to IS NOT NULL AND name LIKE '%.rpm'")
            .fetch_all(&system.database.pool)
            .await
            .unwrap();
    assert_eq!(files.len(), 3, "{files:?}");
    for (name, sha256) in files {
        let file = fs::read(system.dir().join("koji").join(&name));
        let file = file.unwrap_or_else(|error| panic!("{name}: {error}\n{}", said.all()));
        let digest = <sha2::Sha256 as sha2::Digest>::digest(file);
        assert_eq!(hex::encode(digest), sha256, "{name}");
    }
}

async fn cancels(system: &System) {
    let seconds = "3600.0271828";
    let sleeps = Golden::sleeps(1, seconds);
    let folder = system.dir().join("koji");
    let srpm = system.srpm(&sleeps).display().to_string();
    let started = system.koji(&folder, &["build", "--nowait", "--noprogress", "f42", &srpm]).await.unwrap().well();
    let task = created(&started);
    until("the build", SOON, async || is_running(seconds).then_some(())).await;
    let _ = system.koji(&folder, &["cancel", &task.to_string()]).await.unwrap().well();
    assert_eq!(system.hub.ended(task).await, TaskState::Canceled);
    until("the end of what it ran", SOON, async || (!is_running(seconds)).then_some(())).await;
    assert_eq!(system.hub.build_state(&sleeps.nvr()).await, BuildState::Canceled);
    let info = system.koji(&folder, &["taskinfo", &task.to_string()]).await.unwrap().well();
    info.has(&["State: canceled"]);
}
