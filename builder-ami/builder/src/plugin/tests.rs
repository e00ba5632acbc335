use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::json;
use toji_protocol::value::to_value;

use super::*;
use crate::testing::Lab;

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn config(dir: &Path) -> Config {
    let dir = dir.display();
    let text =
        format!("server='http://h'\nname='b'\nstate_dir='/s'\narches=['i386']\nbuildroot='bwrap'\nplugin_dir='{dir}'");
    toml::from_str(&text).unwrap()
}

#[test]
fn what_plugins_say_of_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(&dir.join("run"), "#!/bin/sh\n", 0o755);
    write(&dir.join("README.md"), "not a plugin", 0o666);
    let all = "method = 'acme.thing'\nprogram = 'run'\nargs = ['-x']\nweight = 2.5\nchannel = 'big'\narches = ['i686']\n\
               uid = 99\ntimeout = 7\n";
    write(&dir.join("a.toml"), all, 0o644);
    write(&dir.join("b.toml"), "method = 'least'\nprogram = '/bin/true'\n", 0o600);
    write(&dir.join("c.toml"), "method = 'elsewhere'\nprogram = 'run'\narches = ['s390x', 'ppc64le']\n", 0o644);
    let found: Vec<Plugin> = manifest::load(dir, &config(dir)).unwrap().into_iter().map(|(_, plugin)| plugin).collect();
    let thing = Plugin {
        method: "acme.thing".to_owned(),
        program: dir.join("run"),
        args: vec!["-x".to_owned()],
        weight: 2.5,
        channel: Some("big".to_owned()),
        uid: Some(99),
        timeout: Duration::from_secs(7),
    };
    let least = Plugin {
        method: "least".to_owned(),
        program: "/bin/true".into(),
        args: Vec::new(),
        weight: 1.0,
        channel: None,
        uid: None,
        timeout: Duration::from_secs(24 * 60 * 60),
    };
    assert_eq!(found, [thing, least]);

    let mut handlers = Handlers::own();
    add(&mut handlers, &config(dir)).unwrap();
    let told = serde_json::to_value(handlers.added()).unwrap();
    let wanted = json!([
        {"method": "acme.thing", "weight": 2.5, "channel": "big"},
        {"method": "least", "weight": 1.0, "channel": null},
    ]);
    assert_eq!(told, wanted);
    assert!(handlers.methods().contains(&"acme.thing".to_owned()) && handlers.find("least").is_some());
}

#[test]
fn what_is_wrong_with_a_plugin_is_said() {
    let said = |manifest: &str, mode: u32| {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        write(&dir.join("run"), "#!/bin/sh\n", 0o755);
        write(&dir.join("data"), "", 0o644);
        write(&dir.join("loose"), "", 0o777);
        write(&dir.join("x.toml"), manifest, mode);
        add(&mut Handlers::own(), &config(dir)).unwrap_err().to_string()
    };
    for (manifest, told) in [
        ("program = 'run'", "missing field `method`"),
        ("method = 'x'\nprogram = 'run'\nwieght = 2", "wieght"),
        ("method = 'a/b'\nprogram = 'run'", "'a/b' must begin with a letter"),
        ("method = 'x'\nprogram = 'run'\nweight = -1.0", "weight: must be 0 or more"),
        ("method = 'x'\nprogram = 'run'\ntimeout = 0", "timeout: must be at least 1 s"),
        ("method = 'x'\nprogram = 'run'\narches = ['/']", "'/' is no architecture"),
        ("method = 'x'\nprogram = 'none'", "cannot read"),
        ("method = 'x'\nprogram = 'data'", "chmod +x it"),
        ("method = 'x'\nprogram = 'loose'", "nobody else may write to it"),
        ("method = 'sleep'\nprogram = 'run'", "a handler of the method sleep already"),
        ("method = 'build'\nprogram = 'run'", "a handler of the method build already"),
    ] {
        let said = said(manifest, 0o644);
        assert!(said.contains(told), "{manifest}: {said}");
    }
    assert!(said("method = 'x'\nprogram = 'run'", 0o666).contains("nobody else may write"));
    let nowhere = add(&mut Handlers::own(), &config(Path::new("/no/such"))).unwrap_err();
    assert!(nowhere.to_string().contains("cannot read /no/such"));
}

