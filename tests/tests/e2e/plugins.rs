//! Kinds of tasks that an operator adds to a builder: the examples that come with it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::{Value as Json, json};
use toji_protocol::state::TaskState;
use toji_tests::{BuilderProgram, System, Wishes, koji};

/// The plugins of a folder, as an operator would install them.
fn install(system: &System, language: &str) -> BuilderProgram {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../builder-ami/plugins").join(language);
    let to = system.folder(language);
    fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let to = to.join(file.file_name());
        fs::copy(file.path(), &to).unwrap();
        let mode = if to.extension().is_some_and(|extension| extension == "toml") { 0o644 } else { 0o755 };
        fs::set_permissions(to, fs::Permissions::from_mode(mode)).unwrap();
    }
    BuilderProgram { settings: format!("plugin_dir = {to:?}"), ..BuilderProgram::default() }
}

/// The number that a command prints.
fn number(said: &str) -> i64 {
    said.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or_else(|| panic!("no number: {said}"))
}

async fn made(system: &System, task: i64) -> Json {
    system.hub.closes(task).await;
    system.hub.call("getTaskResult", json!([task])).await
}

async fn output(system: &System, task: i64, name: &str) -> String {
    let said = system.hub.call("downloadTaskOutput", json!([task, name])).await;
    let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, said.as_str().unwrap()).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn the_same_in_three_languages() {
    let mut system = System::start(Wishes::default()).await;
    let hub = system.hub.clone();
    for language in ["shell", "python", "rust"] {
        system.kill_builder(0);
        system.builder = match language {
            "rust" => BuilderProgram { name: "examples/thing".to_owned(), ..BuilderProgram::default() },
            plugins => install(&system, plugins),
        };
        system.start_builder(0).await;

        let said = system.toji(&["call", "makeTask", "--json-input", "thing", "[\"hello\", 2]"]).await.well();
        let task = number(&said.out);
        assert_eq!(made(&system, task).await, json!({"things": ["hello 1", "hello 2"], "file": "things.txt"}));
        assert_eq!(output(&system, task, "things.txt").await, "hello 1\nhello 2\n");
        assert_eq!(hub.task(task).await["weight"], 0.5);
        let children = hub.call("getTaskChildren", json!([task])).await;
        let labels: Vec<&Json> = children.as_array().unwrap().iter().map(|child| &child["label"]).collect();
        assert_eq!(labels, ["thing 1", "thing 2"]);
        if language != "rust" {
            assert_eq!(output(&system, task, "thing.log").await, "waiting for 2 things\nall is done\n");
        }

        if koji().is_some() {
            let home = system.dir().to_owned();
            let said = system.koji(&home, &["make-task", "thing", "stock", "3"]).await.unwrap().well();
            let task = number(&said.out);
            assert_eq!(made(&system, task).await["things"], json!(["stock 1", "stock 2", "stock 3"]));
        } else {
            eprintln!("skipped: TOJI_TEST_KOJI is not set");
        }
        let bad = hub.call("makeTask", json!(["thing", []])).await.as_i64().unwrap();
        assert_eq!(hub.ended(bad).await, TaskState::Failed);
        let fault = hub.fault(bad).await;
        assert!(fault.contains("thing takes a name, and how many there are to be"), "{language}: {fault}");
    }
    hub.assert_quiet().await;
}
