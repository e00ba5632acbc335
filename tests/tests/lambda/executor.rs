//! The executor keeps Lambda's own rules.

use std::{fs, time::Duration};

use aws_credential_types::Credentials;
use serde_json::json;
use toji_tests::{SOON, is_running, until};

use crate::{
    deployment::s3_client,
    functions::{Functions, package_key},
    localstack, unique,
};

/// A function in shell, which does what its event says.
const BOOTSTRAP: &str = r#"#!/bin/bash
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
cd "$(mktemp -d)"
while :; do
    event=$(curl -sS -D headers "$api/next") || exit 0
    id=$(sed -n 's/^Lambda-Runtime-Aws-Request-Id: *\([^[:space:]]*\).*/\1/ip' headers)
    case $event in
        *hang*) sleep 999.0625 & wait ;;
        *exit*) exit 3 ;;
        *fail*) curl -sS -o /dev/null -d '{"errorType": "Failed"}' "$api/$id/error"; continue ;;
    esac
    curl -sS -o /dev/null -d "{\"pid\": $$, \"event\": $event}" "$api/$id/response"
done
"#;

/// The form of this number marks the process.
const HANGING: &str = "999.0625";

#[tokio::test]
async fn a_function_lives_by_lambdas_rules() {
    let Some(endpoint) = localstack() else { return };
    let prefix = unique();
    let s3 = s3_client(&endpoint, Credentials::from_keys("test", "test", None)).await;
    s3.create_bucket().bucket(&prefix).send().await.unwrap();
    let functions = Functions::new(&endpoint, s3.clone(), &prefix, &prefix);
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("bootstrap.sh");
    fs::write(&script, BOOTSTRAP).unwrap();
    functions.pack("shell", &script).await;
    functions.create("shell", "shell", Duration::from_secs(2), &[]).await;

    let first = functions.invoke("shell", &json!({ "n": 1 })).await.unwrap();
    assert_eq!(first["event"], json!({ "n": 1 }));
    let failed = functions.invoke("shell", &json!("fail")).await.unwrap_err();
    assert_eq!(failed["errorType"], "Failed");
    let second = functions.invoke("shell", &json!({ "n": 2 })).await.unwrap();
    assert_eq!((&second["pid"], &second["event"]["n"]), (&first["pid"], &json!(2)), "one process, again and again");

    let late = functions.invoke("shell", &json!("hang")).await.unwrap_err();
    assert_eq!(late["errorType"], "Sandbox.Timedout", "{late}");
    assert!(late["errorMessage"].as_str().unwrap().contains("after 2.00 seconds"), "{late}");
    until("the death of what the function has started", SOON, async || (!is_running(HANGING)).then_some(())).await;
    let third = functions.invoke("shell", &json!({ "n": 3 })).await.unwrap();
    assert_ne!(third["pid"], first["pid"], "a new process");

    let gone = functions.invoke("shell", &json!("exit")).await.unwrap_err();
    assert_eq!(gone["errorType"], "Runtime.ExitError", "{gone}");
    assert_eq!(functions.invoke("shell", &json!({ "n": 4 })).await.unwrap()["event"]["n"], 4);

    functions.delete().await;
    let marker = format!("/{prefix}-shell");
    until("the end of the function", SOON, async || (!is_running(&marker)).then_some(())).await;
    s3.delete_object().bucket(&prefix).key(package_key("shell")).send().await.unwrap();
    s3.delete_bucket().bucket(&prefix).send().await.unwrap();
}
