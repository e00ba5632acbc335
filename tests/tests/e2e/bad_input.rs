//! What people get wrong, and what they are told: each time one clear line, exit code 1, and nothing half-done.

use std::{fs, path::Path};

use reqwest::StatusCode;
use serde_json::{Value as Json, json};
use toji_protocol::state::{BuildState, TaskState};
use toji_tests::{Golden, System, TOKEN, Wishes};

#[tokio::test]
async fn bad_sources() {
    let system = System::start(Wishes::default()).await;
    no_rpm(&system).await;
    no_target(&system).await;
    the_nvr_exists(&system).await;
    fails_in_build(&system).await;
    needs_what_nobody_has(&system).await;
    system.hub.assert_quiet().await;
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

async fn no_rpm(system: &System) {
    let file = system.dir().join("letter.src.rpm");
    fs::write(&file, "Dear brewer,").unwrap();
    system.toji(&["build", "demo", &shown(&file)]).await.failed_with(&["letter.src.rpm is no RPM"]);
    system.toji(&["build", "demo", "/nowhere/x.src.rpm"]).await.failed_with(&["/nowhere/x.src.rpm", "No such file"]);
    assert_eq!(system.database.number("SELECT count(*) FROM task").await, 0, "nothing was begun");

    // past the command line's own look at it
    let hub = &system.hub;
    let path = hub.upload(&file).await;
    let refused = hub.ask("build", json!({ "src": path, "target": "demo" })).await.unwrap_err().to_string();
    assert!(refused.contains("letter.src.rpm is no source to build from"), "{refused}");
    assert_eq!(system.database.number("SELECT count(*) FROM task").await, 0, "nothing was begun");
    let named_well = system.dir().join("letter-1-1.src.rpm");
    fs::copy(&file, &named_well).unwrap();
    fails_for(system, &named_well, &["letter-1-1.src.rpm is no RPM"]).await;
    // a source RPM that breaks off in its header
    let good = fs::read(system.srpm(&Golden::good(9))).unwrap();
    let torn = system.dir().join("torn-1-1.src.rpm");
    fs::write(&torn, &good[..600]).unwrap();
    fails_for(system, &torn, &["torn-1-1.src.rpm is no RPM", "breaks off"]).await;
    assert_eq!(system.database.number("SELECT count(*) FROM build").await, 0);
}

/// A build from this file fails with a fault that says all of these.
async fn fails_for(system: &System, file: &Path, parts: &[&str]) {
    let task = system.hub.build(file, json!({})).await;
    assert_eq!(system.hub.ended(task).await, TaskState::Failed, "{}", file.display());
    let fault = system.hub.fault(task).await;
    for part in parts {
        assert!(fault.contains(part), "'{part}' is not said by: {fault}");
    }
}

async fn no_target(system: &System) {
    let srpm = shown(&system.srpm(&Golden::good(1)));
    let before = system.database.number("SELECT count(*) FROM task").await;
    system.toji(&["build", "nowhere", &srpm]).await.failed_with(&["unknown build target: nowhere"]);
    let refused = system.hub.ask("build", json!({ "src": "cli-build/x/y.src.rpm", "target": "nowhere" })).await;
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("nowhere"), "{message}");
    assert_eq!(system.database.number("SELECT count(*) FROM task").await, before, "nothing was begun");
}

async fn the_nvr_exists(system: &System) {
    let srpm = shown(&system.srpm(&Golden::good(1)));
    let _ = system.toji(&["build", "demo", &srpm]).await.well();
    let id = system.hub.get_build("good-1.0-1").await["id"].clone();
    let failed = system.toji(&["build", "demo", &srpm]).await;
    assert_eq!(failed.code, Some(1), "{}", failed.all());
    failed.has(&["FAILED: ", "good-1.0-1", "failed"]);
    assert!(failed.out.contains("already") || failed.out.contains("exists"), "{}", failed.all());
    assert_eq!(system.hub.build_state("good-1.0-1").await, BuildState::Complete);
    assert_eq!(system.hub.get_build("good-1.0-1").await["id"], id);
}

async fn fails_in_build(system: &System) {
    let package = Golden::fails_in_build(1);
    let failed = system.toji(&["build", "demo", &shown(&system.srpm(&package))]).await;
    assert_eq!(failed.code, Some(1), "{}", failed.all());
    failed.has(&["buildArch", "build.log", "the yeast is dead", "toji watch-logs"]);
    assert_eq!(system.hub.build_state(&package.nvr()).await, BuildState::Failed);
    assert_eq!(system.hub.rpms(&package.nvr()).await, Vec::<String>::new());
    let subject = format!("Package: {} Tag: demo Status: failed Built by: admin", package.nvr());
    let letter = system.letter(&subject).await;
    assert!(letter.contains("buildArch (x86_64) on builder-0 failed:"), "{letter}");
}

async fn needs_what_nobody_has(system: &System) {
    let package = Golden::needs_what_nobody_has(1);
    let failed = system.toji(&["build", "demo", &shown(&system.srpm(&package))]).await;
    assert_eq!(failed.code, Some(1), "{}", failed.all());
    failed.has(&["root.log", "unobtainium"]);
    assert_eq!(system.hub.build_state(&package.nvr()).await, BuildState::Failed);
}

#[tokio::test]
async fn bad_requests() {
    let system = System::start(Wishes { builders: 0, ..Wishes::default() }).await;
    let post = async |path: &str, kind: &str, token: &str, body: String| {
        let request = reqwest::Client::new().post(format!("{}{path}", system.url)).header("content-type", kind);
        let response = request.header("authorization", format!("Bearer {token}")).body(body).send().await.unwrap();
        let status = response.status();
        (status, response.text().await.unwrap())
    };
    let xml = "text/xml";
    for malformed in ["<methodCall><methodName>getTag", "no XML at all", "", "<a/>"] {
        let (status, said) = post("/kojihub", xml, TOKEN, malformed.to_owned()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{malformed}: {said}");
    }
    let huge = format!(
        "<?xml version='1.0'?><methodCall><methodName>echo</methodName><params><param><value><string>{}</string>\
         </value></param></params></methodCall>",
        "x".repeat(5 << 20)
    );
    let (status, said) = post("/kojihub", xml, TOKEN, huge).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{said:.300}");

    let (status, said) = post("/api/getTag", "application/json", TOKEN, "{\"tagInfo\": ".to_owned()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{said}");
    for wrong in ["wrong", "", "wrong-wrong-wrong"] {
        let (status, said) = post("/api/createTag", "application/json", wrong, "{\"name\": \"x\"}".to_owned()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{said}");
        let problem: Json = serde_json::from_str(&said).unwrap();
        assert_eq!(problem["faultCode"], 1002, "{said}");
    }
    system.toji_as("wrong", &["add-tag", "x"]).await.failed_with(&["TOJI_TOKEN"]);
    let folder = system.folder("koji");
    if let Some(refused) = system.koji_as("wrong", &folder, &["add-tag", "x"]).await {
        assert_eq!(refused.code, Some(1), "{}", refused.all());
    }
    system.toji(&["buildinfo", "nothing-1-1"]).await.failed_with(&["nothing-1-1"]);
    system.toji(&["call", "noSuchMethod"]).await.failed_with(&["noSuchMethod"]);
    system.toji(&["add-pkg", "nowhere", "x"]).await.failed_with(&["nowhere"]);
    system.toji(&["add-tag", "demo"]).await.failed_with(&["demo"]);
    assert_eq!(system.hub.call("getTag", json!(["x"])).await, Json::Null);
    system.hub.assert_quiet().await;
}
