//! JSON: `POST /api/<method>`, whose body holds the arguments: an object by name, an array by position, or nothing.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::Utc;
use toji_hub::{
    Error,
    call::{Auth, Request},
};
use toji_protocol::value::{Map, Value};

use crate::{
    Api, auth,
    body::{self, BodyError},
    error::{Told, malformed},
    multicall, reply,
    request_id::RequestId,
};

/// The longest body, in bytes.
const LONGEST: usize = 4 << 20;

pub(crate) async fn answer(
    State(api): State<Arc<Api>>,
    id: RequestId,
    verb: Method,
    Path(method): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if verb != Method::POST {
        return malformed(StatusCode::METHOD_NOT_ALLOWED, "methods are called by POST", &id);
    }
    let body = match body::read(&headers, body, LONGEST).await {
        Ok(body) => body,
        Err(BodyError::TooLong) => {
            let detail = format!("the body has {} MiB at the most", LONGEST >> 20);
            return malformed(StatusCode::PAYLOAD_TOO_LARGE, detail, &id);
        }
        Err(BodyError::Broken(problem)) => return malformed(StatusCode::BAD_REQUEST, problem, &id),
    };
    let (positional, named) = match arguments(&body) {
        Ok(arguments) => arguments,
        Err(problem) => return malformed(StatusCode::BAD_REQUEST, problem, &id),
    };
    let auth = match auth::shown(&headers, &[]) {
        Ok(auth) => auth,
        Err(error) => return Told::new(&error, &id).json(&id),
    };
    let idempotency_key = match headers.get("idempotency-key").map(|key| key.to_str()) {
        Some(Ok(key)) => Some(key.to_owned()),
        Some(Err(_)) => return malformed(StatusCode::BAD_REQUEST, "Idempotency-Key must be ASCII", &id),
        None => None,
    };
    let is_nobody = matches!(auth, Auth::Nobody);
    let request = Request { method, positional, named, auth, idempotency_key, now: Utc::now() };
    let hub = api.hub.for_request(id.shared());
    if multicall::is_multicall(&request.method) {
        return multicall::json(&hub, &id, request).await;
    }
    let tell = |error: &Error| {
        let told = Told::new(error, &id);
        if is_nobody { told.for_nobody() } else { told }.json(&id)
    };
    match hub.call(request).await {
        Ok(reply) => match reply::body(reply, reply::Encoding::Json) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => tell(&error),
        },
        Err(error) => tell(&error),
    }
}

fn arguments(body: &[u8]) -> Result<(Vec<Value>, Map), String> {
    if body.trim_ascii().is_empty() {
        return Ok((Vec::new(), Map::new()));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Struct(named)) => Ok((Vec::new(), named)),
        Ok(Value::Array(positional)) => Ok((positional, Map::new())),
        Ok(Value::Nil) => Ok((Vec::new(), Map::new())),
        Ok(other) => Err(format!("arguments are an object (by name) or an array (by position), not {}", other.kind())),
        Err(error) => Err(format!("the body is not JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_ways_to_give_arguments() {
        assert_eq!(arguments(b" \n").unwrap(), (vec![], Map::new()));
        assert_eq!(arguments(b"[1]").unwrap().0, [Value::Int(1)]);
        assert_eq!(arguments(br#"{"a": null}"#).unwrap().1.get("a"), Some(&Value::Nil));
        for bad in ["3", "\"a\"", "{", "[1,]", "[9999999999999999999]"] {
            assert!(arguments(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
