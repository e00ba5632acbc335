//! When a tag changed, what it inherits included: what tells whether a repo is current.

use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildId, EventId, Ref, TagId},
    method::tag::{TagChangedSinceEvent, TagFirstChangeEvent, TagLastChangeEvent},
};

use super::{Quirks, find, require_at, sql, with_ancestors};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    repo, sign,
};

async fn tags(
    conn: &mut PgConnection,
    quirks: Quirks,
    tag: TagId,
    at: Option<EventId>,
    inherit: bool,
) -> Result<Vec<TagId>> {
    if inherit { with_ancestors(conn, quirks, tag, at).await } else { Ok(vec![tag]) }
}

/// The last event that changed a tag: its own rows, or with `inherit` those of its ancestors, or an external repo that one of them has
/// attached. `before` looks only at earlier events, with the inheritance as it was at that event.
///
/// # Errors
/// When the walk through ancestors gets out of hand, or the database is away.
pub async fn last_change(
    conn: &mut PgConnection,
    quirks: Quirks,
    tag: TagId,
    before: Option<EventId>,
    inherit: bool,
) -> Result<Option<EventId>> {
    let deleted = sql::before_deletion(conn, &Ref::Id(tag)).await?.map(|event| EventId(event.0 + 1));
    match (deleted, before) {
        // nothing has happened to it since
        (Some(deleted), None) => return Ok(Some(deleted)),
        (Some(deleted), Some(before)) if deleted < before => return Ok(Some(deleted)),
        _ => {}
    }
    let tags = tags(conn, quirks, tag, before, inherit).await?;
    sql::last_change(conn, &tags, before).await
}

/// The first event after `after` that changed a tag, as [`last_change`] counts it, with the inheritance as it was at `after`.
///
/// # Errors
/// When the walk through ancestors gets out of hand, or the database is away.
pub async fn first_change(
    conn: &mut PgConnection,
    quirks: Quirks,
    tag: TagId,
    after: EventId,
    inherit: bool,
) -> Result<Option<EventId>> {
    let tags = tags(conn, quirks, tag, Some(after), inherit).await?;
    sql::first_change(conn, &tags, Some(after)).await
}

/// What is asked of [`changes`].
pub(crate) struct Question {
    /// A tag, and what it inherits.
    pub(crate) tags: Vec<TagId>,
    /// Only later events count.
    pub(crate) after: EventId,
}

/// The first and the last change of each question, as [`first_change`] and [`last_change`] count them, with the external repos that were
/// attached at its event; None = nothing has changed. One statement, whatever their number.
///
/// # Errors
/// When the database is away.
pub(crate) async fn changes(
    conn: &mut PgConnection,
    questions: &[Question],
) -> Result<Vec<Option<(EventId, EventId)>>> {
    let (mut numbers, mut tags, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for (number, question) in questions.iter().enumerate() {
        for tag in &question.tags {
            numbers.push(number as i64);
            tags.push(tag.0);
            after.push(question.after.0);
        }
    }
    let rows = sqlx::query!(
        r#"WITH asked AS (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS asked (number, tag, after))
           SELECT number AS "number!", min(first) AS "first!", max(last) AS "last!" FROM (
               SELECT number, own.first, own.last FROM asked, LATERAL
                   (SELECT min(event) AS first, max(event) AS last FROM tag_change WHERE tag_id = tag AND event > after) AS own
               UNION ALL
               SELECT number, event, event FROM asked JOIN tag_external_repos attached ON attached.tag_id = tag
                   AND is_live(attached.active, attached.create_event, attached.revoke_event, after), LATERAL (
                       SELECT create_event AS event FROM external_repo_config WHERE external_repo_id = attached.external_repo_id
                       UNION ALL SELECT revoke_event FROM external_repo_config WHERE external_repo_id = attached.external_repo_id
                       UNION ALL SELECT create_event FROM external_repo_data WHERE external_repo_id = attached.external_repo_id
                       UNION ALL SELECT revoke_event FROM external_repo_data WHERE external_repo_id = attached.external_repo_id
                   ) AS theirs WHERE event > after
           ) AS change WHERE first IS NOT NULL GROUP BY number"#,
        &numbers,
        &tags,
        &after
    )
    .fetch_all(conn)
    .await?;
    let mut changes = vec![None; questions.len()];
    for row in rows {
        changes[row.number as usize] = Some((EventId(row.first), EventId(row.last)));
    }
    Ok(changes)
}

/// What changed about a tag's content without changing one of its versioned rows. The numbers are Koji's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum Update {
    /// A build of it was moved to another volume.
    VolumeChange = 0,
    /// An RPM was added to a build of it.
    Import = 1,
    /// Somebody said so.
    Manual = 2,
    /// A draft build of it was promoted.
    DraftPromotion = 3,
}

/// Notes that the tags which a build is in now have changed with it, and looks at what waits for repos.
///
/// # Errors
/// When the database is away.
pub async fn note_update(cx: &mut Cx, build: BuildId, update: Update) -> Result<()> {
    let by = cx.caller.user()?.id;
    let tags = sql::of_build(cx.db().await?, build).await?;
    if tags.is_empty() {
        return Ok(());
    }
    let event = cx.event().await?;
    sql::note_update(cx.db().await?, &tags, update as i16, event, by).await?;
    let tags: Vec<TagId> = tags.into_iter().map(TagId).collect();
    // RPMs may have joined it, or have moved
    for tag in &tags {
        sign::tagged(cx, *tag, &[build]).await?;
    }
    repo::tags_changed(cx, &tags).await
}

/// A tag that is there, or was.
async fn known(conn: &mut PgConnection, tag: &Ref<TagId>) -> Result<TagId> {
    if let Some((id, _)) = find(conn, tag).await? {
        return Ok(id);
    }
    match sql::before_deletion(conn, tag).await? {
        Some(event) => Ok(require_at(conn, tag, Some(event)).await?.0),
        None => Err(Error::missing(format!("No such tag: {tag}"))),
    }
}

impl Handle for TagChangedSinceEvent {
    async fn handle(self, cx: &mut Cx) -> Result<bool> {
        sql::has_changed(cx.db().await?, &self.taglist, self.event).await
    }
}

impl Handle for TagLastChangeEvent {
    async fn handle(self, cx: &mut Cx) -> Result<Option<EventId>> {
        let quirks = cx.hub.config.quirks;
        let conn = cx.db().await?;
        let tag = known(conn, &self.tag).await?;
        last_change(conn, quirks, tag, self.before, self.inherit).await
    }
}

impl Handle for TagFirstChangeEvent {
    async fn handle(self, cx: &mut Cx) -> Result<Option<EventId>> {
        let quirks = cx.hub.config.quirks;
        let conn = cx.db().await?;
        let tag = known(conn, &self.tag).await?;
        match self.after {
            Some(after) => first_change(conn, quirks, tag, after, self.inherit).await,
            None => {
                let tags = tags(conn, quirks, tag, None, self.inherit).await?;
                sql::first_change(conn, &tags, None).await
            }
        }
    }
}
