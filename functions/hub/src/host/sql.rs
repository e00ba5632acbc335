//! Statements about hosts.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{ChannelId, EventId, HostId, Ref, UserId},
    method::host::Host,
    time::Time,
};

use crate::Result;

/// What [`list`] looks for.
#[derive(Default)]
pub(super) struct Wanted<'a> {
    pub(super) host: Option<&'a Ref<HostId>>,
    pub(super) arches: Option<Vec<String>>,
    pub(super) channel: Option<ChannelId>,
    pub(super) ready: Option<bool>,
    pub(super) enabled: Option<bool>,
    pub(super) user: Option<UserId>,
    pub(super) at: Option<EventId>,
}

pub(super) async fn list(conn: &mut PgConnection, wanted: Wanted<'_>) -> Result<Vec<Host>> {
    let rows = sqlx::query!(
        "SELECT host.id, host.user_id, host.name, host.update_time, host.task_load, host.ready, c.arches, c.capacity,
             c.description, c.comment, c.enabled
         FROM host JOIN host_config c ON c.host_id = host.id
         WHERE is_live(c.active, c.create_event, c.revoke_event, $1) AND (NOT $2 OR host.id = $3 OR host.name = $4)
             AND ($5::text[] IS NULL OR string_to_array(c.arches, ' ') && $5)
             AND ($6::bigint IS NULL OR host.id IN (SELECT host_id FROM host_channels WHERE channel_id = $6 AND active))
             AND ($7::boolean IS NULL OR host.ready = $7) AND ($8::boolean IS NULL OR c.enabled = $8)
             AND ($9::bigint IS NULL OR host.user_id = $9)
         ORDER BY host.name",
        wanted.at.map(|at| at.0),
        wanted.host.is_some(),
        wanted.host.and_then(Ref::id).map(|id| id.0),
        wanted.host.and_then(Ref::name),
        wanted.arches.as_deref(),
        wanted.channel.map(|id| id.0),
        wanted.ready,
        wanted.enabled,
        wanted.user.map(|id| id.0)
    )
    .fetch_all(conn)
    .await?;
    let hosts = rows.into_iter().map(|row| Host {
        arches: row.arches,
        capacity: row.capacity,
        comment: row.comment,
        description: row.description,
        enabled: row.enabled,
        id: HostId(row.id),
        name: row.name,
        ready: row.ready,
        task_load: row.task_load,
        update_ts: row.update_time.map(|time| Time(time).ts()),
        user_id: UserId(row.user_id),
    });
    Ok(hosts.collect())
}

/// Makes a host's row; None when the name or the user has one.
pub(super) async fn create(conn: &mut PgConnection, user: UserId, name: &str) -> Result<Option<HostId>> {
    let id = sqlx::query_scalar!(
        "INSERT INTO host (user_id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id",
        user.0,
        name
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(HostId))
}

pub(super) async fn lock(conn: &mut PgConnection, host: HostId) -> Result<()> {
    sqlx::query!("SELECT id FROM host WHERE id = $1 FOR NO KEY UPDATE", host.0).fetch_optional(conn).await?;
    Ok(())
}

pub(super) async fn revoke_config(conn: &mut PgConnection, host: HostId, event: EventId, by: UserId) -> Result<()> {
    sqlx::query!(
        "UPDATE host_config SET active = NULL, revoke_event = $2, revoker_id = $3 WHERE host_id = $1 AND active",
        host.0,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The settings of a host: those of its fields that are versioned.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Config {
    pub(super) arches: String,
    pub(super) capacity: f64,
    pub(super) description: Option<String>,
    pub(super) comment: Option<String>,
    pub(super) enabled: bool,
}

pub(super) async fn insert_config(
    conn: &mut PgConnection,
    host: HostId,
    config: &Config,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO host_config (host_id, arches, capacity, description, comment, enabled, create_event, creator_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        host.0,
        config.arches,
        config.capacity,
        config.description,
        config.comment,
        config.enabled,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The channels of these names; fewer when one is not there.
pub(super) async fn channels_named(conn: &mut PgConnection, names: &[String]) -> Result<Vec<(ChannelId, String)>> {
    let rows = sqlx::query!("SELECT id, name FROM channels WHERE name = ANY($1)", names).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (ChannelId(row.id), row.name)).collect())
}

pub(super) async fn add_channels(
    conn: &mut PgConnection,
    host: HostId,
    channels: &[ChannelId],
    event: EventId,
    by: UserId,
) -> Result<()> {
    let ids: Vec<i64> = channels.iter().map(|id| id.0).collect();
    sqlx::query!(
        "INSERT INTO host_channels (host_id, channel_id, create_event, creator_id)
         SELECT $1, channel_id, $3, $4 FROM unnest($2::bigint[]) AS channel_id",
        host.0,
        &ids,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn remove_channel(
    conn: &mut PgConnection,
    host: HostId,
    channel: ChannelId,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "UPDATE host_channels SET active = NULL, revoke_event = $3, revoker_id = $4
         WHERE host_id = $1 AND channel_id = $2 AND active",
        host.0,
        channel.0,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn is_in(conn: &mut PgConnection, host: HostId, channel: ChannelId) -> Result<bool> {
    let is_in = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM host_channels WHERE host_id = $1 AND channel_id = $2 AND active) AS "is_in!""#,
        host.0,
        channel.0
    )
    .fetch_one(conn)
    .await?;
    Ok(is_in)
}

/// The arches of an enabled host, and its enabled channels.
pub(super) async fn arches_and_channels(
    conn: &mut PgConnection,
    host: HostId,
) -> Result<Option<(String, Vec<ChannelId>)>> {
    let row = sqlx::query!(
        r#"SELECT arches, ARRAY(SELECT channels.id FROM host_channels JOIN channels ON channels.id = channel_id
                                WHERE host_id = $1 AND active AND enabled ORDER BY 1) AS "channels!"
           FROM host_config WHERE host_id = $1 AND active AND enabled"#,
        host.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.arches, row.channels.into_iter().map(ChannelId).collect())))
}

pub(super) async fn last_update(conn: &mut PgConnection, host: HostId) -> Result<Option<DateTime<Utc>>> {
    Ok(sqlx::query_scalar!("SELECT update_time FROM host WHERE id = $1", host.0).fetch_one(conn).await?)
}

pub(super) async fn all_arches(conn: &mut PgConnection) -> Result<Vec<String>> {
    let arches = sqlx::query_scalar!(
        r#"SELECT DISTINCT arch AS "arch!" FROM host_config, string_to_table(arches, ' ') AS arch
           WHERE active AND arch <> '' ORDER BY 1"#
    )
    .fetch_all(conn)
    .await?;
    Ok(arches)
}
