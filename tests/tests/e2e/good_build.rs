//! A build that ends well, and everything it leaves.

use serde_json::{Value as Json, json};
use toji_protocol::state::{BuildState, TaskState};
use toji_tests::{Golden, System, Wishes};

#[tokio::test]
async fn a_good_build_and_what_it_leaves() {
    let system = System::start(Wishes::default()).await;
    let hub = &system.hub;
    let good = Golden::good(1);
    let nvr = good.nvr();
    let task = hub.build(&system.srpm(&good), json!({})).await;
    hub.closes(task).await;

    assert_eq!(hub.build_state(&nvr).await, BuildState::Complete);
    assert_eq!(hub.get_build(&nvr).await["task_id"], task);
    assert_eq!(hub.tagged("demo").await, [nvr.as_str()]);
    assert_eq!(hub.rpms(&nvr).await, ["good-1.0-1.src", "good-1.0-1.x86_64", "good-data-1.0-1.noarch"]);
    let children = hub.call("getTaskChildren", json!([task])).await;
    let mut methods: Vec<&str> =
        children.as_array().unwrap().iter().filter_map(|child| child["method"].as_str()).collect();
    methods.sort_unstable();
    assert_eq!(methods, ["buildArch", "rebuildSRPM", "tagBuild", "waitrepo"]);

    has_its_buildroot(&system, &nvr).await;
    has_results_and_logs(&system, task, &nvr).await;
    is_in_repos(&system, &nvr).await;
    is_told_by_mail(&system, &nvr).await;
    scratch_leaves_nothing(&system).await;
    resubmit_builds_again(&system).await;
    hub.assert_quiet().await;
}

