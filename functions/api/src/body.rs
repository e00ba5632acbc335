//! Request bodies, read into memory up to a limit.

use axum::{body::Body, http::HeaderMap};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

/// Of a body that is too long, so much is still read and thrown away, in bytes: a client that is cut off while it sends sees a broken
/// connection instead of our answer.
const DRAINED: usize = 64 << 20;

/// Why a body could not be read.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// It is longer than the limit.
    TooLong,
    /// The client went away, or broke the rules of HTTP.
    Broken(String),
}

/// Reads a body of up to `limit` bytes.
pub(crate) async fn read(headers: &HeaderMap, mut body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let announced = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit + DRAINED) {
        return Err(BodyError::TooLong);
    }
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyError::Broken(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > limit + DRAINED {
            return Err(BodyError::TooLong);
        }
        if length > limit {
            (first, whole) = (Bytes::new(), BytesMut::new());
        } else if first.is_empty() && whole.is_empty() {
            // mostly there is only one, which need not be copied
            first = data;
        } else {
            if whole.is_empty() {
                whole.reserve(announced.unwrap_or(first.len() + data.len()).min(limit));
                whole.extend_from_slice(&std::mem::take(&mut first));
            }
            whole.extend_from_slice(&data);
        }
    }
    if length > limit {
        return Err(BodyError::TooLong);
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn limits() {
        let read_chunks = async |chunks: Vec<&'static str>, limit| {
            let body = Body::from_stream(futures::stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>)));
            read(&HeaderMap::new(), body, limit).await
        };
        assert_eq!(read_chunks(vec!["ab", "", "c", "d"], 4).await.unwrap(), "abcd");
        assert_eq!(read_chunks(vec!["ab"], 4).await.unwrap(), "ab");
        assert_eq!(read_chunks(vec![], 4).await.unwrap(), "");
        assert!(matches!(read_chunks(vec!["abc", "de"], 4).await, Err(BodyError::TooLong)));
    }
}
