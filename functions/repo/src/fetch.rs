//! External repos, read over HTTP.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use toji_hub::repo::{Downloaded, Fetch, Fetched};
use tokio::io::AsyncWriteExt;

/// A server that says nothing for so long is dead.
const CONNECT: Duration = Duration::from_secs(10);
const READ: Duration = Duration::from_secs(60);
const TRIES: usize = 3;

/// Reads external repos over HTTP.
#[derive(Debug, Clone)]
pub struct HttpFetch {
    client: reqwest::Client,
}

impl HttpFetch {
    /// A client with time limits.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> Result<Self> {
        // a second call finds the provider installed: that is as well
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().connect_timeout(CONNECT).read_timeout(READ).build();
        Ok(Self { client: client.context("no HTTP client")? })
    }

    async fn get(&self, url: &str) -> Result<reqwest::Response, reqwest::Error> {
        self.client.get(url).send().await?.error_for_status()
    }

    async fn bytes(&self, url: &str) -> Result<bytes::Bytes, Failed> {
        Ok(self.get(url).await?.bytes().await?)
    }

    async fn file(&self, url: &str, to: &Path) -> Result<(), Failed> {
        let mut file = tokio::fs::File::create(to).await?;
        let mut response = self.get(url).await?;
        while let Some(piece) = response.chunk().await? {
            file.write_all(&piece).await?;
        }
        Ok(file.flush().await?)
    }
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("the disk fails: {0}")]
    Disk(#[from] std::io::Error),
}

impl Failed {
    /// Whether it may go well another time.
    fn is_passing(&self) -> bool {
        match self {
            Self::Http(error) => error.status().is_none_or(|status| status.is_server_error()),
            Self::Disk(_) => false,
        }
    }
}

async fn again<T, F: Future<Output = Result<T, Failed>>>(url: &str, read: impl Fn() -> F) -> Result<T, String> {
    let mut tries = 0;
    loop {
        tries += 1;
        match read().await {
            Ok(read) => return Ok(read),
            Err(error) if tries < TRIES && error.is_passing() => tracing::warn!(url, %error, "read again"),
            Err(error) => return Err(format!("{url} cannot be read: {error}")),
        }
    }
}

impl Fetch for HttpFetch {
    fn fetch<'a>(&'a self, url: &'a str) -> Fetched<'a> {
        Box::pin(async move { again(url, || self.bytes(url)).await })
    }

    fn download<'a>(&'a self, url: &'a str, to: &'a Path) -> Downloaded<'a> {
        Box::pin(async move { again(url, || self.file(url, to)).await })
    }
}
