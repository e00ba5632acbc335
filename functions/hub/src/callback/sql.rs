//! Statements about what is told, and who has not been told yet.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};

use super::{Happening, Settings, When, point::Point};
use toji_protocol::{
    id::{BuildId, VolumeId},
    state::BuildState,
};

use crate::Result;

/// Writes down what happens, and who is to be told, in the transaction in which it happens. In their order.
pub(super) async fn record(
    conn: &mut PgConnection,
    settings: &Settings,
    happened: Vec<Happening>,
    now: DateTime<Utc>,
) -> Result<()> {
    let (mut callbacks, mut addresses, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    let (mut props, mut bodies, mut receivers) = (Vec::new(), Vec::new(), Vec::new());
    for happening in happened {
        let names: Vec<&str> = settings.receivers_of(&happening).iter().map(|who| who.name.as_str()).collect();
        // their names have no spaces
        receivers.push(names.join(" "));
        callbacks.push(Point { when: When::Post, callback: happening.callback }.to_string());
        addresses.push(happening.address);
        keys.push(happening.key);
        props.push(Value::Object(happening.props));
        bodies.push(Value::Object(happening.body));
    }
    sqlx::query!(
        "WITH logged AS (
             INSERT INTO callback_log (callback, address, key, props, body, receivers, create_time)
             SELECT callback, address, key, props, body, string_to_array(receivers, ' '), $7
             FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::jsonb[], $6::text[])
                 WITH ORDINALITY AS new (callback, address, key, props, body, receivers, place) ORDER BY place
             RETURNING id, key, receivers)
         INSERT INTO callback_delivery (receiver, event_id, key, since, due_time)
         SELECT unnest(receivers), id, key, $7, $7 FROM logged",
        &callbacks,
        &addresses,
        &keys as &[Option<String>],
        &props,
        &bodies,
        &receivers,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Something that is to be told, by whoever has the lease.
pub(super) struct Due {
    pub(super) receiver: String,
    pub(super) since: DateTime<Utc>,
    pub(super) attempts: i32,
    pub(super) event: Logged,
}

/// Something that was written down.
pub(super) struct Logged {
    pub(super) id: i64,
    pub(super) callback: String,
    pub(super) address: String,
    pub(super) key: Option<String>,
    pub(super) props: Value,
    pub(super) body: Value,
    pub(super) receivers: Vec<String>,
    pub(super) time: DateTime<Utc>,
}

/// Takes what is due: of each receiver and key only the first.
pub(super) async fn take(pool: &PgPool, now: DateTime<Utc>, lease: TimeDelta, most: i64) -> Result<Vec<Due>> {
    let rows = sqlx::query!(
        r#"UPDATE callback_delivery delivery SET lease_expires_at = $2, attempts = attempts + 1 FROM callback_log log
           WHERE log.id = delivery.event_id AND (delivery.receiver, delivery.event_id) IN (
               SELECT receiver, event_id FROM callback_delivery first
               WHERE due_time <= $1 AND (lease_expires_at IS NULL OR lease_expires_at <= $1)
                   AND NOT EXISTS (SELECT FROM callback_delivery earlier WHERE earlier.receiver = first.receiver
                       AND earlier.key = first.key AND earlier.event_id < first.event_id)
               ORDER BY event_id LIMIT $3 FOR UPDATE SKIP LOCKED)
           RETURNING delivery.receiver, delivery.since, delivery.attempts, log.id, callback, address, log.key, props, body,
               receivers, create_time"#,
        now,
        now + lease,
        most
    )
    .fetch_all(pool)
    .await?;
    let mut due: Vec<Due> = rows
        .into_iter()
        .map(|row| Due {
            receiver: row.receiver,
            since: row.since,
            attempts: row.attempts,
            event: Logged {
                id: row.id,
                callback: row.callback,
                address: row.address,
                key: row.key,
                props: row.props,
                body: row.body,
                receivers: row.receivers,
                time: row.create_time,
            },
        })
        .collect();
    due.sort_by_key(|due| due.event.id);
    Ok(due)
}

/// It was told, or is given up.
pub(super) async fn end(pool: &PgPool, receiver: &str, events: &[i64]) -> Result<()> {
    sqlx::query!("DELETE FROM callback_delivery WHERE receiver = $1 AND event_id = ANY($2)", receiver, events)
        .execute(pool)
        .await?;
    Ok(())
}

/// It is told again later.
pub(super) async fn again(pool: &PgPool, receiver: &str, event: i64, due: DateTime<Utc>, problem: &str) -> Result<()> {
    sqlx::query!(
        "UPDATE callback_delivery SET due_time = $3, lease_expires_at = NULL, problem = $4
         WHERE receiver = $1 AND event_id = $2",
        receiver,
        event,
        due,
        problem
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A receiver is away: all that waits for it waits, what was taken and not tried (`untried`) as well.
pub(super) async fn postpone(
    pool: &PgPool,
    receiver: &str,
    untried: &[i64],
    now: DateTime<Utc>,
    due: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE callback_delivery SET due_time = greatest(due_time, $4), lease_expires_at = NULL,
             attempts = attempts - (event_id = ANY($2))::integer
         WHERE receiver = $1 AND (event_id = ANY($2) OR due_time <= $3 AND (lease_expires_at IS NULL OR lease_expires_at <= $3))",
        receiver,
        untried,
        now,
        due
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// What was written down from an id on, oldest first.
pub(super) async fn list(
    conn: &mut PgConnection,
    from: i64,
    to: Option<i64>,
    key: Option<&str>,
    most: i64,
) -> Result<Vec<Logged>> {
    let logged = sqlx::query_as!(
        Logged,
        "SELECT id, callback, address, key, props, body, receivers, create_time AS time FROM callback_log
         WHERE id >= $1 AND ($2::bigint IS NULL OR id <= $2) AND ($3::text IS NULL OR key = $3) ORDER BY id LIMIT $4",
        from,
        to,
        key,
        most
    )
    .fetch_all(conn)
    .await?;
    Ok(logged)
}

/// Has some told again, which are not waiting to be told anyway.
pub(super) async fn replay(conn: &mut PgConnection, receiver: &str, events: &[i64], now: DateTime<Utc>) -> Result<u64> {
    let made = sqlx::query!(
        "INSERT INTO callback_delivery (receiver, event_id, key, since, due_time)
         SELECT $1, id, key, $3, $3 FROM callback_log WHERE id = ANY($2) ON CONFLICT DO NOTHING",
        receiver,
        events,
        now
    )
    .execute(conn)
    .await?;
    Ok(made.rows_affected())
}

/// What waits for a receiver.
pub(super) struct Waiting {
    pub(super) receiver: String,
    pub(super) count: i64,
    pub(super) oldest: i64,
    pub(super) problem: Option<String>,
    pub(super) next: DateTime<Utc>,
}

/// What waits, for each receiver.
pub(super) async fn waiting(conn: &mut PgConnection) -> Result<Vec<Waiting>> {
    let waiting = sqlx::query_as!(
        Waiting,
        r#"SELECT receiver, count(*) AS "count!", min(event_id) AS "oldest!", min(due_time) AS "next!",
               (array_agg(problem ORDER BY event_id) FILTER (WHERE problem IS NOT NULL))[1] AS problem
           FROM callback_delivery GROUP BY receiver"#
    )
    .fetch_all(conn)
    .await?;
    Ok(waiting)
}

/// Deletes what was told long ago.
pub(crate) async fn sweep(pool: &PgPool, before: DateTime<Utc>) -> Result<u64> {
    let swept = sqlx::query!(
        "DELETE FROM callback_log WHERE create_time < $1
             AND NOT EXISTS (SELECT FROM callback_delivery WHERE event_id = callback_log.id)",
        before
    )
    .execute(pool)
    .await?;
    Ok(swept.rows_affected())
}

/// What a build was before the change at hand: its state and volume. None = it was not there.
pub(super) async fn build_before(conn: &mut PgConnection, build: BuildId) -> Result<Option<(BuildState, VolumeId)>> {
    let row = sqlx::query!("SELECT state, volume_id FROM build_config WHERE build_id = $1 AND active", build.0)
        .fetch_optional(conn)
        .await?;
    Ok(row.and_then(|row| Some((BuildState::from_number(row.state.into())?, VolumeId(row.volume_id)))))
}
