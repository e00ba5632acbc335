//! The sign function's work: the RPMs of a build get signatures and signed copies. Run again, it does what is missing.
//!
//! No transaction is open while a key is asked. A key that is away leaves the build as it is, tagged and unsigned; the request keeps
//! why, and the pass tries again.

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use toji_protocol::{
    id::{BuildId, RpmId, TagId},
    queue_name::{QueueName, SignBuild},
};

use super::{Key, key, request::Request};
use crate::{
    Error, Hub, Result,
    call::Cx,
    content,
    rpm::signature::{Cause, sign},
};

/// RPMs that are signed at once.
const AT_ONCE: usize = 4;
/// Requests that one pass sends again.
const BATCH: i64 = 500;
/// So long a request is left alone that was sent again.
const AGAIN: TimeDelta = TimeDelta::minutes(5);

/// Signs what a message asks for.
///
/// # Errors
/// When the database or S3 is away: to be run again. What else goes wrong is noted with the request.
pub async fn build(hub: &Hub, asked: SignBuild, now: DateTime<Utc>) -> Result<()> {
    let request = Request::get(&mut *hub.pool.acquire().await?, asked).await?;
    // done already
    let Some(request) = request else { return Ok(()) };
    let done = sign_build(hub, &request, now).await;
    let mut conn = hub.pool.acquire().await?;
    match done {
        Ok(()) => request.end(&mut conn).await,
        Err(error @ (Error::Unavailable(_) | Error::Deadlock(_))) => Err(error),
        Err(error) => {
            let problem = match &error {
                Error::Internal(cause) => format!("{cause:#}"),
                error => error.to_string(),
            };
            tracing::error!(tag = %request.tag, build = %request.build, problem, "a build could not be signed");
            request.put_off(&mut conn, &problem, now).await
        }
    }
}

async fn sign_build(hub: &Hub, request: &Request, now: DateTime<Utc>) -> Result<()> {
    let (named, rpms) = {
        let mut conn = hub.pool.acquire().await?;
        // untagged since
        if content::tagged_of(&mut conn, request.tag, &[request.build]).await?.is_empty() {
            return Ok(());
        }
        (key::of_tag(&mut conn, hub, request.tag, None).await?, rpms(&mut conn, request.build).await?)
    };
    let Some(named) = named else { return Ok(()) };
    let key = &Key::open(hub, named).await?;
    let cause = Cause { tag: request.tag, user: request.user };
    let sign = |rpm: RpmId| async move { sign(hub, rpm, key, cause, now).await };
    stream::iter(rpms).map(sign).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(())
}

async fn rpms(conn: &mut sqlx::PgConnection, build: BuildId) -> Result<Vec<RpmId>> {
    let ids =
        sqlx::query_scalar!("SELECT id FROM rpminfo WHERE build_id = $1 AND NOT metadata_only ORDER BY id", build.0)
            .fetch_all(conn)
            .await?;
    Ok(ids.into_iter().map(RpmId).collect())
}

/// Sends again what is due: messages that were lost, and what could not be signed then. Safe to run twice at once.
///
/// # Errors
/// When the database is away.
pub async fn run_once(hub: &Hub, now: DateTime<Utc>) -> Result<usize> {
    // a transaction that does nothing would keep the passes awake
    if due(hub).await?.is_none_or(|due| due > now) {
        return Ok(0);
    }
    let mut cx = Cx::internal(hub, now).await?;
    let due = sqlx::query!(
        "UPDATE sign_request SET due_time = $2 WHERE (tag_id, build_id) IN
             (SELECT tag_id, build_id FROM sign_request WHERE due_time <= $1 ORDER BY due_time LIMIT $3 FOR UPDATE SKIP LOCKED)
         RETURNING tag_id, build_id",
        now,
        now + AGAIN,
        BATCH
    )
    .fetch_all(cx.db().await?)
    .await?;
    for row in &due {
        cx.post(QueueName::Sign, &SignBuild { tag: TagId(row.tag_id), build: BuildId(row.build_id) });
    }
    cx.commit().await?;
    Ok(due.len())
}

/// When the next request is to be sent again.
///
/// # Errors
/// When the database is away.
pub async fn due(hub: &Hub) -> Result<Option<DateTime<Utc>>> {
    Ok(sqlx::query_scalar!("SELECT min(due_time) FROM sign_request").fetch_one(&hub.pool).await?)
}
