//! What builders do besides building: commands in chroots, what failed builds leave, subtasks, restarts.

use serde_json::{Value as Json, json};
use toji_protocol::state::TaskState;
use toji_tests::{Golden, SOON, System, Wishes, koji, until};

async fn make(system: &System, method: &str, arguments: Json) -> i64 {
    let asked = json!({"method": method, "arglist": arguments});
    system.hub.call("makeTask", asked).await.as_i64().unwrap()
}

async fn output(system: &System, task: i64, name: &str) -> Vec<u8> {
    let said = system.hub.call("downloadTaskOutput", json!([task, name])).await;
    base64::Engine::decode(&base64::prelude::BASE64_STANDARD, said.as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn commands_subtasks_failed_trees_and_restarts() {
    let mut system = System::start(Wishes::default()).await;
    let hub = system.hub.clone();
    let nested = make(&system, "subtask", json!([2])).await;
    let waits = make(&system, "waittest", json!([3, 0.1])).await;

    // There is no repo yet: the command waits for one as a subtask, on the only builder, which goes on with other tasks.
    hub.call("addChannel", json!(["runroot"])).await;
    let host = hub.call("listHosts", json!([])).await[0]["name"].clone();
    hub.call("addHostToChannel", json!([host, "runroot"])).await;
    let command = json!({"tagInfo": "demo-build", "arch": std::env::consts::ARCH, "command": "id -u; ls /usr/bin/make",
        "packages": ["make"]});
    let command = hub.call("runroot", command).await.as_i64().unwrap();
    for task in [nested, waits, command] {
        hub.closes(task).await;
    }
    assert!(hub.child(command, "waitrepo").await.is_some());
    assert_eq!(output(&system, command, "runroot.log").await, b"0\n/usr/bin/make\n");
    let slept = hub.call("getTaskChildren", json!([waits])).await;
    assert_eq!(slept.as_array().unwrap().len(), 3);

    let failed = hub.build(&system.srpm(&Golden::fails_in_build(1)), json!({})).await;
    assert_eq!(hub.ended(failed).await, TaskState::Failed);
    let build_arch = hub.child(failed, "buildArch").await.unwrap();
    let usage = hub.call("getTaskUsage", json!([build_arch])).await;
    let [usage] = usage.as_array().unwrap().as_slice() else { panic!("one attempt: {usage}") };
    assert_eq!((&usage["attempt"], &usage["outcome"]), (&json!(1), &json!("failed")));
    for key in ["written_bytes", "uploaded_bytes"] {
        assert!(usage[key].as_i64().unwrap() > 0, "{key}: {usage}");
    }
    assert!(usage["cpu_seconds"].is_f64(), "a short build may take less than the kernel counts: {usage}");
    let shown = system.toji(&["taskinfo", &build_arch.to_string()]).await.well();
    shown.has(&["Took: ", " of processors"]);
    let roots = hub.call("listBuildroots", json!({"taskID": build_arch})).await;
    let root = roots[0]["id"].as_i64().unwrap();
    let saved = hub.call("saveFailedTree", json!({"buildrootID": root})).await.as_i64().unwrap();
    hub.closes(saved).await;
    let tree = output(&system, saved, &format!("broot-{root}.tar.gz")).await;
    assert_eq!(tree[..2], [0x1f, 0x8b], "it is packed by gzip");

    let restart = hub.call("restartHosts", json!({"options": {"channel": "default"}})).await.as_i64().unwrap();
    until("the builder's end", SOON, async || system.builder_has_ended(0).then_some(())).await;
    assert!(!hub.task_state(restart).await.is_final(), "it is not back yet");
    system.start_builder(0).await;
    hub.closes(restart).await;
    let again = hub.call("saveFailedTree", json!({"buildrootID": root, "full": true})).await.as_i64().unwrap();
    hub.closes(again).await;
    hub.assert_quiet().await;
}

/// Both texts are Python that sets `config_opts`; prints what differs.
const COMPARE: &str = r#"
import collections, configparser, json, sys
def read(name):
    config_opts = collections.defaultdict(dict)
    exec(open(name, encoding="utf-8").read(), {"config_opts": config_opts})
    # Where in it an option stands is each's own affair, and under which of its two names mock is told.
    conf = configparser.ConfigParser(interpolation=None)
    conf.read_string(config_opts.pop("dnf.conf", None) or config_opts.pop("yum.conf"))
    for section in conf.sections():
        config_opts["conf"].update(conf[section])
    return {key: dict(value) if isinstance(value, dict) else value for key, value in config_opts.items()}
ours, theirs = read(sys.argv[1]), read(sys.argv[2])
differing = {}
for key in sorted(set(ours) | set(theirs)):
    one, two = ours.get(key), theirs.get(key)
    if isinstance(one, dict) and isinstance(two, dict):
        for inner in sorted(set(one) | set(two)):
            if one.get(inner) != two.get(inner):
                differing[key + "/" + inner] = [one.get(inner), two.get(inner)]
    elif one != two:
        differing[key] = [one, two]
print(json.dumps(differing))
"#;

#[tokio::test]
async fn mock_is_configured_as_kojis_client_says() {
    if koji().is_none() {
        eprintln!("skipped: TOJI_TEST_KOJI is not set");
        return;
    }
    let system = System::start(Wishes { builders: 0, ..Wishes::default() }).await;
    let folder = system.folder("koji");
    let extra = json!({"rpm.macro.dist": ".fc42", "rpm.macro.vendor": "Us", "rpm.env.CC": "clang", "mock.releasever": "42",
        "mock.package_manager": "dnf", "mock.module_setup_commands": [["enable", "ruby:2.7"]], "mock.yum.best": 1,
        "mock.yum.module_hotfixes": 1, "mock.use_bootstrap": false, "rpm.macro._topdir": "/etc"});
    system.hub.call("editTag2", json!({"tagInfo": "demo-build", "extra": extra})).await;
    let arguments = ["mock-config", "--tag", "demo-build", "--arch", "x86_64", "--latest", "name"];
    let ours = system.toji(&arguments).await.well().out;
    let theirs = system.koji(&folder, &arguments).await.unwrap().well().out;
    for (name, text) in [("ours", &ours), ("theirs", &theirs), ("compare.py", &COMPARE.to_owned())] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let compared =
        std::process::Command::new("python3").args(["compare.py", "ours", "theirs"]).current_dir(&folder).output();
    let compared = compared.unwrap();
    assert!(compared.status.success(), "{}\n{ours}\n{theirs}", String::from_utf8_lossy(&compared.stderr));
    let differing: serde_json::Map<String, Json> = serde_json::from_slice(&compared.stdout).unwrap();
    let mut keys: Vec<&str> = differing.keys().map(String::as_str).collect();
    // Who makes packages is each's own; builds are isolated here, and what was installed is locked.
    keys.retain(|key| {
        let own = ["isolation", "plugin_conf/buildroot_lock_enable"];
        !own.contains(key) && !["macros/%_host", "macros/%distribution", "macros/%packager"].contains(key)
    });
    // Koji's builder hands the environment on, its client forgets it.
    assert_eq!(keys, ["environment"], "{differing:?}");
    let refused = system.toji(&["mock-config", "--tag", "nowhere", "--arch", "x86_64", "name"]).await;
    assert_ne!(refused.code, Some(0));
    assert!(refused.all().contains("nowhere"), "{}", refused.all());
    let without = system.toji(&["mock-config", "--tag", "demo-build", "--arch", "x86_64", "name"]).await;
    assert!(without.all().contains("has no repo yet"), "{}", without.all());
}
