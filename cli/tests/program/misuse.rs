//! Bad input: a clear line, and nothing half done.

use std::{fs, net::TcpListener};

use serde_json::{Value, json};

use crate::{
    hub::Hub,
    run::{at, run, source_rpm, toji},
};

#[test]
fn help_groups_the_commands() {
    let ran = run(toji("--help"));
    assert_eq!(ran.code, Some(0));
    for part in ["Build:\n  build ", "Watch and wait:\n  watch-task ", "Examples:\n  toji hello", "--server <URL>"] {
        assert!(ran.out.contains(part), "no {part:?} in\n{}", ran.out);
    }
    let build = run(toji("build --help"));
    assert!(build.out.contains("\n  toji build f42 foo-1.0-1.src.rpm\n"), "{}", build.out);
}

#[test]
fn misuse_ends_with_2() {
    for words in ["", "nonsense", "build", "list-tags --nonsense", "watch-task x"] {
        let ran = run(toji(words));
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{words}");
        assert!(ran.err.contains("--help"), "{}", ran.err);
    }
}

#[test]
fn no_hub_is_named() {
    let ran = run(toji("hello"));
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.starts_with("toji: no hub is named: pass --server URL, set TOJI_SERVER"), "{}", ran.err);
    let ran = run(toji("--server hub.example.com hello"));
    assert_eq!(ran.err, "toji: 'hub.example.com' is no address of a hub: it begins with https:// or http://\n");
}

#[test]
fn what_is_no_source_rpm_is_not_sent() {
    let hub = Hub::start();
    let folder = tempfile::tempdir().unwrap();
    let zip = folder.path().join("a.src.rpm");
    fs::write(&zip, "PK a zip file").unwrap();
    let ran = run(at(&hub, &format!("build demo {}", zip.display())));
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("a.src.rpm is no RPM: build from a .src.rpm file"), "{}", ran.err);
    let ran = run(at(&hub, "build demo /nowhere/b.src.rpm"));
    assert_eq!(ran.err, "toji: cannot read /nowhere/b.src.rpm: No such file or directory (os error 2)\n");
    assert!(hub.seen().is_empty(), "the hub was not even asked");
}

#[test]
fn a_missing_target_is_found_before_the_upload() {
    let hub = Hub::start();
    hub.answers("getBuildTarget", Value::Null);
    let folder = tempfile::tempdir().unwrap();
    let ran = run(at(&hub, &format!("build nowhere {}", source_rpm(folder.path()))));
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), "toji: unknown build target: nowhere; see toji list-targets\n"));
    assert_eq!(hub.seen().len(), 1);
}

#[test]
fn a_locked_tag_is_found_before_the_upload() {
    let hub = Hub::start();
    hub.answers(
        "getBuildTarget",
        json!({"id": 1, "name": "demo", "build_tag": 2, "build_tag_name": "demo-build",
        "dest_tag": 1, "dest_tag_name": "demo"}),
    );
    hub.answers(
        "getTag",
        json!({"id": 1, "name": "demo", "arches": null, "locked": true, "maven_support": false,
        "maven_include_all": false, "perm": null, "perm_id": null, "extra": {}}),
    );
    let folder = tempfile::tempdir().unwrap();
    let ran = run(at(&hub, &format!("build demo {}", source_rpm(folder.path()))));
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), "toji: the destination tag demo is locked\n"));
}

#[test]
fn a_fault_is_one_line() {
    let hub = Hub::start();
    hub.refuses("createTag", 400, 1000, "A tag with the name 'demo' already exists");
    let ran = run(at(&hub, "add-tag demo"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), "toji: A tag with the name 'demo' already exists\n"));
}

#[test]
fn a_certificate_or_protocol_error_is_not_waited_for() {
    // Speaks, but no TLS.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::Write;
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let ran = run(toji(&format!("--server https://127.0.0.1:{port} --quiet hello")));
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.starts_with(&format!("toji: cannot reach https://127.0.0.1:{port}: ")), "{}", ran.err);
}
