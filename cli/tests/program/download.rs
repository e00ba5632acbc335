//! Files from the top URL, and logs from the hub.

use std::fs;

use serde_json::{Value, json};

use crate::{
    hub::Hub,
    run::{at, run},
};

fn rpm(arch: &str, name: &str, size: usize) -> Value {
    json!({"arch": arch, "build_id": 1, "buildroot_id": null, "buildtime": 1, "draft": false, "epoch": null,
        "external_repo_id": 0, "external_repo_name": "INTERNAL", "extra": null, "id": 7, "metadata_only": false, "name": name,
        "payloadhash": "abcd", "release": "1", "size": size, "version": "1.0"})
}

fn hub() -> Hub {
    let hub = Hub::start();
    hub.answers("getBuild", json!({"build_id": 1, "cg_id": null, "completion_time": null, "completion_ts": null,
        "creation_event_id": 40, "creation_time": "2026-11-21 00:00:14+00:00", "creation_ts": 1.0, "draft": false, "epoch": null,
        "extra": null, "id": 1, "name": "hello", "nvr": "hello-1.0-1", "owner_id": 1, "owner_name": "admin", "package_id": 1,
        "package_name": "hello", "promoter_id": null, "promoter_name": null, "promotion_time": null, "promotion_ts": null,
        "release": "1", "source": null, "start_time": null, "start_ts": null, "state": 1, "task_id": 4, "version": "1.0",
        "volume_id": 0, "volume_name": "DEFAULT", "cg_name": null}));
    hub
}

const RPM: &str = "/kojifiles/packages/hello/1.0/1/x86_64/hello-1.0-1.x86_64.rpm";

#[test]
fn a_build_is_taken_up_where_it_broke_off() {
    let hub = hub();
    hub.answers("listRPMs", json!([rpm("x86_64", "hello", 10), rpm("x86_64", "hello-debuginfo", 5)]));
    hub.file(RPM, b"0123456789");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hello-1.0-1.x86_64.rpm.part"), b"0123").unwrap();
    let download = || {
        let mut command = at(&hub, "download-build hello-1.0-1");
        command.current_dir(folder.path());
        run(command)
    };
    let ran = download();
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(ran.out, "Downloading: hello-1.0-1.x86_64.rpm\n");
    assert_eq!(fs::read(folder.path().join("hello-1.0-1.x86_64.rpm")).unwrap(), b"0123456789");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no part is left, and no debuginfo was wanted");
    assert_eq!(download().out, "hello-1.0-1.x86_64.rpm is there already\n");
}

#[test]
fn a_file_of_the_wrong_size_is_not_kept() {
    let hub = hub();
    hub.answers("listRPMs", json!([rpm("x86_64", "hello", 12)]));
    hub.file(RPM, b"0123456789");
    let folder = tempfile::tempdir().unwrap();
    let mut command = at(&hub, "download-build hello-1.0-1");
    command.current_dir(folder.path());
    let ran = run(command);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("it has 10 bytes where 12 were expected"), "{}", ran.err);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_missing_file_says_which() {
    let hub = hub();
    hub.answers("listRPMs", json!([rpm("x86_64", "hello", 12)]));
    let ran = run(at(&hub, "download-build hello-1.0-1"));
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.starts_with("toji: cannot fetch packages/hello/1.0/1/x86_64/hello-1.0-1.x86_64.rpm: "),
        "{}",
        ran.err
    );
}

#[test]
fn logs_go_into_a_folder_a_task() {
    let hub = hub();
    let task = json!({"arch": "x86_64", "awaited": null, "channel_id": 1, "completion_time": null, "completion_ts": null,
        "create_time": "2026-11-21 00:00:13+00:00", "create_ts": 1.0, "host_id": null, "id": 5, "label": null,
        "method": "buildArch", "owner": 1, "parent": 4, "priority": 20, "start_time": null, "start_ts": null, "state": 5,
        "waiting": null, "weight": 1.0});
    hub.answers("getTaskInfo", task);
    hub.answers("listTaskOutput", json!(["build.log", "hello.rpm"]));
    hub.answers("downloadTaskOutput", json!("b25lCg==")).answers("downloadTaskOutput", json!(""));
    hub.answers("getTaskResult", json!({"faultCode": 1005, "faultString": "it broke"}));
    let folder = tempfile::tempdir().unwrap();
    let mut command = at(&hub, "download-logs 5");
    command.current_dir(folder.path());
    let ran = run(command);
    assert_eq!(
        ran.out, "Writing: kojilogs/x86_64-5/build.log\nWriting: kojilogs/x86_64-5/task_failed.log\n",
        "{}",
        ran.err
    );
    let logs = folder.path().join("kojilogs/x86_64-5");
    assert_eq!(fs::read_to_string(logs.join("build.log")).unwrap(), "one\n");
    assert_eq!(fs::read_to_string(logs.join("task_failed.log")).unwrap(), "it broke\n");
}
