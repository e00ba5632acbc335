//! Events: ids in commit order. Taking one locks out other writers until the commit, so it is taken last, after all row locks.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::id::EventId;

use crate::{Error, Result};

/// A new event, for everything that one call changes.
pub async fn create(conn: &mut PgConnection) -> Result<EventId> {
    let id = sqlx::query_scalar!(r#"SELECT new_event() AS "id!""#).fetch_one(conn).await?;
    Ok(EventId(id))
}

/// Several, in order.
pub async fn create_several(conn: &mut PgConnection, count: usize) -> Result<Vec<EventId>> {
    let ids = sqlx::query_scalar!(r#"SELECT new_event() AS "id!" FROM generate_series(1, $1::bigint)"#, count as i64)
        .fetch_all(conn)
        .await?;
    Ok(ids.into_iter().map(EventId).collect())
}

/// The newest event, or the newest before another or before a time.
pub async fn last(conn: &mut PgConnection, before: Option<f64>) -> Result<Option<(EventId, DateTime<Utc>)>> {
    // Koji tells ids and times apart by their type; both arrive as numbers here, and no time is as small as an id
    const SMALLEST_TIME: f64 = 500_000_000.0;
    let (before_id, before_time) = match before {
        Some(ts) if ts >= SMALLEST_TIME => (None, toji_protocol::time::Time::from_ts(ts).map(|time| time.0)),
        Some(id) => (Some(id as i64), None),
        None => (None, None),
    };
    let row = sqlx::query!(
        "SELECT id, time FROM events WHERE ($1::bigint IS NULL OR id < $1) AND ($2::timestamptz IS NULL OR time < $2)
         ORDER BY id DESC LIMIT 1",
        before_id,
        before_time
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (EventId(row.id), row.time)))
}

/// When an event was.
pub async fn time(conn: &mut PgConnection, event: EventId) -> Result<Option<DateTime<Utc>>> {
    Ok(sqlx::query_scalar!("SELECT time FROM events WHERE id = $1", event.0).fetch_optional(conn).await?)
}

/// A fault when there is no such event.
pub async fn require(conn: &mut PgConnection, event: EventId) -> Result<()> {
    match time(conn, event).await? {
        Some(_) => Ok(()),
        None => Err(Error::missing(format!("No such event: {event}"))),
    }
}
