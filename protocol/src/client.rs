//! The typed HTTPS client of the API, with retries that are safe.
//!
//! A call is `POST {server}/api/{name}` with its named arguments as JSON. A write carries an `Idempotency-Key` that is the
//! same on its retries, and the hub answers a key's first result again: so every call may be sent more than once.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{
    Response,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    method::{Effect, Method, to_named},
    value::{Map, Value, to_value},
};

mod connect;
mod download;
mod error;
mod events;
mod retry;
mod upload;

pub use download::Download;
pub use error::ClientError;
pub use events::{Event, EventAnswer, Events};
pub use retry::Retry;
pub use upload::FileDigest;

/// The header that names a logical call, the same on each of its retries.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Called before each pause between tries: what went wrong, and how long the pause is.
pub type OnRetry = Arc<dyn Fn(&ClientError, Duration) + Send + Sync>;

/// A hub, and who we are there. Clones share its connections.
#[derive(Clone)]
pub struct Client {
    server: Arc<str>,
    authorization: Option<HeaderValue>,
    http: reqwest::Client,
    /// For files: what arrives is what is stored, so nothing is decompressed on the way.
    files: reqwest::Client,
    retry: Retry,
    on_retry: Option<OnRetry>,
}

impl Client {
    /// A client of the hub at `server` (`https://…`, without `/api`). Connects at the first call.
    ///
    /// # Errors
    /// When `server` is no HTTP URL, or the token cannot be a header.
    pub fn new(server: &str, token: Option<&str>) -> Result<Self, ClientError> {
        let server = server.trim_end_matches('/');
        if !server.starts_with("http://") && !server.starts_with("https://") {
            return Err(ClientError::Address(server.to_owned()));
        }
        let authorization = token.map(bearer).transpose()?;
        let (http, files) = connect::pair()?;
        Ok(Self { server: server.into(), authorization, http, files, retry: Retry::default(), on_retry: None })
    }

    /// The same with other patience.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The same, telling about each failed try.
    #[must_use]
    pub fn on_retry(mut self, tell: OnRetry) -> Self {
        self.on_retry = Some(tell);
        self
    }

    /// The same as somebody else, or as nobody.
    ///
    /// # Errors
    /// When the token cannot be a header.
    pub fn with_token(mut self, token: Option<&str>) -> Result<Self, ClientError> {
        self.authorization = token.map(bearer).transpose()?;
        Ok(self)
    }

    /// The hub's URL, without a slash at the end.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Whether calls carry a token.
    pub fn has_token(&self) -> bool {
        self.authorization.is_some()
    }

    /// Calls a method.
    ///
    /// # Errors
    /// The hub's fault, or why there is no answer.
    pub async fn call<M: Method>(&self, method: &M) -> Result<M::Output, ClientError> {
        self.ask_as(method).await
    }

    /// Calls a method that this program need not know.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_named(&self, name: &str, arguments: Map) -> Result<Value, ClientError> {
        // What it does is not known here, and a key does no harm to a call that only reads.
        self.ask(name, &arguments, Some(idempotency_key())).await
    }

    /// As [`Client::call_named`], with arguments by place.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_positional(&self, name: &str, arguments: &[Value]) -> Result<Value, ClientError> {
        self.ask(name, &arguments, Some(idempotency_key())).await
    }

    /// The answer to a method as JSON, with nothing lost to this program's idea of its shape.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_json<M: Method>(&self, method: &M) -> Result<serde_json::Value, ClientError> {
        self.ask_as(method).await
    }

    async fn ask_as<M: Method, T: DeserializeOwned>(&self, method: &M) -> Result<T, ClientError> {
        let fields = match to_value(method)? {
            Value::Struct(fields) => fields,
            _ => Map::new(),
        };
        let key = (M::EFFECT != Effect::Read).then(idempotency_key);
        self.ask(M::NAME, &to_named(M::PARAMS, fields), key).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        name: &str,
        arguments: &impl Serialize,
        key: Option<String>,
    ) -> Result<T, ClientError> {
        let url = format!("{}/api/{name}", self.server);
        let body = Bytes::from(serde_json::to_vec(arguments).map_err(ClientError::Arguments)?);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if let Some(key) = key.and_then(|key| HeaderValue::try_from(key).ok()) {
            headers.insert(IDEMPOTENCY_KEY, key);
        }

        let answer = self
            .retrying(|| async {
                let sent = self.http.post(&url).headers(headers.clone()).body(body.clone()).send().await;
                let response = self.check(sent).await?;
                response.bytes().await.map_err(|error| self.unreachable(error))
            })
            .await?;
        serde_json::from_slice(&answer).map_err(|error| ClientError::Answer { method: name.to_owned(), error })
    }

    /// The response if it is a good one.
    async fn check(&self, sent: Result<Response, reqwest::Error>) -> Result<Response, ClientError> {
        let response = sent.map_err(|error| self.unreachable(error))?;
        if response.status().is_success() { Ok(response) } else { Err(ClientError::from_response(response).await) }
    }

    fn unreachable(&self, error: reqwest::Error) -> ClientError {
        ClientError::transport(&self.server, error)
    }

    async fn retrying<T, F: Future<Output = Result<T, ClientError>>>(
        &self,
        attempt: impl FnMut() -> F,
    ) -> Result<T, ClientError> {
        self.retry
            .run(attempt, |error, pause| {
                tracing::warn!(%error, ?pause, "a call failed and is sent again");
                if let Some(tell) = &self.on_retry {
                    tell(error, pause);
                }
            })
            .await
    }
}

fn bearer(token: &str) -> Result<HeaderValue, ClientError> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim())).map_err(|_| ClientError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

/// 128 random bits, as lower-case hex.
fn idempotency_key() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

#[cfg(test)]
mod tests;
