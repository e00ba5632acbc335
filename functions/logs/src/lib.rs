//! Live logs of tasks, as server-sent events: `/api/tasks/<id>/logs` for all logs of a task, `/api/tasks/<id>/logs/<name>` for one.
//!
//! Builders put the new bytes of a task's logs into S3 as numbered parts (`toji_protocol::log_part`), and this reads them there. It
//! cannot reach the database. Whoever watch the same attempt share one reader, so what S3 is asked grows with the tasks
//! that are watched, not with the watchers.
//!
//! - `tail`: the parts of an attempt, as they come · `follow`: what one watcher is told of them · `event`: how it is written

mod event;
mod follow;
mod tail;

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{KeepAlive, Sse},
    },
    routing::get,
};
use event::{LAST_EVENT_ID, Position};
use futures::StreamExt;
use tail::Tails;
use toji_protocol::id::TaskId;
use toji_store::Store;

/// A comment is sent when there has been nothing for so long, so that nobody between takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The routes, over the store that the builders' parts are in.
pub fn router(store: Store) -> Router {
    Router::new()
        .route("/api/tasks/{task}/logs", get(all))
        .route("/api/tasks/{task}/logs/{name}", get(one))
        .with_state(Tails::new(store))
}

async fn all(State(tails): State<Tails>, Path(task): Path<String>, headers: HeaderMap) -> Response {
    answer(tails, &task, None, &headers).await
}

async fn one(State(tails): State<Tails>, Path((task, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    answer(tails, &task, Some(name), &headers).await
}

async fn answer(tails: Tails, task: &str, name: Option<String>, headers: &HeaderMap) -> Response {
    let Ok(task) = task.parse().map(TaskId) else {
        return (StatusCode::BAD_REQUEST, format!("{task} is no id of a task: it is a number\n")).into_response();
    };
    let last = headers.get(LAST_EVENT_ID).map(|id| id.to_str().ok().and_then(|id| id.parse::<Position>().ok()));
    let last = match last {
        Some(Some(position)) => Some(position),
        Some(None) => {
            let said = "Last-Event-ID is none that was given out here; leave it away to begin with the first line\n";
            return (StatusCode::BAD_REQUEST, said).into_response();
        }
        None => None,
    };
    match follow::events(tails, task, name, last).await {
        Ok(Some(events)) => {
            let events = Sse::new(events.map(Ok::<_, Infallible>)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
            // what stands between must neither keep nor collect it
            ([("cache-control", "no-store"), ("x-accel-buffering", "no")], events).into_response()
        }
        // a browser asks again after the end of a stream, until it is told this
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            tracing::warn!(%task, %error, "a task's logs cannot be read");
            (StatusCode::SERVICE_UNAVAILABLE, "the logs cannot be read now; try again\n").into_response()
        }
    }
}
