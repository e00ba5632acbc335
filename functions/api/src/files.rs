//! The front door for `/kojifiles`: objects as files, with ranges and conditions, and Koji's links rewritten.
//!
//! In production CloudFront does this, with a function that rewrites as `key_of` does, but for logs, which it sends here. Here the
//! bytes are handed through from S3 as they come; packed logs are unpacked on the way (`logs`).

use std::{borrow::Cow, fmt::Write};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use toji_hub::{Hub, task::live_log::is_log};
use toji_store::{Object, Read, ReadConditions, ReadOutcome, StoreError};

use crate::{error::Told, logs, request_id::RequestId};

/// What anybody may read; whatever else the bucket holds is the hub's own.
const PUBLIC: [&str; 5] = ["packages", "repos", "repos-dist", "scratch", "work"];

/// Where an RPM of a repo is said to be: `repos/<tag>/<repo>/<arch>/toplink/…` stands for the root of everything.
const LINK: &str = "/toplink/";

/// What a draft's folder has in its name. When the draft is promoted its files move on, and repos that were made before still name it.
const DRAFT: &str = ",draft_";

/// What the names of a repo's data files begin with: a SHA-256 in hex, and a hyphen. dnf wants them beside `repomd.xml`; all of a
/// tag's repos share them, so they are in the tag's `data/`.
const DIGEST: usize = 64;

/// Serves `/kojifiles`, but for what is under `work/`.
pub fn router(hub: Hub) -> Router {
    Router::new().route("/kojifiles/{*path}", get(answer)).with_state(hub)
}

/// Serves only the logs of it.
pub fn logs_router(hub: Hub) -> Router {
    Router::new().route("/kojifiles/{*path}", get(answer_log)).with_state(hub)
}

async fn answer_log(
    hub: State<Hub>,
    id: RequestId,
    path: Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    if is_log(&path) { answer(hub, id, path, method, headers).await } else { missing(&path) }
}

async fn answer(
    State(hub): State<Hub>,
    id: RequestId,
    Path(path): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    match key_of(&path) {
        Some(folder) if folder.ends_with('/') => list(&hub, &id, &folder).await,
        Some(key) if key.contains(DRAFT) => match hub.promoted_key(&key).await {
            Ok(Some(moved)) => moved_to(&moved),
            Ok(None) => serve(&hub, &id, &key, &method, &headers).await,
            Err(error) => Told::new(&error, &id).xmlrpc(),
        },
        Some(key) => serve(&hub, &id, &key, &method, &headers).await,
        None => missing(&path),
    }
}

/// The key of what is asked for; None when nobody may read it.
fn key_of(path: &str) -> Option<Cow<'_, str>> {
    // a volume is a storage class: keys are the same on all
    let path = path.strip_prefix("vol/").and_then(|on| on.find("/packages/").map(|at| &on[at + 1..])).unwrap_or(path);
    let is_in_repo = path.starts_with("repos/") || path.starts_with("repos-dist/");
    let key = match is_in_repo {
        true => match path.split_once(LINK) {
            Some((_, linked)) => linked.into(),
            None => data_file(path).map_or(Cow::Borrowed(path), Cow::Owned),
        },
        false => Cow::Borrowed(path),
    };
    let top = key.split('/').next()?;
    PUBLIC.contains(&top).then_some(key)
}

fn moved_to(key: &str) -> Response {
    (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, format!("/kojifiles/{}", encode(key)))]).into_response()
}

/// `repos/<tag>/<repo>/<arch>/repodata/<digest>-<name>` is kept as `repos/<tag>/data/<digest>-<name>`. A dist repo's debug RPMs have a
/// folder more: `<arch>/debug/repodata`.
fn data_file(path: &str) -> Option<String> {
    let path = match path.starts_with("repos-dist/") {
        true => Cow::Owned(path.replacen("/debug/repodata/", "/repodata/", 1)),
        false => Cow::Borrowed(path),
    };
    let mut segments = path.rsplitn(5, '/');
    let (name, folder, _arch, _repo, tag) =
        (segments.next()?, segments.next()?, segments.next()?, segments.next()?, segments.next()?);
    let (digest, _) = name.split_once('-')?;
    let is_data = folder == "repodata" && digest.len() == DIGEST && digest.bytes().all(|b| b.is_ascii_hexdigit());
    is_data.then(|| format!("{tag}/data/{name}"))
}

