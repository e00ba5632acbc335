//! XML-RPC as Koji's own client speaks it.
//!
//! The path behind `/kojihub` means nothing: `/kojihub/ssllogin` is where front servers check certificates. Faults have status
//! 200; another status makes the stock client send the request again.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use chrono::Utc;
use toji_hub::call::Request;
use toji_protocol::xmlrpc::{Call, decode_call, split_named};

use crate::{
    Api, auth,
    body::{self, BodyError},
    error::{Told, xml},
    multicall, raw_upload, reply,
    request_id::RequestId,
};

/// The longest document, in bytes: Koji's own limit.
const LONGEST: usize = 4_194_304;

pub(crate) async fn answer(
    State(api): State<Arc<Api>>,
    id: RequestId,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if method != Method::POST {
        let message = "Method Not Allowed: this is an XML-RPC server, which takes POST requests only\n";
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")], message).into_response();
    }
    // exactly that, without parameters: anything else is XML
    let is_raw = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/octet-stream");
    if is_raw {
        return raw_upload::answer(&api.hub, &id, &uri, &headers, body).await;
    }
    let document = match body::read(&headers, body, LONGEST).await {
        Ok(document) if document.is_empty() => return invalid("Empty request"),
        Ok(document) => document,
        Err(BodyError::TooLong) => return invalid("Request too long"),
        Err(BodyError::Broken(problem)) => return invalid(&problem),
    };
    call(&api, &id, &uri, &headers, document).await
}

/// What cannot be read is no fault of a method's.
fn invalid(problem: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("Invalid request: {problem}")).into_response()
}

async fn call(api: &Api, id: &RequestId, uri: &Uri, headers: &HeaderMap, document: Bytes) -> Response {
    let Call { method, params } = match decode_call(&document) {
        Ok(call) => call,
        Err(error) => return invalid(&error.to_string()),
    };
    drop(document);
    let auth = match auth::shown(headers, &auth::query(uri)) {
        Ok(auth) => auth,
        Err(error) => return Told::new(&error, id).xmlrpc(),
    };
    let (positional, named) = split_named(params);
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let now = Utc::now();
    let request = Request { method, positional, named, auth, idempotency_key: key.map(str::to_owned), now };
    let hub = api.hub.for_request(id.shared());
    if multicall::is_multicall(&request.method) {
        return multicall::xmlrpc(&hub, id, request).await;
    }
    match hub.call(request).await {
        Ok(reply) => match reply::body(reply, reply::Encoding::Xmlrpc) {
            Ok(document) => xml(document),
            Err(error) => Told::new(&error, id).xmlrpc(),
        },
        Err(error) => Told::new(&error, id).xmlrpc(),
    }
}