/// Each RPM names the buildroot that it was made in, and that everything that was in it.
async fn has_its_buildroot(system: &System, nvr: &str) {
    let hub = &system.hub;
    let rpm = hub.call("getRPM", json!([format!("{nvr}.x86_64")])).await;
    let buildroot = rpm["buildroot_id"].as_i64().expect("the RPM has a buildroot");
    let row = hub.call("getBuildroot", json!([buildroot])).await;
    assert_eq!((&row["tag_name"], &row["arch"]), (&json!("demo-build"), &json!("x86_64")), "{row}");
    assert_eq!(row["state"], 3, "nobody uses it any more: {row}");

    let inside = hub.call("listRPMs", json!({ "componentBuildrootID": buildroot })).await;
    let inside = inside.as_array().unwrap();
    let make = inside.iter().find(|rpm| rpm["name"] == "make").expect("make was in the buildroot");
    assert_eq!(make["external_repo_name"], "minidistro", "{make}");
    for rpm in inside {
        let hash = rpm["payloadhash"].as_str().unwrap_or_default();
        assert!(hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{rpm}");
        assert_ne!(rpm["external_repo_id"], 0, "{rpm}");
    }
    let listing = hub.call("getBuildrootListing", json!([buildroot])).await;
    assert_eq!(listing.as_array().unwrap().len(), inside.len());
}

async fn has_results_and_logs(system: &System, task: i64, nvr: &str) {
    let hub = &system.hub;
    let build_arch = hub.child(task, "buildArch").await.unwrap();
    let result = hub.call("getTaskResult", json!([build_arch])).await;
    let names = |key: &str| {
        let mut names: Vec<String> = result[key]
            .as_array()
            .unwrap_or_else(|| panic!("no {key} in {result}"))
            .iter()
            .map(|path| path.as_str().unwrap().rsplit('/').next().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("rpms"), [format!("{nvr}.x86_64.rpm"), "good-data-1.0-1.noarch.rpm".to_owned()]);
    assert!(names("logs").contains(&"build.log".to_owned()), "{result}");

    let logs = hub.call("getBuildLogs", json!([nvr])).await;
    let build_log = logs.as_array().unwrap().iter().find(|log| log["name"] == "build.log" && log["dir"] == "x86_64");
    let path = build_log.unwrap_or_else(|| panic!("no build.log in {logs}"))["path"].as_str().unwrap().to_owned();
    let text = file(system, &path).await;
    assert!(text.contains("+ echo brewing"), "{text}");
    let live = hub.call("listTaskOutput", json!([build_arch])).await;
    assert!(live.as_array().unwrap().contains(&json!("root.log")), "{live}");
}

/// A file below the top URL.
async fn file(system: &System, path: &str) -> String {
    let url = format!("{}/kojifiles/{path}", system.url);
    let response = reqwest::get(&url).await.unwrap();
    assert!(response.status().is_success(), "{url}: {}", response.status());
    response.text().await.unwrap()
}

async fn is_in_repos(system: &System, nvr: &str) {
    let hub = &system.hub;
    let repo = hub.fresh_repo("demo").await;
    let row = hub.call("repoInfo", json!([repo])).await;
    assert_eq!((&row["tag_name"], &row["state"]), (&json!("demo"), &json!(1)), "{row}");
    let seen = system.dnf("demo", &["repoquery", "--qf", "%{name}-%{version}-%{release}.%{arch}"]).await.well();
    let mut names: Vec<&str> = seen.out.split_whitespace().collect();
    names.sort_unstable();
    assert_eq!(names, [format!("{nvr}.x86_64").as_str(), "good-data-1.0-1.noarch"], "{}", seen.all());

    // what the build tag's repo merges is there, too, and what is ours wins
    hub.fresh_repo("demo-build").await;
    let seen = system.dnf("demo-build", &["repoquery", "--qf", "%{name}", "make", "good"]).await.well();
    let names: Vec<&str> = seen.out.split_whitespace().collect();
    assert_eq!(names, ["good", "make"], "{}", seen.all());
}

/// Who submitted it is told, and only once: the letter about the build's own tagging is left out.
async fn is_told_by_mail(system: &System, nvr: &str) {
    let letter = system.letter(&format!("Package: {nvr} Tag: demo Status: complete Built by: admin")).await;
    for line in
        ["To: admin@localhost", "X-Koji-Tag: demo", "Auto-Submitted: auto-generated", "    good-1.0-1.x86_64.rpm"]
    {
        assert!(letter.contains(&format!("{line}\r\n")), "'{line}' is not in\n{letter}");
    }
    let letters = std::fs::read_dir(system.dir().join("data/mail")).unwrap().count();
    assert_eq!(letters, 1, "nothing else has happened to it");
    system.hub.call("untagBuild", json!(["demo", nvr])).await;
    system.letter(&format!("{nvr} successfully untagged from demo by admin")).await;
    let tag = system.hub.call("tagBuild", json!(["demo", nvr])).await.as_i64().unwrap();
    system.hub.closes(tag).await;
    system.letter(&format!("{nvr} successfully tagged into demo by admin")).await;
}

async fn scratch_leaves_nothing(system: &System) {
    let hub = &system.hub;
    let scratched = Golden::good(2);
    let task = hub.build(&system.srpm(&scratched), json!({ "scratch": true })).await;
    hub.closes(task).await;
    assert_eq!(hub.get_build(&scratched.nvr()).await, Json::Null);
    assert!(!hub.tagged("demo").await.contains(&scratched.nvr()));
    let build_arch = hub.child(task, "buildArch").await.unwrap();
    let result = hub.call("getTaskResult", json!([build_arch])).await;
    let path = result["rpms"][0].as_str().unwrap();
    let url = format!("{}/kojifiles/work/{path}", system.url);
    let rpm = reqwest::get(&url).await.unwrap().error_for_status().unwrap().bytes().await.unwrap();
    assert_eq!(rpm[..4], [0xed, 0xab, 0xee, 0xdb], "{url} is an RPM");
}

/// Nobody knows the package at first; the same task goes well once somebody does.
async fn resubmit_builds_again(system: &System) {
    let hub = &system.hub;
    let good = Golden::good(3);
    let srpm = system.srpm(&good);
    hub.call("packageListBlock", json!(["demo", "good"])).await;
    let task = hub.build(&srpm, json!({})).await;
    assert_eq!(hub.ended(task).await, TaskState::Failed);
    let fault = hub.fault(task).await;
    assert!(fault.contains("good") && fault.contains("demo"), "{fault}");

    hub.call("packageListUnblock", json!(["demo", "good"])).await;
    let again = hub.call("resubmitTask", json!([task])).await.as_i64().unwrap();
    assert_ne!(again, task);
    hub.closes(again).await;
    assert_eq!(hub.build_state(&good.nvr()).await, BuildState::Complete);
    assert_eq!(hub.tagged("demo").await.first(), Some(&good.nvr()));
}
