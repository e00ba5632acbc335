//! Statements about channels.

use sqlx::PgConnection;
use toji_protocol::{
    id::{ChannelId, EventId, HostId, Ref},
    method::channel::Channel,
};

use crate::Result;

pub(super) async fn find(conn: &mut PgConnection, channel: &Ref<ChannelId>) -> Result<Option<Channel>> {
    let row = sqlx::query!(
        "SELECT id, name, description, enabled, comment FROM channels WHERE id = $1 OR name = $2",
        channel.id().map(|id| id.0),
        channel.name()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Channel {
        comment: row.comment,
        description: row.description,
        enabled: row.enabled,
        id: ChannelId(row.id),
        name: row.name,
    }))
}

pub(super) async fn list(
    conn: &mut PgConnection,
    host: Option<HostId>,
    at: Option<EventId>,
    enabled: Option<bool>,
) -> Result<Vec<Channel>> {
    let rows = sqlx::query!(
        "SELECT id, name, description, enabled, comment FROM channels
         WHERE ($1::bigint IS NULL OR id IN (SELECT channel_id FROM host_channels WHERE host_id = $1
                                             AND is_live(active, create_event, revoke_event, $2)))
             AND ($3::boolean IS NULL OR enabled = $3)
         ORDER BY id",
        host.map(|id| id.0),
        at.map(|at| at.0),
        enabled
    )
    .fetch_all(conn)
    .await?;
    let channels = rows.into_iter().map(|row| Channel {
        comment: row.comment,
        description: row.description,
        enabled: row.enabled,
        id: ChannelId(row.id),
        name: row.name,
    });
    Ok(channels.collect())
}

/// Makes a channel; None when the name is taken.
pub(super) async fn create(
    conn: &mut PgConnection,
    name: &str,
    description: Option<&str>,
) -> Result<Option<ChannelId>> {
    let id = sqlx::query_scalar!(
        "INSERT INTO channels (name, description) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING RETURNING id",
        name,
        description
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(ChannelId))
}

/// Writes all of a channel's fields; false when the new name is taken.
pub(super) async fn update(conn: &mut PgConnection, channel: &Channel) -> Result<bool> {
    let updated = sqlx::query!(
        "UPDATE channels SET name = $2, description = $3, comment = $4, enabled = $5
         WHERE id = $1 AND NOT EXISTS (SELECT FROM channels WHERE name = $2 AND id <> $1)",
        channel.id.0,
        channel.name,
        channel.description,
        channel.comment,
        channel.enabled
    )
    .execute(conn)
    .await;
    match updated {
        Ok(updated) => Ok(updated.rows_affected() == 1),
        // somebody else took it in this moment
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn lock(conn: &mut PgConnection, channel: ChannelId) -> Result<()> {
    sqlx::query!("SELECT id FROM channels WHERE id = $1 FOR NO KEY UPDATE", channel.0).fetch_optional(conn).await?;
    Ok(())
}

/// The hosts that take a channel's tasks.
pub(super) async fn hosts(conn: &mut PgConnection, channel: ChannelId) -> Result<Vec<HostId>> {
    let ids = sqlx::query_scalar!("SELECT host_id FROM host_channels WHERE channel_id = $1 AND active", channel.0)
        .fetch_all(conn)
        .await?;
    Ok(ids.into_iter().map(HostId).collect())
}
