//! What is in a tag: tagging and untagging builds.
//!
//! - `access`: who may; `mass`: many at once; `moving`: from one tag to another
//! - `tagged`: what is there; `list`: the calls that ask for it; `untagged`: what is nowhere

mod access;
mod list;
pub(crate) mod mass;
mod moving;
mod sql;
mod tagged;
mod untagged;

pub use access::check_access;
pub(crate) use sql::tagged_of;
use sqlx::PgConnection;
pub(crate) use tagged::build_ids;
pub use tagged::{Query, builds, rpms};
use toji_protocol::{
    id::{BuildId, PackageId, Ref, TagId, TaskId, UserId},
    method::content::{
        CheckTagAccess, GetLatestBuilds, GetLatestMavenArchives, GetLatestRpms, ListTagged, ListTaggedArchives,
        ListTaggedRpms, MassTag, MoveAllBuilds, MoveBuild, TagBuild, TagBuildBypass, UntagBuild, UntagBuildBypass,
        UntaggedBuilds,
    },
    state::BuildState,
    task::{TaskMethod, tag_build::TagBuildTask},
    value::Map,
};

use crate::{
    Error, Result, build,
    call::{Cx, Handle, Table},
    callback::tell,
    error::FaultCode,
    notification, package, policy, repo, sidetag, sign, tag,
    task::{self, NewTask},
};

/// Tagging is quick, and others wait for it: it goes before builds.
const PRIORITY: i32 = 10;

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<TagBuild>()
        .add::<TagBuildBypass>()
        .add::<UntagBuild>()
        .add::<UntagBuildBypass>()
        .add::<ListTagged>()
        .add::<ListTaggedRpms>()
        .add::<GetLatestBuilds>()
        .add::<GetLatestRpms>()
        .add::<ListTaggedArchives>()
        .add::<GetLatestMavenArchives>()
        .add::<CheckTagAccess>()
        .add::<MassTag>()
        .add::<MoveBuild>()
        .add::<MoveAllBuilds>()
        .add::<UntaggedBuilds>();
}

fn tag_error(message: String) -> Error {
    Error::Invalid(FaultCode::Tag, message)
}

/// What is to happen to a build: it goes to a tag, from a tag, or both.
pub struct Change {
    /// Where it goes.
    pub tag: Option<TagId>,
    /// Where it comes from.
    pub from: Option<TagId>,
    /// The build.
    pub build: BuildId,
}

/// Asks the policy `tag`. `user`: for whom; None = the caller.
///
/// # Errors
/// When it denies.
pub async fn allow(cx: &mut Cx, change: &Change, user: Option<UserId>, force: bool) -> Result<()> {
    let operation = match (change.tag, change.from) {
        (Some(_), Some(_)) => "move",
        (Some(_), None) => "tag",
        (None, _) => "untag",
    };
    let mut data = Map::new();
    data.insert("tag", change.tag.map(|tag| tag.0));
    data.insert("build", change.build.0);
    data.insert("fromtag", change.from.map(|tag| tag.0));
    data.insert("operation", operation);
    if let Some(user) = user {
        data.insert("user_id", user.0);
    }
    policy::assert(cx, "tag", data, force).await
}

async fn candidate(conn: &mut PgConnection, build: BuildId) -> Result<sql::Candidate> {
    sql::candidate(conn, build).await?.ok_or_else(|| Error::missing(format!("No such build: {build}")))
}

fn check_complete(build: &sql::Candidate) -> Result<()> {
    match build.state {
        BuildState::Complete => Ok(()),
        state => Err(tag_error(format!("build {} not complete: state {state}", build.nvr))),
    }
}

/// Whether a package is in the list that counts for a tag. If not, an admin may force it in. `tag` is the id, and how to call it.
async fn check_listed(
    cx: &mut Cx,
    (tag, tag_name): (TagId, &str),
    (package, name): (PackageId, &str),
    force: bool,
) -> Result<()> {
    let quirks = cx.hub.config.quirks;
    let problem = match package::config(cx.db().await?, quirks, tag, package, None).await? {
        Some(entry) if !entry.blocked => return Ok(()),
        Some(_) => format!("Package {name} blocked in {tag_name}"),
        None => format!("Package {name} not in list for {tag_name}"),
    };
    if !(force && cx.caller.has_perm("admin")) {
        return Err(tag_error(problem));
    }
    tracing::info!(package = name, tag = tag_name, "the package list is overridden by force");
    package::allow_in(cx, tag, package).await
}

/// What is checked beside the tag's own rules before a build is tagged by a task: when the task is asked for, and when it runs.
///
/// # Errors
/// When the build is not complete, or its package not listed or blocked; an admin's `force` lists it.
pub async fn check_taggable(cx: &mut Cx, tag: TagId, build: BuildId, force: bool) -> Result<()> {
    let conn = cx.db().await?;
    let candidate = candidate(conn, build).await?;
    check_complete(&candidate)?;
    let name = name(conn, tag).await?;
    check_listed(cx, (tag, &name), (candidate.package, &candidate.package_name), force).await
}

