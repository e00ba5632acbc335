//! Whom a case asks.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use toji_local::{credentials, s3, sqs};
use tokio::net::TcpListener;

pub(crate) const KEY: &str = "conformance";
pub(crate) const SECRET: &str = "conformance-secret";

/// One pair of servers, clients for both, and an empty bucket.
pub(crate) struct Target {
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    /// Knows nothing of AWS.
    pub(crate) http: reqwest::Client,
    pub(crate) bucket: String,
    pub(crate) s3_url: String,
    pub(crate) sqs_url: String,
    /// Our servers' keys, to add to.
    pub(crate) credentials: Option<credentials::Credentials>,
    unique: String,
    _dir: Option<tempfile::TempDir>,
}

impl Target {
    /// Our servers, fresh.
    pub(crate) async fn ours() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let credentials = credentials::Credentials::new(KEY, SECRET);
        let (s3, sqs) = start(dir.path(), &credentials, std::future::pending()).await;
        let keys = Credentials::from_keys(KEY, SECRET, None);
        let mut target = Self::of(&format!("http://{s3}"), &format!("http://{sqs}"), keys).await;
        target.credentials = Some(credentials);
        target._dir = Some(dir);
        target
    }

    /// LocalStack, if there is one.
    pub(crate) async fn localstack() -> Option<Self> {
        let url = std::env::var("TOJI_TEST_LOCALSTACK").ok().filter(|url| !url.is_empty())?;
        let keys = Credentials::from_keys("test", "test", None);
        Some(Self::of(url.trim_end_matches('/'), url.trim_end_matches('/'), keys).await)
    }

    async fn of(s3_url: &str, sqs_url: &str, keys: Credentials) -> Self {
        let unique = unique();
        let bucket = format!("conformance-{unique}");
        let s3 = s3_client(s3_url, keys.clone());
        s3.create_bucket().bucket(&bucket).send().await.unwrap();
        Self {
            s3,
            sqs: sqs_client(sqs_url, keys),
            http: plain_client(),
            bucket,
            s3_url: s3_url.to_owned(),
            sqs_url: sqs_url.to_owned(),
            credentials: None,
            unique,
            _dir: None,
        }
    }

    /// Whether it is ours that is asked, and not a stand-in that is known to be slower.
    pub(crate) fn is_ours(&self) -> bool {
        self.credentials.is_some()
    }

    /// A name for a queue that no other case has.
    pub(crate) fn queue_name(&self, name: &str) -> String {
        format!("{name}-{}", self.unique)
    }

    /// A new queue's URL.
    pub(crate) async fn queue(&self) -> String {
        let name = self.queue_name("queue");
        let made = self.sqs.create_queue().queue_name(name).send().await.unwrap();
        made.queue_url.unwrap()
    }

    /// Puts an object, without ado.
    pub(crate) async fn put(&self, key: &str, body: impl Into<Vec<u8>>) {
        let put = self.s3.put_object().bucket(&self.bucket).key(key);
        put.body(body.into().into()).send().await.unwrap();
    }

    /// An object's content.
    pub(crate) async fn content(&self, key: &str) -> Vec<u8> {
        let got = self.s3.get_object().bucket(&self.bucket).key(key).send().await.unwrap();
        got.body.collect().await.unwrap().to_vec()
    }
}

/// Starts our servers over `dir`; where they listen, S3 first.
pub(crate) async fn start(
    dir: &Path,
    credentials: &credentials::Credentials,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> (SocketAddr, SocketAddr) {
    let s3_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sqs_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = (s3_listener.local_addr().unwrap(), sqs_listener.local_addr().unwrap());
    let s3 = s3::Server::open(&dir.join("s3"), credentials.clone()).unwrap();
    let sqs_url = format!("http://{}", at.1);
    let sqs = sqs::Server::open(&dir.join("sqs"), credentials.clone(), &sqs_url).unwrap();
    tokio::spawn(async move {
        tokio::select! {
            () = s3.serve(s3_listener, std::future::pending()) => {}
            () = sqs.serve(sqs_listener, shutdown) => {}
        }
    });
    at
}

pub(crate) fn s3_client(url: &str, keys: Credentials) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .region(aws_sdk_s3::config::Region::new("us-east-1"))
        .credentials_provider(keys)
        .endpoint_url(url)
        .force_path_style(true)
        .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
        .http_client(aws_http_client())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

pub(crate) fn sqs_client(url: &str, keys: Credentials) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
        .region(aws_sdk_sqs::config::Region::new("us-east-1"))
        .credentials_provider(keys)
        .endpoint_url(url)
        .retry_config(aws_sdk_sqs::config::retry::RetryConfig::disabled())
        .http_client(aws_http_client())
        .build();
    aws_sdk_sqs::Client::from_conf(config)
}

fn aws_http_client() -> aws_sdk_s3::config::SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

fn plain_client() -> reqwest::Client {
    // Another case of this process may have been first.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap()
}

/// Different in each case and each run.
fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{:x}-{:x}-{next}", now.as_micros(), std::process::id())
}

/// The error code of an answer that must be an error.
macro_rules! code {
    ($answer:expr) => {{
        use aws_sdk_s3::error::ProvideErrorMetadata as _;
        let error = $answer.map(|_| ()).expect_err("an error was expected");
        match error.code() {
            Some(code) => code.to_owned(),
            // HEAD has no body to tell a code in.
            None => {
                error.raw_response().map_or_else(|| format!("{error:?}"), |answer| answer.status().as_u16().to_string())
            }
        }
    }};
}

pub(crate) use code;

/// Bytes that repeat only after a long time.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Base64 of the SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(bytes))
}

/// Hexadecimal MD5.
pub(crate) fn md5(bytes: &[u8]) -> String {
    use md5::Digest as _;
    hex::encode(md5::Md5::digest(bytes))
}