pub(crate) fn missing(path: &str) -> Response {
    (StatusCode::NOT_FOUND, format!("there is no file {path}\n")).into_response()
}

/// Hands an object on.
pub(crate) async fn serve(hub: &Hub, id: &RequestId, key: &str, method: &Method, headers: &HeaderMap) -> Response {
    match served(hub, key, method, headers).await {
        Ok(response) => response,
        Err(StoreError::Missing(_)) => missing(key),
        Err(error) => Told::new(&error.into(), id).xmlrpc(),
    }
}

async fn served(hub: &Hub, key: &str, method: &Method, headers: &HeaderMap) -> Result<Response, StoreError> {
    if is_log(key)
        && let Some(log) = hub.store.packed_log(key).await?
    {
        return Ok(logs::packed(log, method, headers));
    }
    if method == Method::HEAD { head(hub, key, headers).await } else { get_file(hub, key, headers).await }
}

async fn head(hub: &Hub, key: &str, headers: &HeaderMap) -> Result<Response, StoreError> {
    let object = hub.store.head(key).await?.ok_or_else(|| StoreError::Missing(key.to_owned()))?;
    let status = if is_known(&object, headers) { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    Ok((status, described(&object, object.size)).into_response())
}

/// Whether the reader has an object already, as it says itself.
pub(crate) fn is_known(object: &Object, headers: &HeaderMap) -> bool {
    match text(headers, header::IF_NONE_MATCH) {
        Some(tags) => tags.split(',').any(|tag| tag.trim() == object.etag || tag.trim() == "*"),
        None => since(headers).is_some_and(|since| object.modified.timestamp() <= since.timestamp()),
    }
}

/// Whether the reader wants its range only of another version of an object: then it gets all.
pub(crate) fn has_changed(object: &Object, headers: &HeaderMap) -> bool {
    let expected = text(headers, header::IF_RANGE);
    expected.is_some_and(|expected| expected != object.etag && expected != http_date(object.modified))
}

async fn get_file(hub: &Hub, key: &str, headers: &HeaderMap) -> Result<Response, StoreError> {
    let mut range = text(headers, header::RANGE).map(str::to_owned);
    if range.is_some() && headers.contains_key(header::IF_RANGE) {
        let object = hub.store.head(key).await?;
        range = range.filter(|_| object.is_some_and(|object| !has_changed(&object, headers)));
    }
    let if_none_match = text(headers, header::IF_NONE_MATCH).map(str::to_owned);
    // as HTTP has it, a tag overrules a date
    let if_modified_since = if if_none_match.is_none() { since(headers) } else { None };
    match hub.store.read(key, ReadConditions { range, if_none_match, if_modified_since }).await? {
        ReadOutcome::Found(read) => Ok(stream_of(*read)),
        ReadOutcome::NotModified => {
            let etag = hub.store.head(key).await?.map(|object| object.etag).unwrap_or_default();
            Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response())
        }
        ReadOutcome::OutOfRange => {
            let size = hub.store.head(key).await?.map(|object| object.size).unwrap_or_default();
            let range = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            Ok((StatusCode::RANGE_NOT_SATISFIABLE, range, "the range lies behind the end\n").into_response())
        }
    }
}

fn stream_of(read: Read) -> Response {
    let headers = described(&read.object, read.length);
    let body = stream::unfold(read.body, |mut body| async move { body.next().await.map(|bytes| (bytes, body)) });
    let body = Body::from_stream(body.fuse());
    match read.content_range {
        Some(range) => (StatusCode::PARTIAL_CONTENT, headers, [(header::CONTENT_RANGE, range)], body).into_response(),
        None => (headers, body).into_response(),
    }
}

pub(crate) fn described(object: &Object, length: i64) -> [(header::HeaderName, String); 6] {
    // what is replaced in place is asked for each time
    let cache = if object.key.contains("/latest/") { "no-cache" } else { "public, max-age=60" };
    [
        (header::CONTENT_TYPE, content_type(&object.key).to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::ETAG, object.etag.clone()),
        (header::LAST_MODIFIED, http_date(object.modified)),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::CACHE_CONTROL, cache.to_owned()),
    ]
}

