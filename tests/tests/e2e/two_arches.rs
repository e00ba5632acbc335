//! Two builders that claim to be of two architectures take builds of both through.
//!
//! They are one machine, so what they make is text. See [`SecondArch`].

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value as Json, json};
use toji_protocol::state::{BuildState, TaskState};
use toji_tests::{Golden, Part, SOON, SecondArch, System, Wishes, running, until};
use tokio::time::{Instant, sleep};

const OWN: &str = "x86_64";
const OTHER: &str = SecondArch::ARCH;
/// What each build of [`Golden::runs_away`] has running.
const PROCESSES: usize = 6;
/// Seconds of a lease. Heartbeats come after a third.
const LEASE: u32 = 36;

#[tokio::test]
async fn builds_of_two_architectures() {
    let distribution = SecondArch::make();
    let wishes = Wishes {
        builders: 2,
        lease: LEASE,
        arches: vec![OWN, OTHER],
        distribution: Some(distribution.folder()),
        ..Wishes::default()
    };
    let mut system = System::start(wishes).await;
    a_package_is_built_for_both(&system).await;
    sources_say_which(&system).await;
    cancel_ends_all_children(&system).await;
    noarch_is_built_by_either(&mut system).await;
    a_task_without_a_builder_says_so(&mut system).await;
}

/// The architectures and the builders of a task's `buildArch` children.
async fn built_by(system: &System, task: i64) -> BTreeMap<String, usize> {
    let children = system.hub.call("getTaskChildren", json!([task])).await;
    let mut found = BTreeMap::new();
    for child in children.as_array().unwrap().iter().filter(|child| child["method"] == "buildArch") {
        let builder = system.builder_of(child["id"].as_i64().unwrap()).await;
        found.insert(child["label"].as_str().unwrap().to_owned(), builder);
    }
    found
}

fn both() -> BTreeMap<String, usize> {
    BTreeMap::from([(OWN.to_owned(), 0), (OTHER.to_owned(), 1)])
}

async fn a_package_is_built_for_both(system: &System) {
    let hub = &system.hub;
    let good = Golden::good(1);
    let task = hub.build(&system.srpm(&good), json!({})).await;
    hub.closes(task).await;
    assert_eq!(built_by(system, task).await, both(), "each on its own builder");
    let children = hub.call("getTaskChildren", json!([task])).await;
    let srpms = children.as_array().unwrap().iter().filter(|child| child["method"] == "rebuildSRPM");
    assert_eq!(srpms.count(), 1, "{children}");
    let rpms = ["good-1.0-1.aarch64", "good-1.0-1.src", "good-1.0-1.x86_64", "good-data-1.0-1.noarch"];
    assert_eq!(hub.rpms(&good.nvr()).await, rpms, "the noarch one once");

    let logs = hub.call("getBuildLogs", json!([good.nvr()])).await;
    for arch in [OWN, OTHER] {
        let has = |name: &str| logs.as_array().unwrap().iter().any(|log| log["dir"] == arch && log["name"] == name);
        assert!(has("build.log") && has("root.log") && has("state.log"), "{arch}: {logs}");
        let rpm = hub.call("getRPM", json!([format!("good-1.0-1.{arch}")])).await;
        let buildroot = hub.call("getBuildroot", json!([rpm["buildroot_id"]])).await;
        assert_eq!(buildroot["arch"], arch, "{buildroot}");
    }
    hub.fresh_repo("demo").await;
    for arch in [OWN, OTHER] {
        let seen = system.dnf_for(arch, "demo", &["repoquery", "--qf", "%{name}.%{arch}"]).await.well();
        let mut names: Vec<&str> = seen.out.split_whitespace().collect();
        names.sort_unstable();
        let own = format!("good.{arch}");
        assert_eq!(names, ["good-data.noarch", own.as_str()], "{}", seen.all());
    }
}

