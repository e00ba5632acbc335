//! External repos, read over HTTP.

use std::time::Duration;

use anyhow::{Context, Result};
use toji_hub::repo::{Fetch, Fetched};

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

    async fn once(&self, url: &str) -> Result<bytes::Bytes, reqwest::Error> {
        self.client.get(url).send().await?.error_for_status()?.bytes().await
    }
}

impl Fetch for HttpFetch {
    fn fetch<'a>(&'a self, url: &'a str) -> Fetched<'a> {
        Box::pin(async move {
            let mut tries = 0;
            loop {
                tries += 1;
                match self.once(url).await {
                    Ok(bytes) => return Ok(bytes),
                    Err(error) if tries < TRIES && error.status().is_none_or(|status| status.is_server_error()) => {
                        tracing::warn!(url, %error, "read again");
                    }
                    Err(error) => return Err(format!("{url} cannot be read: {error}")),
                }
            }
        })
    }
}
