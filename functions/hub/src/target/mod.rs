//! Build targets: where builds take their buildroot from, and where they go.

mod sql;

use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, Ref, TagId, TargetId},
    method::{
        Listing,
        target::{BuildTarget, CreateBuildTarget, DeleteBuildTarget, EditBuildTarget, GetBuildTarget, GetBuildTargets},
    },
};

use crate::{
    Error, Result,
    call::{Cx, Handle, Table},
    listing, name, tag,
};

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<CreateBuildTarget>()
        .add::<EditBuildTarget>()
        .add::<DeleteBuildTarget>()
        .add::<GetBuildTarget>()
        .add::<GetBuildTargets>();
}

/// A target as it is now, or was at an event.
///
/// # Errors
/// When the database is away.
pub async fn find(conn: &mut PgConnection, target: &Ref<TargetId>, at: Option<EventId>) -> Result<Option<BuildTarget>> {
    let wanted = sql::Wanted { target: Some(target), at, ..Default::default() };
    Ok(sql::list(conn, wanted).await?.pop())
}

async fn require(conn: &mut PgConnection, target: &Ref<TargetId>, at: Option<EventId>) -> Result<BuildTarget> {
    let found = find(conn, target, at).await?;
    found.ok_or_else(|| Error::missing(format!("No such build target: {target}")))
}

fn taken(name: &str) -> Error {
    Error::invalid(format!("A build target with the name '{name}' already exists"))
}

/// Finds and locks the two tags, so that neither is deleted meanwhile.
async fn tags(conn: &mut PgConnection, build: &Ref<TagId>, dest: &Ref<TagId>) -> Result<(TagId, TagId)> {
    let (build, _) = tag::require(conn, build).await?;
    let (dest, _) = tag::require(conn, dest).await?;
    tag::lock(conn, &[build, dest]).await?;
    Ok((build, dest))
}

impl Handle for CreateBuildTarget {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        name::check("build target", &self.name)?;
        let conn = cx.db().await?;
        let (build, dest) = tags(conn, &self.build_tag, &self.dest_tag).await?;
        let target = sql::take_name(conn, &self.name).await?;
        if find(conn, &Ref::Id(target), None).await?.is_some() {
            return Err(taken(&self.name));
        }
        let event = cx.event().await?;
        sql::insert(cx.db().await?, target, build, dest, event, by).await
    }
}

impl Handle for EditBuildTarget {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let id = require(conn, &self.target_info, None).await?.id;
        let (build, dest) = tags(conn, &self.build_tag, &self.dest_tag).await?;
        sql::lock(conn, id).await?;
        let old = require(conn, &Ref::Id(id), None).await?;
        if old.name != self.name {
            name::check("build target", &self.name)?;
            if !sql::rename(conn, id, &self.name).await? {
                return Err(taken(&self.name));
            }
        }
        if (old.build_tag, old.dest_tag) == (build, dest) {
            return Ok(());
        }
        let event = cx.event().await?;
        let conn = cx.db().await?;
        sql::revoke(conn, id, event, by).await?;
        sql::insert(conn, id, build, dest, event, by).await
    }
}

impl Handle for DeleteBuildTarget {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let id = require(conn, &self.target_info, None).await?.id;
        sql::lock(conn, id).await?;
        require(conn, &Ref::Id(id), None).await?;
        let event = cx.event().await?;
        sql::revoke(cx.db().await?, id, event, by).await
    }
}

impl Handle for GetBuildTarget {
    async fn handle(self, cx: &mut Cx) -> Result<Option<BuildTarget>> {
        let conn = cx.db().await?;
        if self.strict {
            return require(conn, &self.info, self.event).await.map(Some);
        }
        find(conn, &self.info, self.event).await
    }
}

impl Handle for GetBuildTargets {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<BuildTarget>> {
        let conn = cx.db().await?;
        let at = self.event;
        let build_tag = match &self.build_tag_id {
            Some(tag) => Some(tag::require_at(conn, tag, at).await?.0),
            None => None,
        };
        let dest_tag = match &self.dest_tag_id {
            Some(tag) => Some(tag::require_at(conn, tag, at).await?.0),
            None => None,
        };
        let wanted = sql::Wanted { target: self.info.as_ref(), build_tag, dest_tag, at };
        listing::in_memory(sql::list(conn, wanted).await?, self.query_opts.as_ref())
    }
}
