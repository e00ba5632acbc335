//! The hub's methods over HTTP, in two encodings made from one table: XML-RPC at `/kojihub`, as Koji's own client speaks it,
//! and JSON at `/api/<method>`.
//!
//! - [`router`]: the whole API: what the Lambda function serves
//! - [`files`]: the front door for `/kojifiles`: CloudFront's work, for machines that have none
//! - `kojihub`, `raw_upload`, `multicall`: XML-RPC · `json`: JSON · `openapi`: what there is to call
//! - `reply`: long answers are encoded while they are sent
//! - `error`: the one place where the hub's errors become faults, problem details and statuses

mod auth;
mod body;
mod error;
pub mod files;
mod health;
mod json;
mod kojihub;
mod logs;
mod multicall;
mod openapi;
mod raw_upload;
mod reply;
mod request_id;
mod work;

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderValue, StatusCode},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use toji_hub::{Hub, system::KOJI_VERSION};
use tower_http::{
    CompressionLevel,
    compression::{CompressionLayer, predicate::SizeAbove},
};

/// Replies below this are sent as they are, in bytes: they fit a packet or two.
const COMPRESS_ABOVE: u64 = 1400;

/// The API, with the files that are not plain objects in S3. It spawns nothing: once an answer is out, nothing is left to be done.
pub fn router(hub: Hub) -> Router {
    let logs = files::logs_router(hub.clone()).merge(work::router(hub.clone(), work::Files::ByUrl));
    api(hub).merge(logs).layer(middleware::from_fn(request_id::layer))
}

/// The API and the files: everything that a front door would serve in production.
pub fn router_with_files(hub: Hub) -> Router {
    let files = files::router(hub.clone()).merge(work::router(hub.clone(), work::Files::Here));
    api(hub).merge(files).layer(middleware::from_fn(request_id::layer))
}

fn api(hub: Hub) -> Router {
    let compress = CompressionLayer::new().quality(CompressionLevel::Fastest);
    Router::new()
        .route("/kojihub", any(kojihub::answer))
        .route("/kojihub/{*rest}", any(kojihub::answer))
        .route("/api/{method}", any(json::answer))
        .route("/openapi.json", get(openapi::answer))
        .route("/healthz", get(health::answer))
        .fallback(nowhere)
        .with_state(Arc::new(Api { openapi: openapi::Cached::default(), hub }))
        .layer(compress.compress_when(SizeAbove::new(COMPRESS_ABOVE)))
        .layer(middleware::map_response(name_version))
}

/// Logs as Lambda collects them: a JSON object a line. `TOJI_LOG` says how much, as tracing's filters are written; `info` unless
/// said.
pub fn log_to_stdout() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("TOJI_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).init();
}

/// What the handlers share.
struct Api {
    hub: Hub,
    openapi: openapi::Cached,
}

/// The stock client takes the hub's version from any reply, errors too.
async fn name_version(mut response: Response) -> Response {
    response.headers_mut().insert("koji-version", HeaderValue::from_static(KOJI_VERSION));
    response
}

async fn nowhere() -> Response {
    (StatusCode::NOT_FOUND, "not found: the API is at /api/ and /kojihub, and /openapi.json tells of it\n")
        .into_response()
}
