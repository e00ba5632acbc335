//! The daemon against a hub and queues that take notes. No buildroots: `sleep` tasks.

use serde_json::json;
use tokio::{sync::oneshot, task::JoinHandle};

use super::*;
use crate::testing::{LOST, Lab};

struct Daemon {
    lab: Lab,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<Ended, RunError>>,
}

/// A builder that has attached; None where the tests do not run as root.
async fn daemon(prepare: impl FnOnce(&Lab)) -> Option<Daemon> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: the builder wants root");
        return None;
    }
    let lab =
        Lab::with("/nowhere".into(), "minspace = 0\nmax_load = 0.0\nenrol_token_file = '/proc/sys/kernel/ostype'")
            .await;
    prepare(&lab);
    let (stop, ended) = start(&lab);
    lab.hub.until_told("host.claim", 1).await;
    Some(Daemon { lab, stop, ended })
}

fn start(lab: &Lab) -> (oneshot::Sender<()>, JoinHandle<Result<Ended, RunError>>) {
    let (stop, stopped) = oneshot::channel();
    let config = lab.machine.config.clone();
    let ended = tokio::spawn(run(config, Handlers::own(), async move {
        let _ = stopped.await;
    }));
    (stop, ended)
}

fn bell(task: i64) -> serde_json::Value {
    json!({"bin": "1-noarch", "task": task})
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_run_and_bells_are_put_away() {
    // One waits before the builder is there.
    let Some(Daemon { lab, stop, ended }) = daemon(|lab| lab.hub.add_task(1, "sleep", json!([0]))).await else {
        return;
    };
    let hub = &lab.hub;
    hub.until_told("host.closeTask", 1).await;
    for id in 2..=5 {
        hub.add_task(id, "sleep", json!([0]));
    }
    hub.add_task(6, "default", json!([]));
    hub.send("bin", bell(2));
    let closed = hub.until_told("host.closeTask", 6).await;
    let mut ids: Vec<_> = closed.iter().map(|told| told["task_id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
    assert!(closed[0]["response"].as_str().unwrap().contains("<methodResponse>"));
    hub.until_told("DeleteMessage", 1).await;

    hub.add_task(7, "sleep", json!(["soon"]));
    hub.add_task(8, "newRepo", json!([]));
    hub.send("bin", bell(7));
    let failed = hub.until_told("host.failTask", 1).await;
    assert!(failed[0]["response"].as_str().unwrap().contains("sleep takes a number"));
    let refused = hub.until_told("host.handBack", 1).await;
    assert_eq!((&refused[0]["task_id"], &refused[0]["refuse"]), (&json!(8), &json!(true)));

    stop.send(()).unwrap();
    ended.await.unwrap().unwrap();
    let claims = hub.told("host.claim");
    let mut ids: Vec<_> = claims.iter().map(|told| told["claim_id"].to_string()).collect();
    ids.dedup();
    assert_eq!(ids.len(), claims.len(), "each claim has an id of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_and_the_end() {
    let Some(Daemon { lab, stop, ended }) = daemon(|lab| lab.hub.add_task(1, "sleep", json!([1000]))).await else {
        return;
    };
    let hub = &lab.hub;
    // Renewed as long as it runs, until somebody cancels it.
    hub.until_told("host.heartbeat", 2).await;
    hub.send("own", json!({"order": "cancel", "task_id": 1, "attempt": 1}));
    hub.until_told("DeleteMessage", 1).await;
    // Room again: the next one is taken, is given to somebody else by the hub, and then a third.
    hub.add_task(LOST, "sleep", json!([1000]));
    hub.add_task(3, "sleep", json!([1000]));
    hub.send("own", json!({"order": "claim"}));
    loop {
        let beats = hub.told("host.heartbeat");
        let last = beats.last().map(|beat| beat["leases"].clone());
        if last == Some(json!([{"task_id": 3, "attempt": 1}])) {
            break;
        }
        hub.until_told("host.heartbeat", beats.len() + 1).await;
    }
    stop.send(()).unwrap();
    ended.await.unwrap().unwrap();
    let back = hub.told("host.handBack");
    assert_eq!(back.len(), 1, "what was cancelled or lost is not handed back: {back:?}");
    assert_eq!((&back[0]["task_id"], &back[0]["refuse"]), (&json!(3), &json!(false)));
    assert!(hub.told("host.closeTask").is_empty() && hub.told("host.failTask").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_builder_ends_its_tasks_and_stops() {
    let Some(Daemon { lab, stop: _stop, ended }) = daemon(|lab| lab.hub.add_task(1, "sleep", json!([0.7]))).await
    else {
        return;
    };
    let hub = &lab.hub;
    hub.until_told("host.heartbeat", 1).await;
    hub.send("own", json!({"order": "drain"}));
    hub.until_told("DeleteMessage", 1).await;
    hub.add_task(2, "sleep", json!([0]));
    assert_eq!(ended.await.unwrap().unwrap(), Ended::Drained);
    assert_eq!(hub.told("host.detach"), [json!({"reason": "it was drained"})]);
    let closed = hub.told("host.closeTask");
    assert_eq!((closed.len(), &closed[0]["task_id"]), (1, &json!(1)));
    assert!(hub.told("host.handBack").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn identities() {
    let Some(Daemon { lab, stop, ended }) = daemon(|_| ()).await else { return };
    stop.send(()).unwrap();
    ended.await.unwrap().unwrap();
    assert_eq!(lab.hub.told("enrolHost").len(), 1);
    // The same builder again: it is known.
    let (stop, ended) = start(&lab);
    lab.hub.until_told("host.attach", 2).await;
    stop.send(()).unwrap();
    ended.await.unwrap().unwrap();
    assert_eq!(lab.hub.told("enrolHost").len(), 1);
    // The hub has lost its memory: the builder enrols again.
    lab.hub.forget_tokens();
    let (stop, ended) = start(&lab);
    lab.hub.until_told("host.attach", 3).await;
    stop.send(()).unwrap();
    ended.await.unwrap().unwrap();
    assert_eq!(lab.hub.told("enrolHost").len(), 2);

    // Without a token there is no enrolment.
    let mut config = lab.machine.config.clone();
    config.name = "another".to_owned();
    config.enrol_token_file = None;
    let error = run(config, Handlers::own(), std::future::pending()).await.unwrap_err();
    assert!(error.to_string().contains("TOJI_ENROL_TOKEN"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_waits_for_its_subtasks() {
    let Some(Daemon { lab, stop, ended }) = daemon(|lab| lab.hub.add_task(1, "waittest", json!([2, 0]))).await else {
        return;
    };
    let hub = &lab.hub;
    // It is told by its own queue that there is something to look at.
    let closed = hub.until_told("host.closeTask", 1).await;
    assert_eq!(hub.told("host.awaitSubtasks").len(), 2);
    assert_eq!(hub.told("host.awaitSubtasks")[0]["subtasks"], json!([1001, 1002]));
    let labels: Vec<_> = hub.told("host.startSubtask").iter().map(|told| told["label"].clone()).collect();
    assert_eq!(labels, [json!("sleep 0"), json!("sleep 1")]);
    assert!(closed[0]["response"].as_str().unwrap().contains("<array>"));

    hub.set_result(Err("the child has died".to_owned()));
    hub.add_task(2, "subtask", json!([3]));
    hub.add_task(3, "fork", json!([2000]));
    hub.add_task(4, "fork", json!([2, 0]));
    hub.send("bin", bell(2));
    let failed = hub.until_told("host.failTask", 2).await;
    let said = |id: i64| {
        let of = failed.iter().find(|told| told["task_id"] == id).unwrap();
        of["response"].as_str().unwrap().to_owned()
    };
    assert!(said(2).contains("the child has died") && said(2).contains("<int>1005</int>"), "{}", said(2));
    assert!(said(3).contains("fork takes a number of tasks, 0 to 1000"), "{}", said(3));
    hub.until_told("host.closeTask", 2).await;
    stop.send(()).unwrap();
    assert_eq!(ended.await.unwrap().unwrap(), Ended::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_ends_what_runs_first() {
    let Some(Daemon { lab, stop: _stop, ended }) = daemon(|lab| lab.hub.add_task(1, "sleep", json!([0.5]))).await
    else {
        return;
    };
    let hub = &lab.hub;
    hub.add_task(2, "restart", json!([{"id": 9, "name": "another"}]));
    hub.send("own", json!({"order": "claim"}));
    let failed = hub.until_told("host.failTask", 1).await;
    assert!(failed[0]["response"].as_str().unwrap().contains("for the host another"));
    hub.add_task(3, "restart", json!([{"id": 3, "name": "b"}]));
    hub.send("own", json!({"order": "claim"}));
    assert_eq!(ended.await.unwrap().unwrap(), Ended::Restart);
    let closed = hub.told("host.closeTask");
    assert_eq!(closed.len(), 2, "the one that ran has ended: {closed:?}");
    let restart = closed.iter().find(|told| told["task_id"] == 3).unwrap()["response"].as_str().unwrap();
    let life = restart.split("<string>").nth(1).unwrap().split('<').next().unwrap().to_owned();

    // A daemon that was not started since says so; the next one is another.
    for (answered, well) in [(json!(life), true), (json!(null), true)] {
        hub.set_result(Ok(answered));
        let ended = hub.told("host.closeTask").len();
        hub.add_task(4, "restartVerify", json!([3, {"id": 3, "name": "b"}]));
        let (stop, done) = start(&lab);
        assert_eq!(hub.until_told("host.closeTask", ended + 1).await.len() == ended + 1, well);
        stop.send(()).unwrap();
        done.await.unwrap().unwrap();
    }
}

/// A builder with further settings, which has attached.
async fn with(settings: &str, prepare: impl FnOnce(&Lab)) -> Option<Daemon> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: the builder wants root");
        return None;
    }
    let settings = format!(
        "minspace = 0\nmin_memory = 0\nmax_load = 0.0\nenrol_token_file = '/proc/sys/kernel/ostype'\n{settings}"
    );
    let lab = Lab::with("/nowhere".into(), &settings).await;
    prepare(&lab);
    let (stop, ended) = start(&lab);
    Some(Daemon { lab, stop, ended })
}

#[tokio::test(flavor = "multi_thread")]
async fn one_task_and_no_more() {
    let prepare = |lab: &Lab| {
        lab.hub.add_task(1, "sleep", json!([0.3]));
        lab.hub.add_task(2, "sleep", json!([0]));
    };
    let Some(Daemon { lab, stop: _stop, ended }) = with("one_task = true", prepare).await else { return };
    assert_eq!(ended.await.unwrap().unwrap(), Ended::Drained);
    let closed = lab.hub.told("host.closeTask");
    assert_eq!((closed.len(), &closed[0]["task_id"]), (1, &json!(1)));
    assert_eq!(lab.hub.told("host.claim").len(), 1, "nothing else is claimed while it runs, nor after");
    assert_eq!(closed[0]["usage"]["uploaded_bytes"], json!(0));
    assert_eq!(closed[0]["usage"]["cpu_seconds"], json!(null), "no program has run");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_spot_takes_away_is_handed_back() {
    use axum::{
        Router,
        routing::{get, put},
    };
    let service = Router::new().route("/latest/api/token", put(|| async { "t" })).route(
        "/latest/meta-data/spot/instance-action",
        get(|| async { r#"{"action": "terminate", "time": "2020-01-01T00:00:00Z"}"# }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = format!("[ec2]\nmetadata = 'http://{}'\npace_ms = 300", listener.local_addr().unwrap());
    let prepare = |lab: &Lab| lab.hub.add_task(1, "sleep", json!([1000]));
    let Some(Daemon { lab, stop: _stop, ended }) = with(&settings, prepare).await else { return };
    lab.hub.until_told("host.claim", 1).await;
    tokio::spawn(async move { axum::serve(listener, service).await });
    assert_eq!(ended.await.unwrap().unwrap(), Ended::Drained);
    let back = lab.hub.told("host.handBack");
    assert_eq!((back.len(), &back[0]["task_id"], &back[0]["refuse"]), (1, &json!(1), &json!(false)));
    assert_eq!(lab.hub.told("host.detach").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfit_machine_takes_nothing() {
    let settings = "[failed]\nkeep = 0";
    let Some(Daemon { lab, stop, ended }) = with(settings, |_| ()).await else { return };
    stop.send(()).unwrap();
    ended.await.unwrap().unwrap();
    let mut config = lab.machine.config.clone();
    config.minspace = u64::MAX / 2;
    let attached = lab.hub.told("host.attach").len();
    let claimed = lab.hub.told("host.claim").len();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(run(config, Handlers::own(), async move {
        let _ = stopped.await;
    }));
    lab.hub.add_task(1, "sleep", json!([0]));
    lab.hub.until_told("host.attach", attached + 1).await;
    lab.hub.send("own", json!({"order": "claim"}));
    lab.hub.until_told("DeleteMessage", 1).await;
    stop.send(()).unwrap();
    ended.await.unwrap().unwrap();
    assert_eq!(lab.hub.told("host.claim").len(), claimed, "it does not even ask");
}
