//! Messages that leave after the commit.
//!
//! They are written in the transaction that causes them, sent when it has committed, and deleted when they are sent. What a crash
//! between leaves behind, [`run_once`] sends: a message may arrive twice, and every receiver bears that.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use toji_protocol::queue_name::QueueName;

use crate::{Hub, Result, connections::Plans};

/// A message that waits for the commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Post {
    /// To whom.
    pub queue: QueueName,
    /// What.
    pub body: String,
}

/// How long the sender of a message may take before the sweep sends it too.
const GRACE: TimeDelta = TimeDelta::seconds(5);
/// The most that one pass sends.
const BATCH: i64 = 500;

/// Writes messages down, in the caller's transaction. Answers their ids.
pub async fn record(conn: &mut PgConnection, posts: &[Post]) -> Result<Vec<i64>> {
    if posts.is_empty() {
        return Ok(Vec::new());
    }
    let queues: Vec<String> = posts.iter().map(|post| post.queue.to_string()).collect();
    let bodies: Vec<String> = posts.iter().map(|post| post.body.clone()).collect();
    let ids = sqlx::query_scalar!(
        "INSERT INTO outbox (queue, body) SELECT * FROM unnest($1::text[], $2::text[]) RETURNING id",
        &queues,
        &bodies
    )
    .fetch_all(conn)
    .await?;
    Ok(ids)
}

/// Sends messages after their commit. A failure is only logged: the sweep sends what is left.
pub async fn deliver(hub: &Hub, posts: Vec<Post>, ids: Vec<i64>) {
    if posts.is_empty() {
        return;
    }
    if let Err(error) = send(hub, posts).await {
        tracing::warn!(%error, "messages stay in the outbox");
        return;
    }
    if let Err(error) = delete(hub, &ids).await {
        tracing::warn!(%error, "sent messages stay in the outbox, and will be sent again");
    }
}

async fn delete(hub: &Hub, ids: &[i64]) -> Result<()> {
    let mut conn = hub.connections.take(Plans::Once).await?;
    sqlx::query!("DELETE FROM outbox WHERE id = ANY($1)", ids).execute(&mut **conn.get()).await?;
    hub.connections.give_back(conn);
    Ok(())
}

async fn send(hub: &Hub, posts: Vec<Post>) -> std::result::Result<(), toji_protocol::queue::QueueError> {
    let mut by_queue: Vec<(QueueName, Vec<String>)> = Vec::new();
    for post in posts {
        match by_queue.iter_mut().find(|(queue, _)| *queue == post.queue) {
            Some((_, bodies)) if bodies.contains(&post.body) => {}
            Some((_, bodies)) => bodies.push(post.body),
            None => by_queue.push((post.queue, vec![post.body])),
        }
    }
    for (queue, bodies) in by_queue {
        hub.queues.send(&queue, &bodies).await?;
    }
    Ok(())
}

/// Sends what a crash left behind. Safe to run twice at once: rows are read with SKIP LOCKED and deleted.
pub async fn run_once(hub: &Hub, now: DateTime<Utc>) -> Result<usize> {
    let mut tx = hub.pool.begin().await?;
    let rows = sqlx::query!(
        "DELETE FROM outbox WHERE id IN
             (SELECT id FROM outbox WHERE create_time < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
         RETURNING queue, body",
        now - GRACE,
        BATCH
    )
    .fetch_all(&mut *tx)
    .await?;
    let posts: Vec<Post> = rows
        .into_iter()
        .filter_map(|row| match row.queue.parse() {
            Ok(queue) => Some(Post { queue, body: row.body }),
            Err(error) => {
                tracing::error!(%error, "a message in the outbox is dropped");
                None
            }
        })
        .collect();
    let count = posts.len();
    // sent inside the transaction: a crash in between sends them again, which does no harm; losing them would
    send(hub, posts).await.map_err(|error| crate::Error::Unavailable(error.into()))?;
    tx.commit().await?;
    Ok(count)
}

/// When the pass will have something to do: now, as long as a message waits.
///
/// # Errors
/// When the database is away.
pub(crate) async fn due(hub: &Hub, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let any = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM outbox) AS "any!""#).fetch_one(&hub.pool).await?;
    Ok(any.then_some(now))
}
