//! Tags: their configuration, their inheritance, and when they changed.
//!
//! - `walk`: the order in which ancestors count; `ancestry`: those of many tags at once
//! - `edit`: making, changing and deleting tags; `links`: setting inheritance
//! - `snapshot`: copying them, with what is in them
//! - `build_config`: what builds see; `change`: the events that mattered to a tag

mod ancestry;
mod build_config;
mod change;
mod edit;
mod links;
mod quirks;
mod snapshot;
mod sql;
mod walk;

pub(crate) use ancestry::Ancestry;
pub use build_config::build_config;
pub(crate) use change::{Question, changes};
pub use change::{Update, first_change, last_change, note_update};
pub(crate) use edit::arches;
pub use quirks::Quirks;
use std::collections::HashSet;

use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, PermissionId, Ref, TagId},
    method::{
        Listing,
        tag::{
            AtEvent, CreateTag, DeleteTag, EditTag, EditTag2, FullInheritanceLink, GetBuildConfig, GetFullInheritance,
            GetInheritanceData, GetTag, GetTagId, ListTags, ListedTag, SetInheritanceData, SnapshotTag,
            SnapshotTagModify, Tag, TagChangedSinceEvent, TagFirstChangeEvent, TagLastChangeEvent,
        },
    },
    value::{Map, Value},
};

use crate::{
    Error, Result, build,
    call::{Cx, Handle, Table},
    package,
};

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<CreateTag>()
        .add::<EditTag>()
        .add::<EditTag2>()
        .add::<DeleteTag>()
        .add::<GetTag>()
        .add::<GetTagId>()
        .add::<ListTags>()
        .add::<GetInheritanceData>()
        .add::<SetInheritanceData>()
        .add::<GetFullInheritance>()
        .add::<GetBuildConfig>()
        .add::<TagLastChangeEvent>()
        .add::<TagFirstChangeEvent>()
        .add::<TagChangedSinceEvent>()
        .add::<SnapshotTag>()
        .add::<SnapshotTagModify>();
}

/// A tag that is there now: its id and name.
///
/// # Errors
/// When the database is away.
pub async fn find(conn: &mut PgConnection, tag: &Ref<TagId>) -> Result<Option<(TagId, String)>> {
    sql::find(conn, tag, None).await
}

/// The same; a fault when there is none.
///
/// # Errors
/// When there is no such tag.
pub async fn require(conn: &mut PgConnection, tag: &Ref<TagId>) -> Result<(TagId, String)> {
    require_at(conn, tag, None).await
}

/// A tag that was there at an event; None = now.
///
/// # Errors
/// When the database is away.
pub async fn find_at(
    conn: &mut PgConnection,
    tag: &Ref<TagId>,
    at: Option<EventId>,
) -> Result<Option<(TagId, String)>> {
    sql::find(conn, tag, at).await
}

/// The same; a fault when there was none.
///
/// # Errors
/// When there was no such tag.
pub async fn require_at(conn: &mut PgConnection, tag: &Ref<TagId>, at: Option<EventId>) -> Result<(TagId, String)> {
    find_at(conn, tag, at).await?.ok_or_else(|| missing(tag))
}

fn missing(tag: &Ref<TagId>) -> Error {
    Error::missing(format!("No such tag: {tag}"))
}

/// Keeps others from changing these tags, their lists included, until the commit. To be called before the checks that the change
/// relies on, and before the event is taken.
///
/// # Errors
/// When one of them is not there any more.
pub async fn lock(conn: &mut PgConnection, tags: &[TagId]) -> Result<()> {
    sql::lock(conn, tags).await?;
    match sql::missing(conn, tags).await? {
        Some(gone) => Err(missing(&Ref::Id(gone))),
        None => Ok(()),
    }
}

/// Every link to an ancestor, in the order that decides who wins.
///
/// # Errors
/// When the walk gets out of hand, or the database is away.
pub async fn inheritance(
    conn: &mut PgConnection,
    quirks: Quirks,
    tag: TagId,
    at: Option<EventId>,
) -> Result<Vec<FullInheritanceLink>> {
    let met = walk(conn, quirks, tag, at, walk::Direction::Up).await?;
    Ok(met.into_iter().map(|met| met.full).collect())
}

async fn walk(
    conn: &mut PgConnection,
    quirks: Quirks,
    tag: TagId,
    at: Option<EventId>,
    direction: walk::Direction,
) -> Result<Vec<walk::Met>> {
    let links = sql::reachable(conn, tag, at, direction).await?;
    walk::walk(tag, &links, direction, quirks)
}

/// A tag and its ancestors, each once, in the order in which they count.
///
/// # Errors
/// As with [`inheritance`].
pub async fn with_ancestors(
    conn: &mut PgConnection,
    quirks: Quirks,
    tag: TagId,
    at: Option<EventId>,
) -> Result<Vec<TagId>> {
    let mut tags = vec![tag];
    tags.extend(inheritance(conn, quirks, tag, at).await?.into_iter().map(|full| full.link.parent_id));
    let mut seen = HashSet::new();
    tags.retain(|tag| seen.insert(*tag));
    Ok(tags)
}

