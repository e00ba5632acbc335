//! The OpenAPI document, before a validator and before schemathesis, which makes up calls from it and looks for answers of 5xx.

use std::path::PathBuf;

use toji_tests::{System, TOKEN, Wishes};
use tokio::process::Command;

/// How long calls are made up, in seconds; `TOJI_SOAK` makes it 10 minutes.
const SECONDS: u64 = 20;

/// Methods that would end the run, wait, or break by design.
const LEFT_OUT: &str = "^(logout|fault|host\\.|upload\\.)";

/// A program of the virtual environment that `TOJI_TEST_OPENAPI` names.
fn tool(name: &str) -> Option<PathBuf> {
    let Some(tools) = std::env::var_os("TOJI_TEST_OPENAPI") else {
        eprintln!("skipped: TOJI_TEST_OPENAPI is not set");
        return None;
    };
    Some(PathBuf::from(tools).join("bin").join(name))
}

#[tokio::test]
async fn a_validator_accepts_it() {
    let Some(validator) = tool("openapi-spec-validator") else { return };
    let system = System::start(Wishes { builders: 0, ..Wishes::default() }).await;
    let file = system.dir().join("openapi.json");
    let url = format!("{}/openapi.json", system.url);
    let fetched = Command::new("curl").args(["--fail", "--silent", "--output"]).arg(&file).arg(url).status().await;
    assert!(fetched.unwrap().success());
    let checked = Command::new(validator).arg(file).output().await.unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success() && said.contains("OK"), "{said}{}", String::from_utf8_lossy(&checked.stderr));
}

#[tokio::test]
async fn no_call_that_it_allows_breaks_the_server() {
    let Some(schemathesis) = tool("schemathesis") else { return };
    let system = System::start(Wishes { builders: 0, ..Wishes::default() }).await;
    let seconds = if std::env::var_os("TOJI_SOAK").is_some() { 600 } else { SECONDS };
    let run = Command::new(schemathesis)
        .current_dir(system.dir())
        .arg("run")
        .arg(format!("{}/openapi.json", system.url))
        .args(["--checks", "not_a_server_error", "--phases", "fuzzing", "--no-shrink", "--continue-on-failure"])
        .args(["--header", &format!("Authorization: Bearer {TOKEN}"), "--exclude-operation-id-regex", LEFT_OUT])
        .args(["--max-time", &seconds.to_string(), "--request-timeout", "30", "--suppress-health-check", "all"])
        .args(["--warnings", "off", "--workers", "2"])
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    // the whole table was tried, not a document of nothing
    assert!(run.status.success() && said.contains("Test cases"), "{said}{}", String::from_utf8_lossy(&run.stderr));
    // … and what was made up has not kept the server from answering
    assert_eq!(system.hub.call("hello", serde_json::json!([])).await, "Hello World");
}
