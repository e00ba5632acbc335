//! A build from the file to its end, as its user sees it.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    hub::Hub,
    run::{at, run, source_rpm},
};

fn task(id: i64, method: &str, state: i64, request: Value) -> Value {
    json!({"arch": "noarch", "awaited": null, "channel_id": 1, "completion_time": null, "completion_ts": null,
        "create_time": "2026-11-21 00:00:13+00:00", "create_ts": 1795219213.0, "host_id": if state == 1 { Some(1) } else { None },
        "id": id, "label": null, "method": method, "owner": 1, "parent": null, "priority": 20, "start_time": null,
        "start_ts": null, "state": state, "waiting": null, "weight": 1.0, "request": request})
}

fn build(state: i64) -> Value {
    json!([task(4, "build", state, json!(["cli-build/x/hello-1.0-1.src.rpm", "demo", {}]))])
}

fn arch(state: i64) -> Value {
    json!({"4": [task(5, "buildArch", state, json!(["cli-build/x/hello-1.0-1.src.rpm", 2, "x86_64", true, {}]))]})
}

/// A hub that takes an upload and starts task 4.
fn hub() -> Hub {
    let hub = Hub::start();
    hub.answers(
        "getBuildTarget",
        json!({"id": 1, "name": "demo", "build_tag": 2, "build_tag_name": "demo-build",
        "dest_tag": 1, "dest_tag_name": "demo"}),
    );
    hub.answers(
        "getTag",
        json!({"id": 1, "name": "demo", "arches": null, "locked": false, "maven_support": false,
        "maven_include_all": false, "perm": null, "perm_id": null, "extra": {}}),
    );
    hub.answers("upload.start", json!({"upload_id": "u", "part_size": 8 << 20, "urls": [format!("{}/part", hub.url)]}));
    hub.answers("upload.finish", Value::Null);
    hub.answers("build", json!(4));
    hub.answers(
        "getHost",
        json!({"arches": "x86_64", "capacity": 2.0, "comment": null, "description": null, "enabled": true,
        "id": 1, "name": "builder1", "ready": true, "task_load": 0.0, "update_ts": null, "user_id": 4}),
    );
    hub
}

fn started(hub: &Hub, options: &str) -> Command {
    let folder = tempfile::tempdir().unwrap();
    let command = at(hub, &format!("build {options} demo {}", source_rpm(folder.path())));
    // The program reads the file only after this returns.
    let _ = folder.keep();
    command
}

/// Without the lines that differ from run to run.
fn steady(out: &str, hub: &Hub) -> String {
    let lines = out.lines().filter(|line| !line.starts_with("Uploading srpm"));
    lines.collect::<Vec<_>>().join("\n").replace(&hub.url, "HUB")
}

#[test]
fn ends_well() {
    let hub = hub();
    hub.answers("getTaskInfo", build(0)).answers("getTaskInfo", build(1)).answers("getTaskInfo", build(2));
    hub.answers("getTaskDescendents", json!({})).answers("getTaskDescendents", arch(1));
    hub.answers("getTaskDescendents", arch(2));
    // "making\nlin", "es\n"
    hub.answers("downloadTaskOutput", json!("bWFraW5nCmxpbg==")).answers("downloadTaskOutput", json!(""));
    hub.answers("downloadTaskOutput", json!("ZXMK")).answers("downloadTaskOutput", json!(""));
    let ran = run(started(&hub, "--log"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    insta::assert_snapshot!(steady(&ran.out, &hub), @r"
    Created task: 4
    Task info: toji taskinfo 4
    Watching tasks (this may be safely interrupted)...
    4 build (demo, hello-1.0-1.src.rpm): free
    4 build (demo, hello-1.0-1.src.rpm): free -> open (builder1)
      5 buildArch (hello-1.0-1.src.rpm, x86_64): open (builder1)
    ==> 5 build.log <==
    making
    4 build (demo, hello-1.0-1.src.rpm): open (builder1) -> closed
      0 free  0 open  2 done  0 failed
      5 buildArch (hello-1.0-1.src.rpm, x86_64): open (builder1) -> closed
      0 free  0 open  2 done  0 failed
    ==> 5 build.log <==
    lines

    4 build (demo, hello-1.0-1.src.rpm) completed successfully
    ");

    let sent = hub.call("upload.finish").arguments;
    let path = sent["path"].as_str().unwrap();
    assert!(path.starts_with("cli-build/") && path.ends_with("/hello-1.0-1.src.rpm"), "{path}");
    assert_eq!(sent["parts"].as_array().unwrap().len(), 1);
    assert_eq!(hub.call("build").arguments["src"], json!(path));
    assert_eq!(hub.call("PUT /part").token, None, "the token is not for the store");
}

#[test]
fn ends_badly() {
    let hub = hub();
    hub.answers("getTaskInfo", build(1)).answers("getTaskInfo", build(5));
    hub.answers("getTaskDescendents", arch(1)).answers("getTaskDescendents", arch(5));
    hub.answers("getTaskResult", json!({"faultCode": 1005, "faultString": "error building package; see build.log"}));
    let ran = run(started(&hub, "--no-log"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    let out = steady(&ran.out, &hub);
    assert!(out.contains("open (builder1) -> FAILED: error building package; see build.log\n"), "{out}");
    assert!(out.ends_with("4 build (demo, hello-1.0-1.src.rpm) failed\nIts logs: toji watch-logs 5"), "{out}");
}

#[test]
fn is_only_started() {
    let hub = hub();
    let ran = run(started(&hub, "--nowait --scratch --arch-override x86_64 --background"));
    assert_eq!((ran.code, steady(&ran.out, &hub).as_str()), (Some(0), "Created task: 4\nTask info: toji taskinfo 4"));
    let sent = hub.call("build").arguments;
    assert_eq!(sent["opts"], json!({"scratch": true, "arch_override": "x86_64"}));
    assert_eq!((&sent["priority"], &sent["target"]), (&json!(5), &json!("demo")));
    let json = run(started(&hub, "--nowait --json"));
    assert_eq!(json.out, "{\n  \"task_id\": 4\n}\n");
}

#[test]
fn goes_on_when_the_watching_is_interrupted() {
    let hub = hub();
    hub.answers("getTaskInfo", build(1)).answers("getTaskDescendents", json!({}));
    let mut child = started(&hub, "--wait").stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("open (builder1)") {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "it ended");
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(rest, "\nThe tasks go on. Watch them again with: toji watch-task 4\n");
    assert!(!hub.seen().iter().any(|seen| seen.name.starts_with("cancel")));
}
