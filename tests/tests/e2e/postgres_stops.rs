//! Postgres goes away during a build.

use std::time::Duration;

use serde_json::json;
use toji_protocol::state::{BuildState, TaskState};
use toji_tests::{Golden, Postgres, SOON, System, Wishes, is_running, until};
use tokio::time::sleep;

/// How long it is away. The build itself ends meanwhile, and so does its lease.
const AWAY: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_build_survives_twenty_seconds_without_postgres() {
    let postgres = Postgres::start();
    let system = System::start(Wishes { postgres: Some(postgres.url.clone()), ..Wishes::default() }).await;
    let hub = &system.hub;
    let seconds = "5.0141421";
    let sleeps = Golden::sleeps(1, seconds);
    let task = hub.build(&system.srpm(&sleeps), json!({})).await;
    until("the build", SOON, async || is_running(seconds).then_some(())).await;

    postgres.stop();
    sleep(AWAY).await;
    postgres.resume();

    assert_eq!(hub.ended(task).await, TaskState::Closed, "{}", hub.fault(task).await);
    assert_eq!(hub.build_state(&sleeps.nvr()).await, BuildState::Complete);
    assert_eq!(hub.tagged("demo").await, [sleeps.nvr()]);
    assert_eq!(hub.rpms(&sleeps.nvr()).await.len(), 3);
    hub.assert_quiet().await;
}
