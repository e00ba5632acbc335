//! Builds: finding them, listing them, and their way from BUILDING to an end.
//!
//! - `create`, `life`: a build's beginning and end; `edit`: what an admin sets; `history`: what it was at each event
//! - `references`, `delete`: what still needs a build, and the end of its files
//! - `promote`: a draft becomes the build of its name; `leftovers`: what crashes leave
//! - `files`: who may touch a build's files in S3

mod chain;
mod create;
mod delete;
mod deletion;
mod duration;
mod edit;
pub(crate) mod files;
pub(crate) mod history;
pub(crate) mod kinds;
mod leftovers;
mod life;
mod list;
mod named;
mod promote;
mod promotion;
mod references;
mod sql;

pub(crate) use create::draft_nvr;
pub use create::{NewBuild, create};
pub(crate) use edit::parse_epoch;
pub(crate) use leftovers::sweep as sweep_leftovers;
pub(crate) use life::{IMPORT_RUNS, end};
pub use life::{cancel_for_tasks, fail_for_task};
pub use references::references;
pub(crate) use sql::lock as hold;
use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildId, RepoId, TagId},
    method::build::{
        AddBtype, Build, BuildLog, BuildRef, BuildReferences, CancelBuild, ChainBuild, CreateEmptyBuild, DeleteBuild,
        FindBuildId, GetAverageBuildDuration, GetBuild, GetBuildLogs, GetBuildType, GetImageBuild, GetMavenBuild,
        GetNextRelease, GetWinBuild, ListBtypes, ListBuilds, PromoteBuild, ResetBuild, SetBuildOwner,
        SetBuildTimestamp, StartBuild,
    },
    nvr::{Nvr, next_release},
    object_key,
    state::BuildState,
    task::{TaskMethod, build::BuildTask},
    value::Value,
};

use crate::{
    Error, Result,
    call::{Cx, Handle, Table},
    error::FaultCode,
    package, policy, repo, tag, target, task,
};

pub use duration::{arch_weight, average_seconds};
pub(crate) use list::when;
use named::Named;
pub use named::require_all;

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<StartBuild>()
        .add::<ChainBuild>()
        .add::<GetBuild>()
        .add::<FindBuildId>()
        .add::<ListBuilds>()
        .add::<GetBuildLogs>()
        .add::<GetNextRelease>()
        .add::<GetBuildType>()
        .add::<GetAverageBuildDuration>()
        .add::<CancelBuild>()
        .add::<GetMavenBuild>()
        .add::<GetWinBuild>()
        .add::<GetImageBuild>()
        .add::<BuildReferences>()
        .add::<DeleteBuild>()
        .add::<ResetBuild>()
        .add::<CreateEmptyBuild>()
        .add::<SetBuildOwner>()
        .add::<SetBuildTimestamp>()
        .add::<PromoteBuild>()
        .add::<ListBtypes>()
        .add::<AddBtype>();
}

/// A build's id; None when there is none.
pub async fn find(conn: &mut PgConnection, build: &BuildRef) -> Result<Option<BuildId>> {
    match named::parse(build)? {
        Named::Id(id) => sql::exists(conn, id).await,
        Named::Nvr(nvr) => sql::by_nvr(conn, &nvr).await,
    }
}

/// A build's id.
///
/// # Errors
/// Koji's fault when there is none.
pub async fn require(conn: &mut PgConnection, build: &BuildRef) -> Result<BuildId> {
    find(conn, build).await?.ok_or_else(|| Error::missing(format!("No such build: {build}")))
}

/// A build with all its facts.
pub async fn get(conn: &mut PgConnection, build: BuildId) -> Result<Build> {
    sql::get(conn, build).await?.ok_or_else(|| Error::missing(format!("No such build: {build}")))
}

/// The build that a task has begun.
///
/// # Errors
/// When the database is away.
pub async fn of_task(conn: &mut PgConnection, task: toji_protocol::id::TaskId) -> Result<Option<Build>> {
    match sql::of_task(conn, task).await? {
        Some(id) => sql::get(conn, id).await,
        None => Ok(None),
    }
}

/// The names of the builds that tasks have begun.
///
/// # Errors
/// When the database is away.
pub async fn of_tasks(
    conn: &mut PgConnection,
    tasks: &[toji_protocol::id::TaskId],
) -> Result<std::collections::HashMap<toji_protocol::id::TaskId, String>> {
    sql::nvrs_of_tasks(conn, tasks).await
}

/// A build's name.
pub fn nvr(build: &Build) -> Nvr {
    Nvr { name: build.name.clone(), version: build.version.clone(), release: build.release.clone(), epoch: None }
}

/// Where a build takes its buildroot from, its target's name, and where it goes.
async fn destination(
    cx: &mut Cx,
    target: Option<&str>,
    repo: Option<RepoId>,
) -> Result<(TagId, Option<String>, Option<TagId>)> {
    let found = match target {
        Some(name) => target::find(cx.db().await?, &name.into(), None).await?,
        None => None,
    };
    match (found, repo, target) {
        (Some(target), ..) => Ok((target.build_tag, Some(target.name), Some(target.dest_tag))),
        (None, Some(id), target) => {
            let repo = repo::sql::get(cx.db().await?, id).await?;
            let repo = repo.ok_or_else(|| Error::missing(format!("No such repo: {id}")))?;
            // with a repo, the target may also be a plain tag: where the build goes
            let dest = match target {
                Some(tag) => Some(tag::require(cx.db().await?, &tag.into()).await?.0),
                None => None,
            };
            Ok((repo.tag_id, None, dest))
        }
        (None, None, Some(name)) => {
            Err(Error::missing(format!("No such target: '{name}'; `toji list-targets` shows those there are")))
        }
        (None, None, None) => Err(Error::invalid("a build without a target needs repo_id")),
    }
}

