//! A build's log is read while it is written, line by line, and from where a watcher was cut off.

use serde_json::json;
use toji_protocol::state::TaskState;
use toji_tests::{Event, Events, Golden, System, Wishes};

const TICKS: u32 = 20;

#[tokio::test]
async fn a_log_is_watched_while_it_is_written() {
    let system = System::start(Wishes { lease: 30, ..Wishes::default() }).await;
    let hub = &system.hub;
    let build = hub.build(&system.srpm(&Golden::ticks(1, TICKS)), json!({"scratch": true})).await;
    let task = hub.child_in(build, "buildArch", TaskState::Open).await;
    let http = reqwest::Client::new();
    let watch = async |log: &str, last: Option<&str>| {
        let mut request = http.get(format!("{}/api/tasks/{task}/{log}", system.url));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        Events::new(response.bytes_stream())
    };
    let mut live = watch("logs/build.log", None).await;
    // the first half as it comes, and then from there on
    let mut text = String::new();
    let last = loop {
        let event = live.next().await.expect("the build goes on");
        text += said(&event);
        if text.contains("tick 10 ") {
            break event.id;
        }
    };
    assert_eq!(hub.task_state(task).await, TaskState::Open, "the log was told while the build ran");
    drop(live);
    let rest = watch("logs/build.log", Some(&last)).await.all().await;
    assert_eq!(rest.last().map(|event| event.name.as_str()), Some("end"));
    text.extend(rest.iter().map(said));
    hub.closes(build).await;

    let kept = hub.call("downloadTaskOutput", json!({"taskID": task, "fileName": "build.log"})).await;
    use base64::Engine;
    let kept = base64::prelude::BASE64_STANDARD.decode(kept.as_str().unwrap()).unwrap();
    assert_eq!(text, String::from_utf8(kept).unwrap(), "what was told is what is kept");
    for tick in 1..=TICKS {
        assert_eq!(text.matches(&format!("\ntick {tick} ")).count(), 1, "tick {tick} of\n{text}");
    }
    // all logs, after the end
    let all = watch("logs", None).await.all().await;
    let of_all: String = all.iter().filter(|event| event.data["log"] == "build.log").map(said).collect();
    assert_eq!(of_all, text);
    assert!(all.iter().any(|event| event.data["log"] == "root.log"), "{all:?}");
}

/// What an event has of a log.
fn said(event: &Event) -> &str {
    event.data["text"].as_str().unwrap_or_default()
}