/// A plugin that is a shell script, and a task for it.
struct Talk {
    lab: Lab,
    plugin: Plugin,
}

impl Talk {
    async fn new(script: &str) -> Self {
        let lab = Lab::with("/nowhere".into(), "").await;
        let program = lab.dir.path().join("plugin");
        write(&program, &format!("#!/bin/sh\n{script}\n"), 0o755);
        let plugin = Plugin {
            method: "thing".to_owned(),
            program,
            args: Vec::new(),
            weight: 1.0,
            channel: None,
            uid: None,
            timeout: Duration::from_secs(60),
        };
        Self { lab, plugin }
    }

    fn task(&self) -> TaskContext {
        let named = to_value(&json!({"__starstar": true, "c": [1.5]})).unwrap();
        self.lab.task(7, "thing", "noarch", vec!["a".into(), 2.into(), named])
    }

    async fn run(&self) -> Result<Value, TaskError> {
        let ctx = self.task();
        let (outcome, ()) = tokio::join!(self.plugin.run(&ctx), async {
            // Nobody here takes the hub's orders, which would wake it.
            if self.plugin_waits() {
                self.lab.hub.until_told("host.awaitSubtasks", 1).await;
                ctx.waits.wake();
            }
        });
        outcome
    }

    fn plugin_waits(&self) -> bool {
        fs::read_to_string(&self.plugin.program).unwrap().contains("wait")
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.lab.hub.work(&format!("tasks/7/7/{name}"))).unwrap()
    }
}

#[tokio::test]
async fn all_that_can_be_said() {
    let talk = Talk::new(
        r#"
read -r task; echo "$task" >task.json; echo "to the log" >&2
echo '{"progress": "at work"}'
echo '{"weight": 2.5}'; read -r answer; echo "$answer" >&2
echo '{"subtask": {"method": "sleep", "label": "one", "arguments": [1], "named": {"b": "x"}, "arch": "x86_64", "priority": 5}}'
read -r answer; echo "$answer" >&2

echo '{"wait": [1001]}'; read -r answer; echo "$answer" >&2
echo '{"upload": "task.json"}'; read -r answer; echo "$answer" >&2
echo '{"upload": {"file": "./task.json", "name": "again.json"}}'; read -r answer; echo "$answer" >&2
echo '{"result": {"a": [1, 2.5, null, "x"]}}'
cat >/dev/null"#,
    )
    .await;
    talk.lab.hub.set_result(Ok(json!({"was": "well"})));
    let result = talk.run().await.unwrap();
    assert_eq!(result, to_value(&json!({"a": [1, 2.5, null, "x"]})).unwrap());

    let hub = &talk.lab.hub;
    let told: serde_json::Value = serde_json::from_str(&talk.file("task.json")).unwrap();
    assert_eq!((&told["arguments"], &told["named"]), (&json!(["a", 2]), &json!({"c": [1.5]})));
    let task = json!({"id": 7, "attempt": 1, "method": "thing", "arch": "noarch", "weight": 1.0, "owner": 1,
        "parent": null});
    assert_eq!(told["task"], task);
    assert_eq!((&told["builder"]["name"], &told["builder"]["arches"]), (&json!("b"), &json!(["x86_64"])));
    assert_eq!(talk.file("again.json"), talk.file("task.json"));
    let log = "to the log\nat work\n{\"weight\":2.5}\n{\"subtask\":1001}\n\
               {\"results\":[{\"task\":1001,\"result\":{\"was\":\"well\"}}]}\n{\"uploaded\":\"task.json\"}\n\
               {\"uploaded\":\"again.json\"}\n";
    assert_eq!((talk.file("thing.log").as_str(), hub.live_log("thing.log").as_str()), (log, log));

    assert_eq!(hub.told("host.setTaskWeight")[0]["weight"], 2.5);
    let subtask = &hub.told("host.startSubtask")[0];
    assert_eq!((&subtask["method"], &subtask["label"]), (&json!("sleep"), &json!("one")));
    assert_eq!(subtask["arglist"], json!([1, {"__starstar": true, "b": "x"}]));
    assert_eq!((&subtask["arch"], &subtask["priority"]), (&json!("x86_64"), &json!(5)));
}

