//! Lambda's control plane, as far as these tests use it: plain HTTP, for LocalStack looks at no signature here.

use std::{path::Path, process::Stdio, time::Duration};

use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};
use toji_tests::until;
use tokio::process::Command;

/// The account that LocalStack takes the keys `test` for.
const ACCOUNT: &str = "000000000000";

/// Any signature will do; the header says which service and region are meant.
const SIGNED: &str =
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0";

/// An event source mapping asks AWS for it, too.
pub(crate) const PARTIAL_BATCHES: &str = "ReportBatchItemFailures";

/// Lambda, and the functions that a test has made.
pub(crate) struct Functions {
    http: reqwest::Client,
    endpoint: String,
    /// Where packages are put.
    s3: aws_sdk_s3::Client,
    bucket: String,
    prefix: String,
}

impl Functions {
    pub(crate) fn new(endpoint: &str, s3: aws_sdk_s3::Client, bucket: &str, prefix: &str) -> Self {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        Self {
            http: reqwest::Client::new(),
            endpoint: endpoint.to_owned(),
            s3,
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        }
    }

    /// Makes a package of a program for [`Functions::create`], and answers its size in bytes.
    pub(crate) async fn pack(&self, name: &str, program: &Path) -> usize {
        let package = package(program).await;
        let size = package.len();
        let put = self.s3.put_object().bucket(&self.bucket).key(package_key(name)).body(package.into());
        put.send().await.expect("a package can be stored");
        size
    }

    /// Makes a function of a package, and waits until it may be called.
    pub(crate) async fn create(&self, name: &str, package: &str, timeout: Duration, env: &[(&str, &str)]) {
        let env: serde_json::Map<String, Json> =
            env.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let function = json!({
            "FunctionName": self.name(name),
            "Runtime": "provided.al2023",
            "Handler": "bootstrap",
            "Role": format!("arn:aws:iam::{ACCOUNT}:role/toji"),
            "Code": { "S3Bucket": self.bucket, "S3Key": package_key(package) },
            "Timeout": timeout.as_secs(),
            "MemorySize": 512,
            "Environment": { "Variables": env },
        });
        self.ask(Method::POST, "/2015-03-31/functions", Some(&function)).await;
        let path = format!("/2015-03-31/functions/{}/configuration", self.name(name));
        until(&format!("the function {name}"), Duration::from_secs(60), async || {
            let function = self.ask(Method::GET, &path, None).await;
            assert_ne!(function["State"], "Failed", "{function}");
            (function["State"] == "Active").then_some(())
        })
        .await;
    }

    /// Gives a function a URL, and answers the host in it, which no resolver knows.
    pub(crate) async fn url_host(&self, name: &str) -> String {
        let path = format!("/2021-10-31/functions/{}/url", self.name(name));
        let made = self.ask(Method::POST, &path, Some(&json!({ "AuthType": "NONE" }))).await;
        let url = made["FunctionUrl"].as_str().expect("a URL").to_owned();
        url.trim_start_matches("http://").trim_end_matches('/').to_owned()
    }

    /// Has a function called with what is in a queue.
    pub(crate) async fn feed(&self, name: &str, queue_arn: &str) {
        let mapping = json!({
            "FunctionName": self.name(name),
            "EventSourceArn": queue_arn,
            "BatchSize": 10,
            "FunctionResponseTypes": [PARTIAL_BATCHES],
        });
        self.ask(Method::POST, "/2015-03-31/event-source-mappings/", Some(&mapping)).await;
    }

    /// Calls a function.
    ///
    /// # Errors
    /// What the function failed with.
    pub(crate) async fn invoke(&self, name: &str, event: &Json) -> Result<Json, Json> {
        let url = format!("{}/2015-03-31/functions/{}/invocations", self.endpoint, self.name(name));
        let answer = self.http.post(url).header("authorization", SIGNED).json(event).send().await.expect("LocalStack");
        let has_failed = answer.headers().contains_key("x-amz-function-error");
        assert!(answer.status().is_success(), "{name}: {}", answer.text().await.unwrap_or_default());
        let answer = answer.json().await.expect("functions answer in JSON");
        if has_failed { Err(answer) } else { Ok(answer) }
    }

    /// Deletes all of this test's functions, and what feeds them.
    pub(crate) async fn delete(&self) {
        let mappings = self.ask(Method::GET, "/2015-03-31/event-source-mappings/", None).await;
        let ours = format!(":function:{}-", self.prefix);
        for mapping in mappings["EventSourceMappings"].as_array().into_iter().flatten() {
            if mapping["FunctionArn"].as_str().is_some_and(|arn| arn.contains(&ours)) {
                let uuid = mapping["UUID"].as_str().unwrap_or_default();
                self.ask(Method::DELETE, &format!("/2015-03-31/event-source-mappings/{uuid}"), None).await;
            }
        }
        let functions = self.ask(Method::GET, "/2015-03-31/functions/", None).await;
        for function in functions["Functions"].as_array().into_iter().flatten() {
            let name = function["FunctionName"].as_str().unwrap_or_default();
            if name.starts_with(&format!("{}-", self.prefix)) {
                self.ask(Method::DELETE, &format!("/2015-03-31/functions/{name}"), None).await;
            }
        }
    }

    fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Json>) -> Json {
        let mut request = self.http.request(method, format!("{}{path}", self.endpoint)).header("authorization", SIGNED);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("LocalStack answers");
        let status = answer.status();
        let text = answer.text().await.expect("LocalStack answers to the end");
        assert!(status.is_success(), "{path}: {status}: {text}");
        if status == StatusCode::NO_CONTENT { Json::Null } else { serde_json::from_str(&text).unwrap_or_default() }
    }
}

/// Where a package is put.
pub(crate) fn package_key(name: &str) -> String {
    format!("functions/{name}.zip")
}

/// A program, or a script, as a Lambda package: programs are stripped, or a debug build would break Lambda's limit of 250 MB.
async fn package(program: &Path) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a folder can be made");
    let (bootstrap, zip) = (dir.path().join("bootstrap"), dir.path().join("function.zip"));
    if program.extension().is_none() {
        run(Command::new("strip").arg("-o").arg(&bootstrap).arg(program)).await;
    } else {
        tokio::fs::copy(program, &bootstrap).await.expect("a script can be copied");
    }
    let make = "import sys, zipfile; \
        zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED, compresslevel=1).write(sys.argv[2], 'bootstrap')";
    run(Command::new("python3").args(["-c", make]).arg(&zip).arg(&bootstrap)).await;
    tokio::fs::read(&zip).await.expect("a package can be read")
}

async fn run(command: &mut Command) {
    let ran = command.stdin(Stdio::null()).output().await.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
}
