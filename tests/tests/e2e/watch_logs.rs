//! `toji watch-logs` on a real server: streamed, cut off, and where there is no stream.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;
use toji_protocol::state::TaskState;
use toji_tests::{Events, FrontDoor, Golden, SOON, Said, Streams, System, TOKEN, Wishes, is_running, program, until};
use tokio::{process::Command, time::Instant};

/// How soon a stream ends after its task was cancelled.
const SECONDS: Duration = Duration::from_secs(5);

async fn watch(system: &System, url: &str, arguments: &[String]) -> Said {
    let mut command = Command::new(program("toji"));
    command.arg("watch-logs").args(arguments).env("TOJI_SERVER", url).env("TOJI_TOKEN", TOKEN);
    command.env_remove("TOJI_PROFILE").env_remove("TOJI_TOPURL");
    Said::by(command.current_dir(system.dir()).env("HOME", system.dir())).await
}

/// A log as it is kept.
async fn kept(system: &System, task: i64, name: &str) -> String {
    let kept = system.hub.call("downloadTaskOutput", json!({"taskID": task, "fileName": name})).await;
    String::from_utf8(BASE64_STANDARD.decode(kept.as_str().unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn logs_are_followed_however_the_server_is_reached() {
    let system = System::start(Wishes { lease: 30, ..Wishes::default() }).await;
    let missing = FrontDoor::open(&system.url, Streams::Missing).await;
    let forbidden = FrontDoor::open(&system.url, Streams::Forbidden).await;
    let cut = FrontDoor::open(&system.url, Streams::Cut(1500)).await;
    let build = system.hub.build(&system.srpm(&Golden::ticks(1, 25)), json!({"scratch": true})).await;
    let task = system.hub.child_in(build, "buildArch", TaskState::Open).await;
    let one = [task.to_string(), "--log".to_owned(), "build.log".to_owned()];
    let all = [build.to_string(), "--follow".to_owned()];
    let (direct, old, closed, torn, everything) = tokio::join!(
        watch(&system, &system.url, &one),
        watch(&system, &missing.url, &one),
        watch(&system, &forbidden.url, &one),
        watch(&system, &cut.url, &one),
        watch(&system, &system.url, &all),
    );
    assert_eq!(system.hub.ended(build).await, TaskState::Closed);
    let log = kept(&system, task, "build.log").await;
    assert!(log.contains("tick 25 "), "{log}");
    let expected = format!("==> {task} build.log <==\n{log}");
    for said in [&direct, &old, &closed, &torn] {
        assert_eq!((said.code, &said.out), (Some(0), &expected), "{}", said.all());
    }
    assert_eq!((direct.err.as_str(), torn.err.as_str()), ("", ""));
    assert!(cut.asked() > 1, "{} connections", cut.asked());
    for (said, why) in [(&old, "404"), (&closed, "403")] {
        assert_eq!(said.err.matches("does not stream logs").count(), 1, "{}", said.all());
        assert!(said.err.contains(why), "{}", said.err);
    }
    assert_eq!((missing.asked(), forbidden.asked()), (1, 1));
    // all logs of all tasks, each whole
    for (task, name) in [(task, "build.log"), (task, "state.log"), (task, "root.log")] {
        assert!(everything.out.contains(&format!("==> {task} {name} <==\n")), "{}", everything.all());
        for line in kept(&system, task, name).await.lines() {
            assert!(everything.out.contains(line), "{line}\nis not in\n{}", everything.all());
        }
    }
    assert!(everything.out.matches("\ntick 7 ").count() == 1, "{}", everything.all());
    // after the end: the same, without a stream
    assert_eq!(watch(&system, &system.url, &one).await.out, expected);
}

#[tokio::test]
async fn a_stream_ends_soon_after_a_cancel() {
    let system = System::start(Wishes { lease: 60, ..Wishes::default() }).await;
    let hub = &system.hub;
    let seconds = "3600.0693147";
    let build = hub.build(&system.srpm(&Golden::sleeps(1, seconds)), json!({})).await;
    until("the build", SOON, async || is_running(seconds).then_some(())).await;
    let task = hub.child(build, "buildArch").await.unwrap();
    let arguments = [task.to_string(), "--log".to_owned(), "build.log".to_owned()];
    let watching = watch(&system, &system.url, &arguments);
    let response = reqwest::get(format!("{}/api/tasks/{task}/logs/build.log", system.url)).await.unwrap();
    let mut live = Events::new(response.bytes_stream());
    let streaming = async {
        let mut text = String::new();
        while !text.contains("asleep\n") {
            text += live.next().await.expect("the build goes on").data["text"].as_str().unwrap_or_default();
        }
        let cancelled = Instant::now();
        hub.call("cancelTask", json!([build])).await;
        loop {
            let event = live.next().await.expect("an end");
            if event.name == "end" {
                return (text, cancelled.elapsed());
            }
            text += event.data["text"].as_str().unwrap_or_default();
        }
    };
    let (said, (text, took)) = tokio::join!(watching, streaming);
    assert!(took < SECONDS, "{took:?}");
    assert_eq!(hub.ended(build).await, TaskState::Canceled);
    let expected = format!("==> {task} build.log <==\n{text}");
    assert_eq!(said.well().out.trim_end(), expected.trim_end());
    // and the log is closed, as far as it came
    let closed = "SELECT count(*) FROM task_file WHERE unpacked > 0 AND done_time IS NOT NULL AND name = 'build.log'
        AND task_id = (SELECT max(id) FROM task WHERE method = 'buildArch')";
    until("the closed log", SOON, async || (system.database.number(closed).await == 1).then_some(())).await;
    assert_eq!(kept(&system, task, "build.log").await, text);
}