/// What tagging into a tag takes: whether it is locked, and the permission.
///
/// # Errors
/// When there is no such tag.
pub async fn access(conn: &mut PgConnection, tag: TagId) -> Result<(bool, Option<String>)> {
    let row = own_config(conn, tag, None).await?.ok_or_else(|| missing(&Ref::Id(tag)))?;
    Ok((row.config.locked, row.perm))
}

/// A tag's own arches at an event, not inherited; None when it has none or was not there.
///
/// # Errors
/// When the database is away.
pub async fn own_arches(conn: &mut PgConnection, tag: TagId, at: EventId) -> Result<Option<String>> {
    Ok(own_config(conn, tag, Some(at)).await?.and_then(|row| row.config.arches))
}

async fn own_config(conn: &mut PgConnection, tag: TagId, at: Option<EventId>) -> Result<Option<sql::Row>> {
    Ok(sql::configs(conn, &[tag], at).await?.pop())
}

/// A tag with its own settings.
///
/// # Errors
/// When there is no such tag.
pub(crate) async fn get(conn: &mut PgConnection, tag: TagId) -> Result<Tag> {
    own(conn, &Ref::Id(tag), None, false).await?.ok_or_else(|| missing(&Ref::Id(tag)))
}

/// A stored JSON text as a value.
fn decode(json: &str) -> Result<Value> {
    serde_json::from_str(json).map_err(Error::internal)
}

fn shown(row: sql::Row, extra: Map) -> Tag {
    Tag {
        id: row.id,
        name: row.name,
        arches: row.config.arches,
        locked: row.config.locked,
        maven_support: row.config.maven_support,
        maven_include_all: row.config.maven_include_all,
        perm: row.perm,
        perm_id: row.config.perm_id,
        extra,
    }
}

/// A tag with its own configuration. `blocked` shows each extra key as `[is blocked, value]`.
async fn own(conn: &mut PgConnection, tag: &Ref<TagId>, at: Option<EventId>, blocked: bool) -> Result<Option<Tag>> {
    let Some((row, extras)) = sql::own(conn, tag, at).await? else { return Ok(None) };
    let mut extra = Map::new();
    for setting in extras {
        let value = setting.value.as_deref().map(decode).transpose()?;
        match (blocked, value) {
            (true, value) => {
                let is_blocked = Value::Bool(value.is_none());
                extra.insert(setting.key, vec![is_blocked, value.unwrap_or_default()]);
            }
            (false, Some(value)) => {
                extra.insert(setting.key, value);
            }
            (false, None) => {}
        }
    }
    Ok(Some(shown(row, extra)))
}

impl Handle for GetTag {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Tag>> {
        let conn = cx.db().await?;
        let at = match &self.event {
            None => None,
            Some(AtEvent::Id(event)) => Some(*event),
            Some(AtEvent::Auto(word)) if word == "auto" => sql::before_deletion(conn, &self.tag_info).await?,
            Some(AtEvent::Auto(word)) => {
                return Err(Error::parameter(format!("event must be an event's id or 'auto', not '{word}'")));
            }
        };
        let found = own(conn, &self.tag_info, at, self.blocked).await?;
        if found.is_none() && self.strict {
            return Err(missing(&self.tag_info));
        }
        Ok(found)
    }
}

impl Handle for GetTagId {
    async fn handle(self, cx: &mut Cx) -> Result<Option<TagId>> {
        if self.create {
            return Err(Error::parameter("a tag is made by createTag"));
        }
        let found = find(cx.db().await?, &self.info).await?;
        match found {
            Some((id, _)) => Ok(Some(id)),
            None if self.strict => Err(missing(&self.info)),
            None => Ok(None),
        }
    }
}

impl Handle for ListTags {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<ListedTag>> {
        if self.build.is_some() && self.package.is_some() {
            return Err(Error::invalid("only one of build and package may be specified"));
        }
        let conn = cx.db().await?;
        let build = match &self.build {
            Some(build) => Some(build::require(conn, build).await?),
            None => None,
        };
        let package = match &self.package {
            Some(package) => Some(package::require(conn, package).await?.0),
            None => None,
        };
        let wanted = sql::Wanted { build, package, pattern: self.pattern.as_deref(), with_perms: self.perms };
        sql::list(conn, wanted, &self.query_opts.unwrap_or_default()).await
    }
}

impl Handle for GetFullInheritance {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<FullInheritanceLink>> {
        let quirks = cx.hub.config.quirks;
        let conn = cx.db().await?;
        let (tag, _) = require_at(conn, &self.tag, self.event).await?;
        let direction = if self.reverse { walk::Direction::Down } else { walk::Direction::Up };
        let met = walk(conn, quirks, tag, self.event, direction).await?;
        Ok(met.into_iter().map(|met| met.full).collect())
    }
}

/// The id of a permission that a tag may require.
async fn perm_id(conn: &mut PgConnection, perm: &Ref<PermissionId>) -> Result<PermissionId> {
    Ok(crate::user::require_permission(conn, perm).await?.id)
}
