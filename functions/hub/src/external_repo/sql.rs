//! Statements about external repos.

use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, ExternalRepoId, Ref, TagId, UserId},
    method::external_repo::{ExternalRepo, TagExternalRepo},
    value::{Map, Value},
};

use crate::{Error, Result};

pub(super) async fn list(
    conn: &mut PgConnection,
    repo: Option<&Ref<ExternalRepoId>>,
    url: Option<&str>,
    at: Option<EventId>,
) -> Result<Vec<ExternalRepo>> {
    let rows = sqlx::query!(
        "SELECT id, name, url FROM external_repo JOIN external_repo_config ON external_repo_id = id
         WHERE is_live(active, create_event, revoke_event, $1) AND (NOT $2 OR id = $3 OR name = $4)
             AND ($5::text IS NULL OR url = $5)
         ORDER BY name",
        at.map(|at| at.0),
        repo.is_some(),
        repo.and_then(Ref::id).map(|id| id.0),
        repo.and_then(Ref::name),
        url
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| ExternalRepo { id: ExternalRepoId(row.id), name: row.name, url: row.url }).collect())
}

/// The row of a name, made when there is none, and locked.
pub(super) async fn take_name(conn: &mut PgConnection, name: &str) -> Result<ExternalRepoId> {
    let id = sqlx::query_scalar!(
        "INSERT INTO external_repo (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id",
        name
    )
    .fetch_one(conn)
    .await?;
    Ok(ExternalRepoId(id))
}

pub(super) async fn lock(conn: &mut PgConnection, repo: ExternalRepoId) -> Result<()> {
    sqlx::query!("SELECT id FROM external_repo WHERE id = $1 FOR NO KEY UPDATE", repo.0).fetch_optional(conn).await?;
    Ok(())
}

/// Renames a repo; false when the name is taken.
pub(super) async fn rename(conn: &mut PgConnection, repo: ExternalRepoId, name: &str) -> Result<bool> {
    let renamed = sqlx::query!(
        "UPDATE external_repo SET name = $2 WHERE id = $1 AND NOT EXISTS (SELECT FROM external_repo WHERE name = $2)",
        repo.0,
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

pub(super) async fn revoke(conn: &mut PgConnection, repo: ExternalRepoId, event: EventId, by: UserId) -> Result<()> {
    sqlx::query!(
        "UPDATE external_repo_config SET active = NULL, revoke_event = $2, revoker_id = $3
         WHERE external_repo_id = $1 AND active",
        repo.0,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What was kept about a repo's contents.
pub(super) async fn revoke_data(
    conn: &mut PgConnection,
    repo: ExternalRepoId,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "UPDATE external_repo_data SET active = NULL, revoke_event = $2, revoker_id = $3
         WHERE external_repo_id = $1 AND active",
        repo.0,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn insert(
    conn: &mut PgConnection,
    repo: ExternalRepoId,
    url: &str,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO external_repo_config (external_repo_id, url, create_event, creator_id) VALUES ($1, $2, $3, $4)",
        repo.0,
        url,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is attached, by tag and priority.
pub(super) async fn attached(
    conn: &mut PgConnection,
    tags: Option<&[TagId]>,
    repo: Option<ExternalRepoId>,
    at: Option<EventId>,
) -> Result<Vec<TagExternalRepo>> {
    let tags: Option<Vec<i64>> = tags.map(|tags| tags.iter().map(|tag| tag.0).collect());
    let rows = sqlx::query!(
        "SELECT t.tag_id, tag.name AS tag_name, r.id AS repo_id, r.name AS repo_name, c.url, t.priority, t.merge_mode, t.arches
         FROM tag_external_repos t JOIN tag ON tag.id = t.tag_id JOIN external_repo r ON r.id = t.external_repo_id
             JOIN external_repo_config c ON c.external_repo_id = r.id
                 AND is_live(c.active, c.create_event, c.revoke_event, $1)
         WHERE is_live(t.active, t.create_event, t.revoke_event, $1) AND ($2::bigint[] IS NULL OR t.tag_id = ANY($2))
             AND ($3::bigint IS NULL OR r.id = $3)
         ORDER BY t.tag_id, t.priority",
        at.map(|at| at.0),
        tags.as_deref(),
        repo.map(|id| id.0)
    )
    .fetch_all(conn)
    .await?;
    let attached = rows.into_iter().map(|row| TagExternalRepo {
        arches: row.arches,
        external_repo_id: ExternalRepoId(row.repo_id),
        external_repo_name: row.repo_name,
        merge_mode: row.merge_mode,
        priority: row.priority,
        tag_id: TagId(row.tag_id),
        tag_name: row.tag_name,
        url: row.url,
    });
    Ok(attached.collect())
}

/// Detaches a repo from one tag, or from all.
pub(super) async fn detach(
    conn: &mut PgConnection,
    tag: Option<TagId>,
    repo: ExternalRepoId,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "UPDATE tag_external_repos SET active = NULL, revoke_event = $3, revoker_id = $4
         WHERE external_repo_id = $1 AND ($2::bigint IS NULL OR tag_id = $2) AND active",
        repo.0,
        tag.map(|id| id.0),
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How a repo is attached to a tag.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attachment {
    pub(super) priority: i32,
    pub(super) merge_mode: String,
    pub(super) arches: Option<String>,
}

pub(super) async fn attach(
    conn: &mut PgConnection,
    tag: TagId,
    repo: ExternalRepoId,
    how: &Attachment,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO tag_external_repos (tag_id, external_repo_id, priority, merge_mode, arches, create_event, creator_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tag.0,
        repo.0,
        how.priority,
        how.merge_mode,
        how.arches,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What was noted of a repo's contents.
pub(super) async fn data(conn: &mut PgConnection, repo: ExternalRepoId) -> Result<Option<Value>> {
    let data =
        sqlx::query_scalar!("SELECT data FROM external_repo_data WHERE external_repo_id = $1 AND active", repo.0)
            .fetch_optional(conn)
            .await?;
    data.map(serde_json::from_value).transpose().map_err(Error::internal)
}

pub(super) async fn insert_data(
    conn: &mut PgConnection,
    repo: ExternalRepoId,
    data: &Map,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO external_repo_data (external_repo_id, data, create_event, creator_id) VALUES ($1, $2, $3, $4)",
        repo.0,
        serde_json::to_value(data).map_err(Error::internal)?,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}
