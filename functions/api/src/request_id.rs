//! Request ids: every reply names one, every log line stands under it.

use std::{fmt, sync::Arc};

use axum::{
    extract::{FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, request::Parts},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;

const HEADER: &str = "x-request-id";
const LONGEST: usize = 100;

/// A request's id: the sender's, or one of ours.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(Arc<str>);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RequestId {
    /// The same, to be told others.
    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// The sender's, if it can be written into a log.
    fn of(headers: &HeaderMap) -> Self {
        let plain = |id: &&str| !id.is_empty() && id.len() <= LONGEST && id.bytes().all(|b| b.is_ascii_graphic());
        match headers.get(HEADER).and_then(|id| id.to_str().ok()).filter(plain) {
            Some(id) => Self(id.into()),
            None => Self(format!("{:032x}", rand::random::<u128>()).into()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self::of(&parts.headers)))
    }
}

/// Gives each request its id, and its log lines their span.
pub(crate) async fn layer(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", %id, method = %request.method(), path = request.uri().path());
    let mut response = async {
        let response = next.run(request).await;
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    }
    .instrument(span)
    .await;
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(HEADER, id);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_cannot_be_logged_are_replaced() {
        let of = |id: &'static [u8]| {
            RequestId::of(&[(HEADER.parse().unwrap(), HeaderValue::from_bytes(id).unwrap())].into_iter().collect())
        };
        assert_eq!(of(b"abc-1").to_string(), "abc-1");
        assert_eq!(of(b"a b").to_string().len(), 32);
        assert_eq!(of(&[b'x'; 101]).to_string().len(), 32);
        assert_ne!(of(b"").to_string(), of(b"").to_string());
    }
}