fn content_type(key: &str) -> &'static str {
    match key.rsplit_once('.').map(|(_, extension)| extension) {
        Some("rpm") => "application/x-rpm",
        Some("log" | "txt" | "cfg" | "spec") => "text/plain; charset=utf-8",
        Some("asc") => "application/pgp-signature",
        Some("xml") => "text/xml",
        Some("json") => "application/json",
        Some("gz") => "application/gzip",
        Some("zst") => "application/zstd",
        _ => "application/octet-stream",
    }
}

pub(crate) fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

fn http_date(at: DateTime<Utc>) -> String {
    at.format(HTTP_DATE).to_string()
}

fn since(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let date = text(headers, header::IF_MODIFIED_SINCE)?;
    Some(chrono::NaiveDateTime::parse_from_str(date, HTTP_DATE).ok()?.and_utc())
}

/// A key as a URL's path has it.
pub(crate) fn encode(key: &str) -> String {
    let mut path = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => path.push(byte as char),
            _ => {
                // writing to a String does not fail
                let _ = write!(path, "%{byte:02X}");
            }
        }
    }
    path
}

/// A page for people who look around: what lies in a folder.
async fn list(hub: &Hub, id: &RequestId, folder: &str) -> Response {
    let objects = match hub.store.list(folder).await {
        Ok(objects) => objects,
        Err(error) => return Told::new(&error.into(), id).xmlrpc(),
    };
    let mut names: Vec<&str> = objects
        .iter()
        .filter_map(|object| object.key.strip_prefix(folder))
        .map(|below| below.find('/').map_or(below, |slash| &below[..=slash]))
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.dedup();
    if names.is_empty() {
        return missing(folder);
    }
    let mut page = format!("<!doctype html><title>{0}</title><h1>{0}</h1>\n<ul>\n", escape(folder));
    for name in names {
        let _ = writeln!(page, "<li><a href=\"{}\">{}</a>", encode(name), escape(name));
    }
    page.push_str("</ul>\n");
    Html(page).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_rewritten() {
        let rpm = "packages/foo/1/2/x86_64/foo-1-2.x86_64.rpm";
        for repo in ["repos/f42-build/17/x86_64", "repos/f42-build/latest/x86_64", "repos/a/b/17/x86_64"] {
            assert_eq!(key_of(&format!("{repo}/toplink/{rpm}")).as_deref(), Some(rpm));
        }
        assert_eq!(key_of(rpm).as_deref(), Some(rpm));
        assert_eq!(key_of(&format!("vol/cold/{rpm}")).as_deref(), Some(rpm));
        assert_eq!(key_of(&format!("repos/f42/9/x86_64/toplink/vol/cold/{rpm}")), None);
        assert_eq!(key_of("vol/cold/.cache/x"), None);
        let metadata = "repos/f42/latest/x86_64/repodata/repomd.xml";
        assert_eq!(key_of(metadata).as_deref(), Some(metadata));
        assert_eq!(key_of("repos/f42/9/x86_64/toplink/.cache/x"), None);
        assert_eq!(key_of("cache/frames/x"), None);
        assert_eq!(key_of(""), None);
    }

    #[test]
    fn data_files_are_shared() {
        let name = format!("{}-primary.xml.zst", "0a".repeat(32));
        let kept = format!("repos/f42/data/{name}");
        for repo in ["17", "latest"] {
            assert_eq!(key_of(&format!("repos/f42/{repo}/x86_64/repodata/{name}")).as_deref(), Some(&*kept));
        }
        let kept = format!("repos-dist/f42/data/{name}");
        for folder in ["17/x86_64", "latest/x86_64", "17/x86_64/debug"] {
            assert_eq!(key_of(&format!("repos-dist/f42/{folder}/repodata/{name}")).as_deref(), Some(&*kept));
        }
        let linked = "repos-dist/f42/17/x86_64/debug/toplink/packages/a/1/1/data/signed/ab/x86_64/a-1-1.x86_64.rpm";
        assert_eq!(key_of(linked).as_deref(), linked.split_once("toplink/").map(|(_, key)| key));
        let other = "repos/f42/17/x86_64/repodata/abc-primary.xml.zst";
        assert_eq!(key_of(other).as_deref(), Some(other));
    }

    #[test]
    fn keys_in_urls() {
        assert_eq!(encode("a/b+c~1^2 %.rpm"), "a/b%2Bc~1%5E2%20%25.rpm");
    }
}
