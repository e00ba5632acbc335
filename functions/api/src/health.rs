//! `/healthz`: whether what the hub stands on answers.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::Api;

pub(crate) async fn answer(State(api): State<Arc<Api>>) -> Response {
    let health = toji_hub::health::check(&api.hub).await;
    let status = if health.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health)).into_response()
}