async fn sources_say_which(system: &System) {
    let hub = &system.hub;
    for (release, preamble, arch, builder) in [
        (2, "ExclusiveArch: aarch64", OTHER, 1),
        (3, "ExcludeArch: aarch64", OWN, 0),
        (4, "ExclusiveArch: x86_64 s390x", OWN, 0),
    ] {
        let task = hub.build(&system.srpm(&Golden::good(release).with(preamble)), json!({})).await;
        hub.closes(task).await;
        assert_eq!(built_by(system, task).await, BTreeMap::from([(arch.to_owned(), builder)]), "{preamble}");
    }
    let nowhere = Golden::good(5).with("ExclusiveArch: s390x");
    let task = hub.build(&system.srpm(&nowhere), json!({})).await;
    assert_eq!(hub.ended(task).await, TaskState::Failed);
    let fault = hub.fault(task).await;
    assert!(fault.contains("No valid arches were found") && fault.contains("s390x"), "{fault}");
}

/// By each host's own queue; and by the next heartbeat, where that hands out nothing.
async fn cancel_ends_all_children(system: &System) {
    let hub = &system.hub;
    let heartbeat = Duration::from_secs(u64::from(LEASE) / 3);
    for (release, queues_are_dead) in [(1, false), (2, true)] {
        let marker = format!("3600.099{release}");
        let package = Golden::runs_away(release, &marker);
        let task = hub.build(&system.srpm(&package), json!({})).await;
        let all = 2 * PROCESSES;
        until("all that the builds run", SOON, async || (running(&marker) == all).then_some(())).await;
        if queues_are_dead {
            system.delay_messages("host-", 900).await;
        }
        let begun = Instant::now();
        let _ = system.toji(&["cancel", &task.to_string()]).await.well();
        let told = begun.elapsed();
        until("the end of what the builds run", SOON, async || (running(&marker) == 0).then_some(())).await;
        let took = begun.elapsed();
        let way = if queues_are_dead { "at a heartbeat" } else { "by the hosts' queues" };
        println!(
            "{all} processes of two builds were ended {took:?} after `toji cancel` began, {way}; it took {told:?}"
        );
        if queues_are_dead {
            assert!(took < heartbeat * 2, "the next heartbeat was due");
            system.delay_messages("host-", 0).await;
        } else {
            // two builders, each at its heartbeat, would need two thirds of the pace on average
            assert!(took < heartbeat / 2, "an order reaches a builder at once");
        }
        assert_eq!(hub.ended(task).await, TaskState::Canceled);
        let children = hub.call("getTaskChildren", json!([task])).await;
        let is_over = |child: &Json| child["method"] != "buildArch" || child["state"] == i64::from(TaskState::Canceled);
        assert!(children.as_array().unwrap().iter().all(is_over), "{children}");
        assert_eq!(hub.build_state(&package.nvr()).await, BuildState::Canceled);
    }
}

async fn noarch_is_built_by_either(system: &mut System) {
    for (release, gone, left) in [(1, 0, 1), (2, 1, 0)] {
        system.stop(Part::Builder(gone));
        let task = system.hub.build(&system.srpm(&Golden::noarch(release)), json!({})).await;
        system.hub.closes(task).await;
        assert_eq!(built_by(system, task).await, BTreeMap::from([("noarch".to_owned(), left)]));
        system.revive(Part::Builder(gone)).await;
    }
}

/// It waits, and is done once there is one.
async fn a_task_without_a_builder_says_so(system: &mut System) {
    let hub = system.hub.clone();
    let _ = system.toji(&["disable-host", "builder-1"]).await.well();
    let task = hub.build(&system.srpm(&Golden::good(9)), json!({})).await;
    let why = "No enabled host takes buildArch tasks for aarch64 in channel default";
    let waiting = until("a task that waits", SOON, async || {
        let children = hub.call("getTaskChildren", json!([task])).await;
        children.as_array()?.iter().find(|child| child["label"] == OTHER)?["id"].as_i64()
    })
    .await;
    let shown = until("the reason", SOON, async || {
        let shown = system.toji(&["taskinfo", &waiting.to_string()]).await.well();
        if !shown.out.contains("Waits: ") {
            // a program a time is enough
            sleep(Duration::from_millis(300)).await;
            return None;
        }
        Some(shown)
    })
    .await;
    shown.has(&["State: free", &format!("Waits: {why}")]);
    let said =
        hub.call("scheduler.getLogMessages", json!({"clauses": [["task_id", waiting]], "fields": ["msg"]})).await;
    assert_eq!(said, json!([{"msg": why}]), "once");
    let _ = system.toji(&["enable-host", "builder-1"]).await.well();
    hub.closes(task).await;
    hub.assert_quiet().await;
}
