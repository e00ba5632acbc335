//! What is in a tag: tagging and untagging builds here, and asking for them in `list`.

mod list;
mod sql;

pub use list::{Query, builds, rpms};
use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildId, Ref, TagId, TaskId, UserId},
    method::content::{
        GetLatestBuilds, GetLatestRpms, ListTagged, ListTaggedRpms, TagBuild, TagBuildBypass, UntagBuild,
        UntagBuildBypass,
    },
    state::BuildState,
    task::{TaskMethod, tag_build::TagBuildTask},
    value::Map,
};

use crate::{
    Error, Result, build,
    call::{Cx, Handle, Table},
    error::FaultCode,
    notification, package, policy, repo, sidetag, tag,
    task::{self, NewTask},
    user,
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
        .add::<GetLatestRpms>();
}

fn tag_error(message: String) -> Error {
    Error::Invalid(FaultCode::Tag, message)
}

/// Whether a user may change what is in a tag: it must not be locked, and the user needs the tag's permission. An admin may force it.
///
/// # Errors
/// When the user may not, or there is no such tag.
pub async fn check_access(cx: &mut Cx, tag: TagId, user: UserId, force: bool) -> Result<()> {
    let conn = cx.db().await?;
    let (locked, perm) = tag::access(conn, tag).await?;
    if !locked && perm.is_none() {
        return Ok(());
    }
    let perms = user::permissions(conn, user).await?;
    let has = |perm: &str| perms.iter().any(|had| had == perm);
    let is_admin = has("admin");
    if locked && !(is_admin && force) {
        let hint = if is_admin { "; force does it all the same" } else { "" };
        return Err(Error::denied(format!("tag is locked{hint}")));
    }
    match perm {
        Some(perm) if !has(&perm) && !is_admin => Err(Error::denied(format!("tag requires {perm} permission"))),
        _ => Ok(()),
    }
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

/// # Errors
/// When a build's package is not in the tag's list, or blocked there, or the build is not complete.
async fn check_candidate(conn: &mut PgConnection, tag: TagId, build: &sql::Candidate) -> Result<()> {
    let sql::Candidate { nvr, package, package_name, state } = build;
    if *state != BuildState::Complete {
        return Err(tag_error(format!("build {nvr} is not complete: its state is {state}")));
    }
    match package::config(conn, tag, *package, None).await? {
        None => Err(tag_error(format!("Package {package_name} not in list for {}", name(conn, tag).await?))),
        Some(entry) if entry.blocked => {
            Err(tag_error(format!("Package {package_name} is blocked in {}", name(conn, tag).await?)))
        }
        Some(_) => Ok(()),
    }
}

async fn name(conn: &mut PgConnection, tag: TagId) -> Result<String> {
    Ok(tag::require(conn, &Ref::Id(tag)).await?.1)
}

/// Tags a build as the caller, without asking a policy. `force` tags anew what is tagged already, so that it is the newest, and lets an
/// admin tag into a locked tag.
///
/// # Errors
/// When the caller may not, the build is not complete, its package is not listed or is blocked, or it is tagged already.
pub async fn tag(cx: &mut Cx, tag: TagId, build: BuildId, force: bool) -> Result<()> {
    let by = cx.caller.user()?.id;
    tag::lock(cx.db().await?, &[tag]).await?;
    check_access(cx, tag, by, force).await?;
    let conn = cx.db().await?;
    let candidate = candidate(conn, build).await?;
    check_candidate(conn, tag, &candidate).await?;
    let is_tagged = sql::is_tagged(conn, tag, build).await?;
    if is_tagged && !force {
        return Err(tag_error(format!("build {} already tagged ({})", candidate.nvr, name(conn, tag).await?)));
    }
    let event = cx.event().await?;
    let conn = cx.db().await?;
    if is_tagged {
        sql::revoke(conn, tag, build, event, by).await?;
    }
    sql::insert(conn, tag, build, event, by).await?;
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
    let event = cx.event().await?;
    sql::revoke(cx.db().await?, tag, build, event, by).await?;
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
        let conn = cx.db().await?;
        let candidate = candidate(conn, build).await?;
        check_candidate(conn, tag, &candidate).await?;
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
