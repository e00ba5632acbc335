//! What is shown, and how it ends.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::json;

use crate::{
    hub::Hub,
    run::{at, run, toji},
};

fn user() -> serde_json::Value {
    json!({"id": 1, "name": "admin", "status": 0, "usertype": 0, "krb_principals": [], "authtype": 0, "krb_principal": null})
}

#[test]
fn greets_who_is_logged_in() {
    let hub = Hub::start();
    hub.answers("getLoggedInUser", user());
    let ran = run(at(&hub, "moshimoshi"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(ran.out.contains(", admin!\n\nYou are using the hub at http://127.0.0.1:"), "{}", ran.out);
    assert_eq!(hub.call("getLoggedInUser").token.as_deref(), Some("secret"));
}

#[test]
fn a_wrong_token_is_said_to_be_one() {
    let hub = Hub::start();
    hub.refuses("getLoggedInUser", 401, 1002, "invalid token");
    let ran = run(at(&hub, "hello"));
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.err, "toji: invalid token (the token comes from --token, TOJI_TOKEN or the profile)\n");
    assert_eq!(ran.out, "");
}

#[test]
fn listings_are_text_or_json() {
    let hub = Hub::start();
    let target = json!([{"id": 1, "name": "demo", "build_tag": 2, "build_tag_name": "demo-build", "dest_tag": 1,
        "dest_tag_name": "demo", "new_member": [1]}]);
    hub.answers("getBuildTargets", target.clone());
    let text = run(at(&hub, "list-targets"));
    insta::assert_snapshot!(text.out, @r"
    Name                            Buildroot                       Destination
    ------------------------------  ------------------------------  ------------------------------
    demo                            demo-build                      demo
    ");
    assert_eq!(run(at(&hub, "list-targets -q")).out.lines().count(), 1);
    let json: serde_json::Value = serde_json::from_str(&run(at(&hub, "list-targets --json")).out).unwrap();
    assert_eq!(json, target, "as the hub gave it, whatever this program knows of it");
}

#[test]
fn call_takes_literals_and_prints_json() {
    let hub = Hub::start();
    hub.answers(
        "_listapi",
        json!([{"name": "getTag", "doc": null, "argdesc": "(tagInfo, strict=False)", "args": [],
        "argspec": {"args": ["tagInfo", "strict"], "varargs": null}}]),
    );
    hub.answers("getTag", json!({"id": 1, "name": "f42"}));
    let ran = run(at(&hub, "call getTag f42 strict=True"));
    assert_eq!(ran.out, "{\n  \"id\": 1,\n  \"name\": \"f42\"\n}\n");
    assert_eq!(hub.call("getTag").arguments, json!({"strict": true, "tagInfo": "f42"}));
    hub.answers("echo", json!([1, null]));
    assert_eq!(run(at(&hub, "call echo 1 None")).code, Some(0));
    assert_eq!(hub.call("echo").arguments, json!([1, null]));
    let unknown = run(at(&hub, "call nonsense 1 a=2"));
    assert_eq!(
        (unknown.code, unknown.err.as_str()),
        (Some(1), "toji: the hub has no method 'nonsense'; see toji list-api\n")
    );
}

#[test]
fn nobody_reads_on() {
    let hub = Hub::start();
    let tag = |id: i64| {
        json!({"id": id, "name": format!("a-rather-long-tag-name-{id:05}"), "arches": null, "locked": false,
        "maven_support": false, "maven_include_all": false, "perm_id": null})
    };
    // Far more than a pipe holds.
    hub.answers("listTags", (0..20_000).map(tag).collect());
    let mut child = at(&hub, "list-tags").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(first, "a-rather-long-tag-name-00000\n");
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(141), &b""[..]));
}

#[test]
fn a_profile_names_the_hub() {
    let hub = Hub::start();
    hub.answers("getKojiVersion", json!("1.35.3"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("toji")).unwrap();
    let file = folder.path().join("toji/config.toml");
    std::fs::write(&file, format!("[profile.here]\nserver = '{}'\ntoken = 'mine'\n", hub.url)).unwrap();
    let mut command = toji("-p here version");
    command.env("XDG_CONFIG_HOME", folder.path());
    let ran = run(command);
    assert!(ran.out.ends_with("Hub:    1.35.3\n"), "{}", ran.out);
    assert_eq!(hub.call("getKojiVersion").token.as_deref(), Some("mine"));
    assert!(ran.err.contains("chmod 600"), "others may read the file: {}", ran.err);
}

#[test]
fn completions_need_no_hub() {
    let ran = run(toji("completions bash"));
    assert_eq!(ran.code, Some(0));
    assert!(ran.out.contains("list-tag-inheritance"));
}
