//! How connections are made and kept.

use std::time::Duration;

use reqwest::ClientBuilder;

use super::ClientError;

/// Silence after which an answer is given up: more than the longest long poll, and than a Lambda's 15 minutes.
const SILENCE: Duration = Duration::from_secs(16 * 60);
const CONNECT: Duration = Duration::from_secs(10);
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Idle connections are dropped before the usual front doors drop them (60 s), so that few calls meet a closed one.
const IDLE: Duration = Duration::from_secs(50);

/// One client for calls and one for files.
pub(super) fn pair() -> Result<(reqwest::Client, reqwest::Client), ClientError> {
    // Fails only when the program has chosen a provider already, which then is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok((build(builder)?, build(|| builder().no_gzip())?))
}

fn builder() -> ClientBuilder {
    ClientBuilder::new()
        .user_agent(concat!("toji/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .tcp_nodelay(true)
        .tcp_keepalive(KEEPALIVE)
        .pool_idle_timeout(IDLE)
}

/// A machine without root certificates can still speak plain HTTP, such as to the local system.
fn build(builder: impl Fn() -> ClientBuilder) -> Result<reqwest::Client, ClientError> {
    builder()
        .build()
        .or_else(|_| builder().tls_certs_only([]).build())
        .map_err(|error| ClientError::transport("", error))
}