impl Handle for StartBuild {
    async fn handle(self, cx: &mut Cx) -> Result<toji_protocol::id::TaskId> {
        let owner = cx.caller.user()?.id;
        let opts = self.opts.unwrap_or_default();
        let is_scratch = opts.scratch.unwrap_or(false);
        if opts.arch_override.is_some() && !is_scratch {
            return Err(Error::invalid("arch_override is only allowed for scratch builds"));
        }
        if is_scratch && opts.draft.unwrap_or(false) {
            return Err(Error::invalid("a scratch build cannot be a draft"));
        }
        let (build_tag, target, dest) = destination(cx, self.target.as_deref(), opts.repo_id).await?;
        let dest = dest.filter(|_| !opts.skip_tag.unwrap_or(false));
        let asked = policy::BuildAsked {
            owner,
            source: &self.src,
            task: None,
            build_tag,
            target: target.as_deref(),
            dest,
            opts: &opts,
        };
        // asked again when the task runs; here, so that who asks in vain is told at once
        policy::allow_build(cx, &asked).await?;
        let priority = task::relative_priority(&cx.caller, self.priority)?;
        let request = BuildTask { src: self.src, target: self.target, opts: Some(opts) }.to_request()?;
        let new =
            task::NewTask { priority, channel: self.channel, ..task::NewTask::top(BuildTask::METHOD, request, owner) };
        task::make(cx, new).await
    }
}

impl Handle for GetBuild {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Build>> {
        let conn = cx.db().await?;
        match find(conn, &self.build_info).await? {
            Some(id) => sql::get(conn, id).await,
            None if self.strict => Err(Error::missing(format!("No such build: {}", self.build_info))),
            None => Ok(None),
        }
    }
}

impl Handle for FindBuildId {
    async fn handle(self, cx: &mut Cx) -> Result<Option<BuildId>> {
        match find(cx.db().await?, &self.build).await? {
            None if self.strict => Err(Error::missing(format!("No such build: {}", self.build))),
            found => Ok(found),
        }
    }
}

impl Handle for ListBuilds {
    async fn handle(
        self,
        cx: &mut Cx,
    ) -> Result<toji_protocol::method::Listing<toji_protocol::method::build::ListedBuild>> {
        list::list(cx.db().await?, self).await
    }
}

impl Handle for GetBuildLogs {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<BuildLog>> {
        let conn = cx.db().await?;
        let id = require(conn, &self.build).await?;
        let dir = object_key::build_logs(&nvr(&get(conn, id).await?));
        cx.release();
        let logs = cx.hub.store.list(&dir).await?;
        Ok(logs
            .into_iter()
            .filter_map(|object| {
                let below = object.key.strip_prefix(&dir)?;
                let (folder, name) = below.rsplit_once('/').unwrap_or((".", below));
                Some(BuildLog { dir: folder.to_owned(), name: name.to_owned(), path: format!("{dir}{folder}/{name}") })
            })
            .collect())
    }
}

impl Handle for GetNextRelease {
    async fn handle(self, cx: &mut Cx) -> Result<String> {
        let conn = cx.db().await?;
        let (name, version) = match &self.build_info {
            BuildRef::Info { name: Some(name), version: Some(version), .. } => (name.clone(), version.clone()),
            BuildRef::Id(_) | BuildRef::Nvr(_) | BuildRef::Info { id: Some(_), .. } => {
                let id = require(conn, &self.build_info).await?;
                let build = get(conn, id).await?;
                (build.name, build.version)
            }
            BuildRef::Info { .. } => return Err(Error::parameter("build_info must have a name and a version")),
        };
        let Some(newest) = sql::newest_release(conn, &name, &version).await? else { return Ok(self.incr.to_string()) };
        next_release(&newest, self.incr)
            .ok_or_else(|| Error::Invalid(FaultCode::Build, format!("Unable to increment release value: {newest}")))
    }
}

impl Handle for GetAverageBuildDuration {
    async fn handle(self, cx: &mut Cx) -> Result<Option<f64>> {
        let now = cx.now;
        let conn = cx.db().await?;
        match package::find(conn, &self.package).await? {
            Some((package, _)) => average_seconds(conn, package, self.age, now).await,
            None => Ok(None),
        }
    }
}

impl Handle for CancelBuild {
    async fn handle(self, cx: &mut Cx) -> Result<bool> {
        let id = match find(cx.db().await?, &self.build_id).await? {
            Some(id) => id,
            None if self.strict => return Err(Error::missing(format!("No such build: {}", self.build_id))),
            None => return Ok(false),
        };
        let build = get(cx.db().await?, id).await?;
        if cx.caller.user()?.id != build.owner_id && !cx.caller.has_perm("admin") {
            return Err(Error::denied("Cannot cancel build, not owner"));
        }
        match build.task_id {
            _ if build.state != BuildState::Building => return Ok(false),
            Some(task) => task::cancel(cx, task, true).await?,
            None => {}
        }
        // where the task had ended already, or there is none
        end(cx, id, BuildState::Canceled).await?;
        Ok(true)
    }
}

macro_rules! no_such_content {
    ($($method:ty => $kind:literal),*) => {$(
        impl Handle for $method {
            async fn handle(self, cx: &mut Cx) -> Result<Option<Value>> {
                require(cx.db().await?, &self.build_info).await?;
                if self.strict {
                    return Err(Error::missing(format!(concat!("No such ", $kind, " build: {}"), self.build_info)));
                }
                Ok(None)
            }
        }
    )*};
}

no_such_content!(GetMavenBuild => "Maven", GetWinBuild => "Windows", GetImageBuild => "image");