async fn name(conn: &mut PgConnection, tag: TagId) -> Result<String> {
    Ok(tag::require(conn, &Ref::Id(tag)).await?.1)
}

/// Tags a build as the caller, without asking a policy or the package list. `force` tags anew what is tagged already, so that it is
/// the newest, and lets an admin tag into a locked tag.
///
/// # Errors
/// When the caller may not, the build is not complete, or it is tagged already.
pub async fn tag(cx: &mut Cx, tag: TagId, build: BuildId, force: bool) -> Result<()> {
    let by = cx.caller.user()?.id;
    tag::lock(cx.db().await?, &[tag]).await?;
    check_access(cx, tag, by, force).await?;
    let conn = cx.db().await?;
    let candidate = candidate(conn, build).await?;
    check_complete(&candidate)?;
    let is_tagged = sql::is_tagged(conn, tag, build).await?;
    if is_tagged && !force {
        return Err(tag_error(format!("build {} already tagged ({})", candidate.nvr, name(conn, tag).await?)));
    }
    tell::tagged(cx, tag, build, force).await?;
    let event = cx.event().await?;
    let conn = cx.db().await?;
    if is_tagged {
        sql::revoke_all(conn, tag, &[(build, event)], by).await?;
    }
    sql::insert_all(conn, tag, &[(build, event)], by).await?;
    sign::tagged(cx, tag, &[build]).await?;
    repo::tag_changed(cx, tag).await
}

/// Untags a build as the caller, without asking a policy. `strict` minds when it is not there; `force` lets an admin do it in a locked
/// tag.
///
/// # Errors
/// When the caller may not, or, with `strict`, the build is not there.
pub async fn untag(cx: &mut Cx, tag: TagId, build: BuildId, strict: bool, force: bool) -> Result<()> {
    let by = cx.caller.user()?.id;
    tag::lock(cx.db().await?, &[tag]).await?;
    check_access(cx, tag, by, force).await?;
    let conn = cx.db().await?;
    if !sql::is_tagged(conn, tag, build).await? {
        if !strict {
            return Ok(());
        }
        let nvr = candidate(conn, build).await?.nvr;
        return Err(tag_error(format!("build {nvr} not in tag {}", name(conn, tag).await?)));
    }
    tell::untagged(cx, tag, build, strict, force).await?;
    let event = cx.event().await?;
    sql::revoke_all(cx.db().await?, tag, &[(build, event)], by).await?;
    repo::tag_changed(cx, tag).await?;
    sidetag::untagged(cx, tag).await
}

impl Handle for TagBuild {
    async fn handle(self, cx: &mut Cx) -> Result<TaskId> {
        let owner = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let (tag, _) = tag::require(conn, &self.tag).await?;
        let build = build::require(conn, &self.build).await?;
        let fromtag = match &self.fromtag {
            Some(from) => Some(tag::require(conn, from).await?.0),
            None => None,
        };
        // checked again when the task runs; here, so that who asks in vain is told at once
        check_access(cx, tag, owner, self.force).await?;
        if let Some(from) = fromtag {
            check_access(cx, from, owner, self.force).await?;
        }
        check_taggable(cx, tag, build, self.force).await?;
        allow(cx, &Change { tag: Some(tag), from: fromtag, build }, None, self.force).await?;
        let arguments =
            TagBuildTask { tag_id: Some(tag), build_id: build, force: self.force, fromtag, ignore_success: false };
        let new = NewTask { priority: PRIORITY, ..NewTask::top(TagBuildTask::METHOD, arguments.to_request()?, owner) };
        task::make(cx, new).await
    }
}

impl Handle for TagBuildBypass {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let conn = cx.db().await?;
        let (to, _) = tag::require(conn, &self.tag).await?;
        let build = build::require(conn, &self.build).await?;
        allow(cx, &Change { tag: Some(to), from: None, build }, None, self.force).await?;
        tag(cx, to, build, self.force).await?;
        if self.notify {
            notification::tagged(cx, build, Some(to), None, None);
        }
        Ok(())
    }
}

impl Handle for UntagBuild {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let conn = cx.db().await?;
        let (from, _) = tag::require(conn, &self.tag).await?;
        let build = build::require(conn, &self.build).await?;
        allow(cx, &Change { tag: None, from: Some(from), build }, None, self.force).await?;
        untag(cx, from, build, self.strict, self.force).await?;
        notification::tagged(cx, build, None, Some(from), None);
        Ok(())
    }
}

impl Handle for UntagBuildBypass {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let conn = cx.db().await?;
        let (from, _) = tag::require(conn, &self.tag).await?;
        let build = build::require(conn, &self.build).await?;
        allow(cx, &Change { tag: None, from: Some(from), build }, None, self.force).await?;
        untag(cx, from, build, self.strict, self.force).await?;
        if self.notify {
            notification::tagged(cx, build, None, Some(from), None);
        }
        Ok(())
    }
}
