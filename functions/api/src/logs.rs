//! Logs as the text that they are, with ranges, however they are kept: packed, or in the parts that a builder has sent so far.
//!
//! They are never sent compressed. Stock `koji` takes `Content-Length` for the size of the file that it writes, and asks for the rest
//! of it by a range.

use std::{fmt::Display, ops::Range};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{Stream, StreamExt, TryStreamExt};
use toji_hub::task::live_log::LiveLog;
use toji_store::PackedLog;

use crate::files::{described, has_changed, is_known, text};

/// What is to be sent of so many bytes.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Only(Range<u64>),
    /// It lies behind the end.
    Nothing,
}

/// A log that is kept packed.
pub(crate) fn packed(log: PackedLog, method: &Method, headers: &HeaderMap) -> Response {
    let (size, object) = (log.size(), log.object().clone());
    if is_known(&object, headers) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, object.etag)]).into_response();
    }
    if method == Method::HEAD {
        return described(&object, object.size).into_response();
    }
    let wanted = if has_changed(&object, headers) { Wanted::All } else { wanted(headers, size) };
    let description = described(&object, length(&wanted, size) as i64);
    (description, answer(wanted, size, |range| log.stream(range))).into_response()
}

/// A log that its builder has not closed.
pub(crate) fn live(log: LiveLog, headers: &HeaderMap) -> Response {
    let size = log.size();
    let wanted = wanted(headers, size);
    let description = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_LENGTH, length(&wanted, size).to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        // it grows
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (description, answer(wanted, size, |range| log.stream(range))).into_response()
}

const BEHIND: &str = "the range lies behind the end\n";

fn length(wanted: &Wanted, size: u64) -> u64 {
    match wanted {
        Wanted::All => size,
        Wanted::Only(range) => range.end - range.start,
        Wanted::Nothing => BEHIND.len() as u64,
    }
}

fn answer<S, E>(wanted: Wanted, size: u64, stream: impl FnOnce(Range<u64>) -> S) -> Response
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Display,
{
    let body = |range| {
        let pieces = stream(range).map_err(|error| std::io::Error::other(error.to_string()));
        // who reads sees only that it ends too early
        Body::from_stream(pieces.inspect_err(|error| tracing::warn!(%error, "a log was cut off")).fuse())
    };
    match wanted {
        Wanted::All => body(0..size).into_response(),
        Wanted::Only(range) => {
            let sent = [(header::CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1))];
            (StatusCode::PARTIAL_CONTENT, sent, body(range)).into_response()
        }
        Wanted::Nothing => {
            (StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, format!("bytes */{size}"))], BEHIND)
                .into_response()
        }
    }
}

/// What the header `Range` asks for. Several ranges at once, and what is none, get all, as HTTP lets us.
fn wanted(headers: &HeaderMap, size: u64) -> Wanted {
    let spec = text(headers, header::RANGE).and_then(|range| range.strip_prefix("bytes="));
    let Some((first, last)) = spec.and_then(|spec| spec.trim().split_once('-')) else { return Wanted::All };
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..size.min(last.saturating_add(1)),
        (Ok(first), Err(_)) if last.is_empty() => first..size,
        (Err(_), Ok(length)) if first.is_empty() => size.saturating_sub(length)..size,
        _ => return Wanted::All,
    };
    if range.is_empty() { Wanted::Nothing } else { Wanted::Only(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let asked = |range: &'static str| {
            let headers = HeaderMap::from_iter([(header::RANGE, header::HeaderValue::from_static(range))]);
            wanted(&headers, 10)
        };
        assert_eq!(wanted(&HeaderMap::new(), 10), Wanted::All);
        assert_eq!(asked("bytes=0-"), Wanted::Only(0..10));
        assert_eq!(asked("bytes=2-4"), Wanted::Only(2..5));
        assert_eq!(asked("bytes=7-900"), Wanted::Only(7..10));
        assert_eq!(asked("bytes=-3"), Wanted::Only(7..10));
        assert_eq!(asked("bytes=-30"), Wanted::Only(0..10));
        for behind in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(asked(behind), Wanted::Nothing, "{behind}");
        }
        for none in ["bytes=4-2", "bytes=1-2,4-5", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=18446744073709551616-"] {
            assert_eq!(asked(none), Wanted::All, "{none}");
        }
    }
}
