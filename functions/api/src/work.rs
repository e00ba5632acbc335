//! `/kojifiles/work/…`: where a task's file really is, as a redirect.
//!
//! Koji's clients look for `work/tasks/47/20047/foo.rpm`; here it lies under the attempt that made it, or where an import has put it.
//! Logs are answered here, as text: their objects are packed, or not there yet.

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use toji_hub::{Hub, task::live_log::is_log, upload::Place};
use toji_store::PRESIGNED_FOR;

use crate::{error::Told, files, logs, request_id::RequestId};

/// Who serves the objects under `work/`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Files {
    /// This process.
    Here,
    /// S3 itself, by a URL that is signed for a while: the front door sends all of `work/` to us, so a redirect within would
    /// only come back.
    ByUrl,
}

pub(crate) fn router(hub: Hub, files: Files) -> Router {
    Router::new().route("/kojifiles/work/{*path}", get(answer)).with_state((hub, files))
}

async fn answer(
    State((hub, files)): State<(Hub, Files)>,
    id: RequestId,
    Path(path): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let path = format!("work/{path}");
    let key = match hub.find_work(&path).await {
        Ok(Some(Place::Key(key))) => key,
        Ok(Some(Place::Live(log))) => return logs::live(log, &headers),
        Ok(None) => return files::missing(&path),
        Err(error) => return Told::new(&error, &id).xmlrpc(),
    };
    if files == Files::ByUrl && key.starts_with("work/") && !is_log(&key) {
        return match hub.store.presign_get(&key, PRESIGNED_FOR).await {
            Ok(url) => redirect(url),
            Err(error) => Told::new(&error.into(), &id).xmlrpc(),
        };
    }
    if key == path || files == Files::ByUrl && key.starts_with("work/") {
        return files::serve(&hub, &id, &key, &method, &headers).await;
    }
    redirect(format!("/kojifiles/{}", files::encode(&key)))
}

/// A better place may be known later: a newer attempt, or an import.
fn redirect(to: String) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, to), (header::CACHE_CONTROL, "no-store".to_owned())]).into_response()
}