#[tokio::test]
async fn subtasks_that_may_fail() {
    let wait = |words: &str| format!("read -r task; echo '{words}'; read -r answer; echo \"$answer\" >&2");
    let talk = Talk::new(&wait(r#"{"wait": {"tasks": [5], "canfail": true}}"#)).await;
    talk.lab.hub.set_result(Err("it broke".to_owned()));
    assert_eq!(talk.run().await.unwrap(), Value::Nil, "no result is one");
    assert_eq!(
        talk.file("thing.log"),
        "{\"results\":[{\"task\":5,\"fault\":{\"code\":1005,\"message\":\"it broke\"}}]}\n"
    );

    let talk = Talk::new(&wait(r#"{"wait": [5]}"#)).await;
    talk.lab.hub.set_result(Err("it broke".to_owned()));
    let error = talk.run().await.unwrap_err();
    assert_eq!(error.to_string(), "it broke");
    assert!(error.response().contains("<int>1005</int>"));
}

#[tokio::test]
async fn failures_say_why() {
    for (script, told) in [
        ("echo '{\"error\": \"no such thing\"}'", "no such thing"),
        ("echo '{\"error\": {\"message\": \"not yours\", \"code\": 1004}}'; exit 3", "not yours"),
        ("echo cannot go on >&2; exit 3", "the plugin for thing exited with status 3; see thing.log\ncannot go on"),
        ("echo '{\"result\": 1}'; exit 4", "exited with status 4, although it had told a result"),
        ("kill -9 $$", "exited with status 137"),
        (
            "echo hello",
            "said what cannot be understood (expected value at line 1 column 1): hello\nIts standard output",
        ),
        ("echo '{\"reslut\": 1}'", "unknown variant `reslut`"),
        ("echo '{\"upload\": \"/etc/passwd\"}'", "there is no file /etc/passwd in the folder"),
        ("ln -s /etc/passwd x; echo '{\"upload\": \"x\"}'", "there is no file x in the folder"),
        ("echo '{\"upload\": \"none\"}'", "there is no file none in the folder"),
        ("head -c 5000000 /dev/zero | tr '\\0' x; echo", "it is longer than 4 MiB"),
    ] {
        let error = Talk::new(script).await.run().await.unwrap_err().to_string();
        assert!(error.contains(told), "{script}: {error}");
    }
    let error = Talk::new("echo '{\"error\": {\"message\": \"no\", \"code\": 1004}}'").await.run().await.unwrap_err();
    assert!(error.response().contains("<int>1004</int>"));
}

#[tokio::test]
async fn one_that_takes_too_long_is_stopped_with_all_that_it_started() {
    let mut talk = Talk::new("setsid sleep 1000 & sleep 1000").await;
    talk.plugin.timeout = Duration::from_millis(500);
    let error = talk.run().await.unwrap_err();
    assert!(matches!(error, TaskError::TimedOut(_)), "{error}");
    assert!(error.to_string().contains("was stopped after 0 s, its time limit; see thing.log"), "{error}");
    assert!(talk.task().scope.processes().is_empty());
}

#[tokio::test]
async fn it_runs_as_whom_the_operator_says() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can become somebody else");
        return;
    }
    let mut talk =
        Talk::new("id -u >who; echo '{\"upload\": \"who\"}'; read -r _; echo \"{\\\"result\\\": \\\"$HOME\\\"}\"")
            .await;
    talk.plugin.uid = Some(12345);
    fs::set_permissions(talk.lab.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let home = talk.run().await.unwrap();
    assert_eq!(talk.file("who"), "12345\n");
    assert_eq!(home.as_str().unwrap(), talk.task().dir.join("work").to_str().unwrap());
}
