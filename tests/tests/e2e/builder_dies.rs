//! A builder is killed in the middle of a build.

use serde_json::json;
use toji_protocol::state::BuildState;
use toji_tests::{Golden, SOON, System, Wishes, is_running, until};

#[tokio::test]
async fn another_builder_takes_over() {
    let mut system = System::start(Wishes { builders: 2, ..Wishes::default() }).await;
    let hub = system.hub.clone();
    let seconds = "3.0314159";
    let sleeps = Golden::sleeps(1, seconds);
    let task = hub.build(&system.srpm(&sleeps), json!({})).await;
    until("the build", SOON, async || is_running(seconds).then_some(())).await;
    let build_arch = hub.child(task, "buildArch").await.unwrap();
    let first = system.builder_of(build_arch).await;
    system.kill_builder(first);

    hub.closes(task).await;
    assert_ne!(system.builder_of(build_arch).await, first);
    let attempts: Vec<(i32, Option<String>)> =
        sqlx::query_as("SELECT attempt, outcome FROM task_run WHERE task_id = $1 ORDER BY attempt")
            .bind(build_arch)
            .fetch_all(&system.database.pool)
            .await
            .unwrap();
    assert_eq!(attempts, [(1, Some("lost".to_owned())), (2, Some("closed".to_owned()))]);
    assert_eq!(hub.build_state(&sleeps.nvr()).await, BuildState::Complete);
    assert_eq!(hub.tagged("demo").await, [sleeps.nvr()]);
    assert_eq!(hub.rpms(&sleeps.nvr()).await, ["sleeps-1.0-1.src", "sleeps-1.0-1.x86_64", "sleeps-data-1.0-1.noarch"]);
    assert_eq!(system.database.number("SELECT count(*) FROM build").await, 1);

    // The dead one comes back as the host that it was, clears away what it left, and works.
    system.start_builder(first).await;
    assert_eq!(system.database.number("SELECT count(*) FROM host").await, 2);
    system.kill_builder(1 - first);
    let good = Golden::good(1);
    let task = hub.build(&system.srpm(&good), json!({})).await;
    hub.closes(task).await;
    let build_arch = hub.child(task, "buildArch").await.unwrap();
    assert_eq!(system.builder_of(build_arch).await, first);
    hub.assert_quiet().await;
}
