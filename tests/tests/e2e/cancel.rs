//! A build that is cancelled, and then built again.

use std::time::Duration;

use serde_json::json;
use toji_protocol::state::{BuildState, TaskState};
use toji_tests::{Golden, SOON, System, Wishes, is_running, until};

/// How soon nothing of it may run any more.
const AT_ONCE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn cancel_kills_and_the_nvr_can_be_built_again() {
    let system = System::start(Wishes { lease: 60, ..Wishes::default() }).await;
    let hub = &system.hub;
    let seconds = "3600.0161803";
    let sleeps = Golden::sleeps(1, seconds);
    let nvr = sleeps.nvr();
    let task = hub.build(&system.srpm(&sleeps), json!({})).await;
    until("the build", SOON, async || is_running(seconds).then_some(())).await;
    let build_arch = hub.child(task, "buildArch").await.unwrap();
    let id = hub.get_build(&nvr).await["id"].clone();
    assert_eq!(hub.build_state(&nvr).await, BuildState::Building);

    hub.call("cancelBuild", json!([nvr])).await;
    until("the end of what the build ran", AT_ONCE, async || (!is_running(seconds)).then_some(())).await;
    assert_eq!(hub.ended(task).await, TaskState::Canceled);
    assert_eq!(hub.task_state(build_arch).await, TaskState::Canceled);
    assert_eq!(hub.build_state(&nvr).await, BuildState::Canceled);
    assert_eq!(hub.rpms(&nvr).await, Vec::<String>::new());
    hub.assert_quiet().await;

    let again = hub.build(&system.srpm(&Golden::sleeps(1, "0.1")), json!({})).await;
    hub.closes(again).await;
    assert_eq!(hub.build_state(&nvr).await, BuildState::Complete);
    let build = hub.get_build(&nvr).await;
    assert_eq!((&build["id"], &build["task_id"]), (&id, &json!(again)), "the row is used again");
    assert_eq!(hub.rpms(&nvr).await.len(), 3);
}
