//! A build's way from BUILDING to an end.

use chrono::{DateTime, TimeDelta, Utc};
use toji_protocol::{
    id::{BuildId, TaskId, UserId},
    state::BuildState,
};

use super::sql::{self, NewBuild};
use crate::{Error, Result, call::Cx, error::FaultCode, package};

/// An import may be running for as long as a function may run; until then nobody takes its build over.
pub(crate) const IMPORT_RUNS: TimeDelta = TimeDelta::minutes(16);

/// What a build begins with.
#[derive(Clone, Debug)]
pub struct InitBuild {
    /// The package's name.
    pub name: String,
    /// The version.
    pub version: String,
    /// The release.
    pub release: String,
    /// The RPM epoch.
    pub epoch: Option<i64>,
    /// The task that makes it.
    pub task: TaskId,
    /// Whose it is.
    pub owner: UserId,
    /// What it is built from.
    pub source: Option<String>,
    /// Further facts.
    pub extra: Option<serde_json::Value>,
}

/// Begins a build. The same task may call again. A FAILED or CANCELED build of the same name that nothing hangs on is taken over.
///
/// # Errors
/// When the name is taken, now or for ever.
pub async fn init(cx: &mut Cx, init: &InitBuild) -> Result<BuildId> {
    let now = cx.now;
    let package = package::find_or_create(cx.db().await?, &init.name).await?;
    let new = NewBuild {
        package,
        version: &init.version,
        release: &init.release,
        epoch: init.epoch,
        task: init.task,
        owner: init.owner,
        source: init.source.as_deref(),
        extra: init.extra.clone(),
        now,
    };
    let taken = sql::lock_by_nvr(cx.db().await?, package, &init.version, &init.release).await?;
    let Some(taken) = taken else {
        let event = cx.event().await?;
        let inserted = sql::insert(cx.db().await?, &new, event).await?;
        return inserted.ok_or_else(|| exists(init, "another task has just begun it"));
    };
    match taken.state {
        BuildState::Building if taken.task == Some(init.task) => Ok(taken.id),
        BuildState::Building => {
            let by = taken.task.map_or_else(String::new, |task| format!(" by task {task}"));
            Err(exists(init, &format!("it is being built{by}")))
        }
        BuildState::Complete => Err(exists(init, "it is complete; raise the release")),
        BuildState::Deleted => Err(exists(init, "it was deleted, and a name is never used twice; raise the release")),
        BuildState::Failed | BuildState::Canceled => {
            if taken.is_used {
                return Err(exists(init, "it failed, but was tagged or has RPMs; raise the release"));
            }
            if taken.pending_since.is_some_and(|since| is_running(since, now)) {
                return Err(exists(init, "an import of it may still be running; try again in some minutes"));
            }
            let event = cx.event().await?;
            sql::recycle(cx.db().await?, taken.id, &new, event).await?;
            Ok(taken.id)
        }
    }
}

fn is_running(since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now - since < IMPORT_RUNS
}

fn exists(init: &InitBuild, why: &str) -> Error {
    let message = format!("Build already exists: {}-{}-{} ({why})", init.name, init.version, init.release);
    Error::Invalid(FaultCode::Generic, message)
}

/// Marks the build that a task has under way as failed.
///
/// # Errors
/// When the database is away.
pub async fn fail_for_task(cx: &mut Cx, task: TaskId) -> Result<()> {
    let now = cx.now;
    sql::end_of_tasks(cx.db().await?, &[task.0], BuildState::Failed, now).await
}

/// Marks the builds that some tasks have under way as cancelled.
///
/// # Errors
/// When the database is away.
pub async fn cancel_for_tasks(cx: &mut Cx, tasks: &[i64]) -> Result<()> {
    let now = cx.now;
    sql::end_of_tasks(cx.db().await?, tasks, BuildState::Canceled, now).await
}
