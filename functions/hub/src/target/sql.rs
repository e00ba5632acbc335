//! Statements about build targets.

use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, Ref, TagId, TargetId, UserId},
    method::target::BuildTarget,
};

use crate::Result;

/// What [`list`] looks for.
#[derive(Default)]
pub(super) struct Wanted<'a> {
    pub(super) target: Option<&'a Ref<TargetId>>,
    pub(super) build_tag: Option<TagId>,
    pub(super) dest_tag: Option<TagId>,
    pub(super) at: Option<EventId>,
}

pub(super) async fn list(conn: &mut PgConnection, wanted: Wanted<'_>) -> Result<Vec<BuildTarget>> {
    let rows = sqlx::query!(
        "SELECT t.id, t.name, build_tag, b.name AS build_tag_name, dest_tag, d.name AS dest_tag_name
         FROM build_target t JOIN build_target_config c ON c.build_target_id = t.id
             JOIN tag b ON b.id = build_tag JOIN tag d ON d.id = dest_tag
         WHERE is_live(c.active, c.create_event, c.revoke_event, $1) AND (NOT $2 OR t.id = $3 OR t.name = $4)
             AND ($5::bigint IS NULL OR build_tag = $5) AND ($6::bigint IS NULL OR dest_tag = $6)
         ORDER BY t.name",
        wanted.at.map(|at| at.0),
        wanted.target.is_some(),
        wanted.target.and_then(Ref::id).map(|id| id.0),
        wanted.target.and_then(Ref::name),
        wanted.build_tag.map(|id| id.0),
        wanted.dest_tag.map(|id| id.0)
    )
    .fetch_all(conn)
    .await?;
    let targets = rows.into_iter().map(|row| BuildTarget {
        id: TargetId(row.id),
        name: row.name,
        build_tag: TagId(row.build_tag),
        build_tag_name: row.build_tag_name,
        dest_tag: TagId(row.dest_tag),
        dest_tag_name: row.dest_tag_name,
    });
    Ok(targets.collect())
}

/// The row of a name, made when there is none, and locked.
pub(super) async fn take_name(conn: &mut PgConnection, name: &str) -> Result<TargetId> {
    let id = sqlx::query_scalar!(
        "INSERT INTO build_target (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id",
        name
    )
    .fetch_one(conn)
    .await?;
    Ok(TargetId(id))
}

pub(super) async fn lock(conn: &mut PgConnection, target: TargetId) -> Result<()> {
    sqlx::query!("SELECT id FROM build_target WHERE id = $1 FOR NO KEY UPDATE", target.0).fetch_optional(conn).await?;
    Ok(())
}

/// Renames a target; false when the name is taken.
pub(super) async fn rename(conn: &mut PgConnection, target: TargetId, name: &str) -> Result<bool> {
    let renamed = sqlx::query!(
        "UPDATE build_target SET name = $2 WHERE id = $1 AND NOT EXISTS (SELECT FROM build_target WHERE name = $2)",
        target.0,
        name
    )
    .execute(conn)
    .await;
    match renamed {
        Ok(renamed) => Ok(renamed.rows_affected() == 1),
        // somebody else took it in this moment
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn revoke(conn: &mut PgConnection, target: TargetId, event: EventId, by: UserId) -> Result<()> {
    sqlx::query!(
        "UPDATE build_target_config SET active = NULL, revoke_event = $2, revoker_id = $3
         WHERE build_target_id = $1 AND active",
        target.0,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn insert(
    conn: &mut PgConnection,
    target: TargetId,
    build_tag: TagId,
    dest_tag: TagId,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO build_target_config (build_target_id, build_tag, dest_tag, create_event, creator_id)
         VALUES ($1, $2, $3, $4, $5)",
        target.0,
        build_tag.0,
        dest_tag.0,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}
