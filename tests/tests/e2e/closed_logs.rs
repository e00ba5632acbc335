//! Logs when their task has ended: packed, and still the files of text that Koji's tools expect.

use std::{fs, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;
use toji_protocol::{
    id::TaskId,
    object_key,
    state::{BuildState, TaskState},
};
use toji_tests::{Event, Events, Golden, SOON, System, Wishes, koji, until};

/// What an event has of a log.
fn said(event: &Event) -> &str {
    event.data["text"].as_str().unwrap_or_default()
}

async fn watch(
    system: &System,
    task: i64,
    log: &str,
) -> Events<impl futures::Stream<Item = reqwest::Result<Vec<u8>>> + Unpin> {
    use futures::StreamExt;
    let response = reqwest::get(format!("{}/api/tasks/{task}/logs/{log}", system.url)).await.unwrap();
    Events::new(Box::pin(response.bytes_stream().map(|piece| piece.map(|piece| piece.to_vec()))))
}

/// A log as the hub has it.
async fn kept(system: &System, task: i64, log: &str) -> Vec<u8> {
    let mut kept = Vec::new();
    loop {
        let asked = json!({"taskID": task, "fileName": log, "offset": kept.len(), "size": 16 << 20});
        let piece = system.hub.call("downloadTaskOutput", asked).await;
        let piece = BASE64_STANDARD.decode(piece.as_str().unwrap()).unwrap();
        if piece.is_empty() {
            return kept;
        }
        kept.extend(piece);
    }
}

/// Bytes of a file by its URL.
async fn curl(url: &str, range: Option<&str>) -> Vec<u8> {
    let mut command = tokio::process::Command::new("curl");
    command.args(["-sSfL", "--compressed", url]);
    if let Some(range) = range {
        command.args(["-r", range]);
    }
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[tokio::test]
async fn stock_tools_see_the_same_before_and_after() {
    let system = System::start(Wishes { lease: 30, ..Wishes::default() }).await;
    let hub = &system.hub;
    let ticks = Golden::ticks(1, 15);
    let build = hub.build(&system.srpm(&ticks), json!({})).await;
    let task = hub.child_in(build, "buildArch", TaskState::Open).await;
    let folder = system.folder("koji");
    let id = task.to_string();
    let arguments = ["watch-logs", "--log", "build.log", &id];
    let watched = system.koji(&folder, &arguments);
    let (watched, told) = tokio::join!(watched, async { watch(&system, task, "build.log").await.all().await });
    let told: String = told.iter().map(said).collect();
    hub.closes(build).await;

    let log = kept(&system, task, "build.log").await;
    assert_eq!(told.as_bytes(), log, "what was told while it was written is what is kept");
    let arch = std::env::consts::ARCH;
    let key = format!("packages/ticks/1.0/1/data/logs/{arch}/build.log");
    let named = hub.call("getBuildLogs", json!([ticks.nvr()])).await;
    assert!(named.as_array().unwrap().iter().any(|named| named["path"] == key.as_str()), "{named}");
    let work = format!("work/{}/build.log", object_key::task_dir(TaskId(task)));
    for path in [&key, &work] {
        let url = format!("{}/kojifiles/{path}", system.url);
        assert_eq!(curl(&url, None).await, log, "{path}");
        assert_eq!(curl(&url, Some("10-99")).await, log[10..100], "{path}");
        assert_eq!(curl(&url, Some("-40")).await, log[log.len() - 40..], "{path}");
    }
    let packed = "SELECT count(*) FROM task_file WHERE name LIKE '%.log' AND unpacked IS NULL";
    assert_eq!(system.database.number(packed).await, 0, "all logs are packed");

    let Some(watched) = watched else {
        eprintln!("skipped: TOJI_TEST_KOJI is not set");
        return;
    };
    assert!(watched.well().out.ends_with(&told), "watch-logs");
    let koji = async |arguments: &[&str]| system.koji(&folder, arguments).await.unwrap().well();
    let _ = koji(&["download-logs", &id]).await;
    let file = folder.join(format!("kojilogs/{arch}-{task}/build.log"));
    assert_eq!(fs::read(&file).unwrap(), log);
    fs::write(&file, &log[..50]).unwrap();
    let _ = koji(&["download-logs", "--continue", "--match", "build.log", &id]).await;
    assert_eq!(fs::read(&file).unwrap(), log, "continued");
    downloads_with_its_task(&system, &folder, build, &log).await;
}

/// `download-task --logs` takes the logs as files; what is there in part is gone on with.
async fn downloads_with_its_task(system: &System, folder: &Path, build: i64, log: &[u8]) {
    assert!(koji().is_some());
    let id = build.to_string();
    let arguments = ["download-task", "--logs", "--dirpertask", "--noprogress", &id];
    let file = || {
        let logs = walk(folder).into_iter().filter(|path| path.ends_with("build.log") || is_named_for_its_arch(path));
        let mut logs: Vec<_> = logs.filter(|path| !path.starts_with(folder.join("kojilogs"))).collect();
        logs.sort();
        logs.into_iter().find(|path| fs::read(path).unwrap().windows(5).any(|bytes| bytes == b"tick "))
    };
    let said = system.koji(folder, &arguments).await.unwrap().well();
    let path = file().unwrap_or_else(|| panic!("no build.log after\n{}", said.all()));
    assert_eq!(fs::read(&path).unwrap(), log);
    fs::write(&path, &log[..log.len() - 10]).unwrap();
    let _ = system.koji(folder, &arguments).await.unwrap().well();
    assert_eq!(fs::read(&path).unwrap(), log, "appended");
}

fn is_named_for_its_arch(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("build."))
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_builder_that_is_killed_while_it_closes_loses_nothing() {
    const MIB: u32 = 48;
    let mut system = System::start(Wishes::default()).await;
    let chatty = Golden::chatty(1, MIB);
    let build = system.hub.build(&system.srpm(&chatty), json!({})).await;
    let task = system.hub.child_in(build, "buildArch", TaskState::Open).await;
    // its last part has been sent when it begins to pack
    let packing = system.dir().join(format!("builder-0/work/tasks/{task}-1/packed-logs"));
    until("the end of the build", SOON, async || packing.is_dir().then_some(())).await;
    system.kill_builder(0);
    let told = watch(&system, task, "build.log").await.all().await;
    assert_eq!(told.last().map(|event| event.name.as_str()), Some("end"));
    let told: Vec<u8> = told.iter().flat_map(|event| said(event).bytes()).collect();
    assert!(told.len() > (MIB as usize) << 20, "{}", told.len());
    let done = "SELECT count(*) FROM task_file WHERE name = 'build.log' AND done_time IS NOT NULL
        AND task_id = (SELECT id FROM task WHERE method = 'buildArch')";
    assert_eq!(system.database.number(done).await, 0, "it was killed before its logs were there");
    assert!(kept(&system, task, "build.log").await == told, "the parts are what is read");

    system.start_builder(0).await;
    system.hub.closes(build).await;
    assert_eq!(system.hub.build_state(&chatty.nvr()).await, BuildState::Complete);
    assert_eq!(system.database.number(done).await, 1);
    let again = kept(&system, task, "build.log").await;
    let live = watch(&system, task, "build.log").await.all().await;
    let live: Vec<u8> = live.iter().flat_map(|event| said(event).bytes()).collect();
    assert!(again == live && again.len() > (MIB as usize) << 20, "of the second attempt, and whole");
    system.hub.assert_quiet().await;
}
