//! Live logs: what watchers are sent of parts that lie in S3, or come while they watch.

use axum::{
    Router,
    body::{Body, BodyDataStream},
    http::{Request, StatusCode, header},
};
use serde_json::json;
use toji_local::cloud::Cloud;
use toji_protocol::{
    id::TaskId,
    log_part::{self, Piece},
    object_key,
};
use toji_store::Store;
use toji_tests::{Event, Events};
use tower::ServiceExt;

const TASK: TaskId = TaskId(10_047);

struct Logs {
    store: Store,
    router: Router,
    _cloud: Cloud,
    _dir: tempfile::TempDir,
}

type Watch = Events<BodyDataStream>;

impl Logs {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cloud = Cloud::serve(dir.path()).await.unwrap();
        let store = cloud.store().await.unwrap();
        Self { router: toji_logs::router(store.clone()), store, _cloud: cloud, _dir: dir }
    }

    async fn put(&self, attempt: i32, part: u32, pieces: &[(&str, u64, &str)]) {
        let pieces: Vec<Piece<'_>> =
            pieces.iter().map(|(name, offset, text)| Piece { name, offset: *offset, bytes: text.as_bytes() }).collect();
        self.put_bytes(attempt, part, log_part::encode(&pieces)).await;
    }

    async fn put_bytes(&self, attempt: i32, part: u32, bytes: Vec<u8>) {
        self.store.put(&object_key::log_part(TASK, attempt, part), bytes, "application/octet-stream").await.unwrap();
    }

    async fn ask(&self, path: &str, last: Option<&str>) -> (StatusCode, Watch) {
        let mut request = Request::get(format!("/api/tasks/{path}"));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status();
        if status == StatusCode::OK {
            assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        }
        (status, Events::new(response.into_body().into_data_stream()))
    }

    async fn watch(&self, last: Option<&str>) -> Watch {
        let (status, watch) = self.ask("10047/logs", last).await;
        assert_eq!(status, StatusCode::OK);
        watch
    }
}

fn log(id: &str, log: &str, offset: u64, text: &str) -> Event {
    let next = offset + text.len() as u64;
    let data = json!({"log": log, "offset": offset, "next": next, "text": text});
    Event { id: id.to_owned(), name: "log".to_owned(), data }
}

fn attempt(number: i32) -> Event {
    Event { id: String::new(), name: "attempt".to_owned(), data: json!({"attempt": number}) }
}

fn end(id: &str, number: i32) -> Event {
    Event { id: id.to_owned(), name: "end".to_owned(), data: json!({"attempt": number}) }
}

async fn a_whole_attempt(logs: &Logs) -> Vec<Event> {
    logs.put(1, 1, &[("root.log", 0, "one\ntwo\n"), ("build.log", 0, "+ make\n")]).await;
    logs.put(1, 2, &[("build.log", 7, "酒\r\n\n")]).await;
    logs.put(1, 3, &[("root.log", 0, "anew\n"), ("empty.log", 0, "")]).await;
    logs.put_bytes(1, 4, log_part::encode_last([("build.log", 13)])).await;
    vec![
        attempt(1),
        log("1.1.1", "root.log", 0, "one\ntwo\n"),
        log("1.1.2", "build.log", 0, "+ make\n"),
        log("1.2.1", "build.log", 7, "酒\r\n\n"),
        log("1.3.1", "root.log", 0, "anew\n"),
        log("1.3.2", "empty.log", 0, ""),
        log("1.4.1", "build.log", 13, ""),
        end("1.4.end", 1),
    ]
}

#[tokio::test]
async fn logs_are_told_in_order_and_from_any_event_on() {
    let logs = Logs::new().await;
    let expected = a_whole_attempt(&logs).await;
    assert_eq!(logs.watch(None).await.all().await, expected);
    for (at, event) in expected.iter().enumerate().skip(1).take(5) {
        assert_eq!(logs.watch(Some(&event.id)).await.all().await, expected[at + 1..], "after {}", event.id);
    }
    // one log of them, and one that is not there
    let of = |name: &str| -> Vec<Event> {
        let is_told = |event: &&Event| event.name != "log" || event.data["log"] == name;
        expected.iter().filter(is_told).cloned().collect()
    };
    for name in ["build.log", "nothing.log"] {
        let (_, watch) = logs.ask(&format!("10047/logs/{name}"), None).await;
        assert_eq!(watch.all().await, of(name));
    }
    // after the end there is nothing, which ends a browser's asking
    assert_eq!(logs.ask("10047/logs", Some("1.4.end")).await.0, StatusCode::NO_CONTENT);
    // a place that is nowhere: from the beginning
    assert_eq!(logs.watch(Some("1.900.2")).await.all().await, expected);
    assert_eq!(logs.watch(Some("7.1.end")).await.all().await, expected);
}

#[tokio::test]
async fn watchers_are_told_what_comes() {
    let logs = Logs::new().await;
    let mut watches = Vec::new();
    for _ in 0..20 {
        watches.push(logs.watch(None).await);
    }
    let told = async |watches: &mut [Watch], expected: &Event| {
        for watch in watches {
            assert_eq!(watch.next().await.as_ref(), Some(expected));
        }
    };
    told(&mut watches, &attempt(1)).await;
    for part in 1..=3 {
        let (offset, text) = (u64::from(part - 1) * 7, format!("line {part}\n"));
        let pieces = [("build.log", offset, text.as_str())];
        let expected = log(&format!("1.{part}.1"), "build.log", offset, &text);
        tokio::join!(logs.put(1, part, &pieces), told(&mut watches, &expected));
        // somebody goes, whoever had the turn, and somebody comes in the middle
        watches.remove(0);
        watches.push(logs.watch(Some(&format!("1.{part}.1"))).await);
    }
    // the builder is lost: another begins anew, and a third when that one has died before its first line
    logs.put(3, 1, &[("build.log", 0, "again\n")]).await;
    told(&mut watches, &attempt(3)).await;
    told(&mut watches, &log("3.1.1", "build.log", 0, "again\n")).await;
    logs.put_bytes(3, 2, log_part::encode_last([])).await;
    told(&mut watches, &end("3.2.end", 3)).await;
    for watch in watches {
        assert_eq!(watch.all().await, []);
    }
    // who comes now sees the newest; who had left at the end of an earlier one goes on with it
    let newest = [attempt(3), log("3.1.1", "build.log", 0, "again\n"), end("3.2.end", 3)];
    assert_eq!(logs.watch(None).await.all().await, newest);
    assert_eq!(logs.watch(Some("1.3.end")).await.all().await, newest);
}

#[tokio::test]
async fn a_damaged_part_is_left_out() {
    let logs = Logs::new().await;
    a_whole_attempt(&logs).await;
    logs.put_bytes(1, 2, b"nonsense".to_vec()).await;
    let told = logs.watch(None).await.all().await;
    assert_eq!(told.len(), 7);
    assert_eq!(told[3], log("1.3.1", "root.log", 0, "anew\n"));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let logs = Logs::new().await;
    for (path, last) in [("hello/logs", None), ("99999999999999999999/logs/a", None), ("1/logs", Some("yesterday"))] {
        assert_eq!(logs.ask(path, last).await.0, StatusCode::BAD_REQUEST, "{path} {last:?}");
    }
}
