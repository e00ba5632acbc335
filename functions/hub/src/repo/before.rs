//! The repo whose frames the next one may take over.

use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, TagId},
    method::{Named, repo::Repo},
    object_key,
    value::Value,
};
use toji_repodata::repo::FrameIndex;
use toji_store::StoreError;

use super::frames::Before;
use crate::{Hub, Result, tag};

/// The newest repo of the tag, else of the tag that its setting `repo.oldrepo_hint` names, else of the nearest ancestor that has one.
///
/// # Errors
/// When the database or S3 is away.
pub(super) async fn find(hub: &Hub, repo: &Repo, extra: &Named, arch: &str) -> Result<Option<Before>> {
    let mut conn = hub.pool.acquire().await?;
    let mut tags = vec![repo.tag_id];
    if let Some(hint) = extra.get("repo.oldrepo_hint").and_then(Value::as_str) {
        tags.extend(tag::find(&mut conn, &hint.into()).await?.map(|(tag, _)| tag));
    }
    tags.extend(tag::with_ancestors(&mut conn, hub.config.quirks, repo.tag_id, Some(repo.create_event)).await?);
    for tag in tags {
        let Some((tag, id)) = newest(&mut conn, tag, repo.create_event).await? else { continue };
        if let Some(index) = index(hub, &object_key::repo_frames(&tag, id.into(), arch)).await? {
            return Ok(Some(Before { folder: object_key::repos_of_tag(&tag), index }));
        }
    }
    Ok(None)
}

/// The newest repo that has files, with its tag's name.
async fn newest(conn: &mut PgConnection, tag: TagId, event: EventId) -> Result<Option<(String, i64)>> {
    let row = sqlx::query!(
        "SELECT tag.name, repo.id FROM repo JOIN tag ON tag.id = tag_id
         WHERE tag_id = $1 AND state IN (1, 2) AND NOT dist AND create_event <= $2
         ORDER BY create_event DESC, repo.id DESC LIMIT 1",
        tag.0,
        event.0
    );
    Ok(row.fetch_optional(conn).await?.map(|row| (row.name, row.id)))
}

async fn index(hub: &Hub, key: &str) -> Result<Option<FrameIndex>> {
    match hub.store.get(key).await {
        Ok(json) => Ok(serde_json::from_slice(&json)
            .inspect_err(|error| tracing::warn!(key, %error, "an index of frames is not understood"))
            .ok()),
        Err(StoreError::Missing(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
