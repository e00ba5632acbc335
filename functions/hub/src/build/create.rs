//! A build's beginning: a new name, or one that a failed build has left.

use chrono::{DateTime, Utc};
use toji_protocol::{
    id::{BuildId, ContentGeneratorId, TaskId, UserId, VolumeId},
    nvr::{Nvr, draft_release},
    state::BuildState,
};

use super::{IMPORT_RUNS, history, sql};
use crate::{Error, Result, call::Cx, error::FaultCode, package};

/// What a build begins with.
#[derive(Clone, Debug)]
pub struct NewBuild {
    /// The package's name.
    pub name: String,
    /// The version.
    pub version: String,
    /// The release; of a draft the one that it is to have in the end.
    pub release: String,
    /// The RPM epoch.
    pub epoch: Option<i64>,
    /// Not for release yet.
    pub draft: bool,
    /// BUILDING, or COMPLETE from the start.
    pub state: BuildState,
    /// The task that makes it.
    pub task: Option<TaskId>,
    /// Whose it is.
    pub owner: UserId,
    /// What it is built from.
    pub source: Option<String>,
    /// Further facts.
    pub extra: Option<serde_json::Value>,
    /// The content generator that makes it.
    pub cg: Option<ContentGeneratorId>,
    /// Where its files are.
    pub volume: VolumeId,
    /// When building began.
    pub start: DateTime<Utc>,
    /// When it ended; not looked at while it is BUILDING.
    pub completion: DateTime<Utc>,
}

impl NewBuild {
    /// A build of this name, complete at once and with nothing in it.
    pub fn empty(nvr: &Nvr, epoch: Option<i64>, owner: UserId, now: DateTime<Utc>) -> Self {
        Self {
            name: nvr.name.clone(),
            version: nvr.version.clone(),
            release: nvr.release.clone(),
            epoch,
            draft: false,
            state: BuildState::Complete,
            task: None,
            owner,
            source: None,
            extra: None,
            cg: None,
            volume: VolumeId(0),
            start: now,
            completion: now,
        }
    }
}

/// Begins a build. The same task may call again. A FAILED or CANCELED build of the same name that nothing hangs on is taken over.
///
/// # Errors
/// When the name is taken, now or for ever, or is none.
pub async fn create(cx: &mut Cx, new: &NewBuild) -> Result<BuildId> {
    check_name(new)?;
    let now = cx.now;
    let conn = cx.db().await?;
    let package = package::find_or_create(conn, &new.name).await?;
    // whoever begins or promotes builds of a package does so one after another
    sql::lock_package(conn, package).await?;
    if let (true, Some(task)) = (new.draft, new.task)
        && let Some(begun) = sql::draft_of_task(conn, task, package, &new.version).await?
    {
        return Ok(begun);
    }
    if sql::is_claimed(conn, package, &new.version, &new.release).await? {
        return Err(exists(new, "a draft is being promoted to it; try again in some minutes"));
    }
    let taken = sql::lock_by_nvr(conn, package, &new.version, &new.release).await?;
    let Some(taken) = taken else {
        let event = cx.event().await?;
        let inserted = sql::insert(cx.db().await?, new, package, event).await?;
        let id = inserted.ok_or_else(|| exists(new, "another call has just begun it"))?;
        history::note(cx, &[id]).await?;
        return Ok(id);
    };
    if new.draft {
        let nvr = format!("{}-{}-{}", new.name, new.version, new.release);
        return Err(Error::invalid(format!("Target build already exists: {nvr} (id={})", taken.id)));
    }
    match taken.state {
        BuildState::Building if taken.task.is_some() && taken.task == new.task => Ok(taken.id),
        BuildState::Building => {
            let by = taken.task.map_or_else(String::new, |task| format!(" by task {task}"));
            Err(exists(new, &format!("it is being built{by}")))
        }
        BuildState::Complete => Err(exists(new, "it is complete; raise the release")),
        BuildState::Deleted => Err(exists(new, "it was deleted, and a name is never used twice; raise the release")),
        BuildState::Failed | BuildState::Canceled => {
            if taken.is_used {
                return Err(exists(new, "it failed, but was tagged or has RPMs; raise the release"));
            }
            if taken.pending_since.is_some_and(|since| now - since < IMPORT_RUNS) {
                return Err(exists(new, "an import of it may still be running; try again in some minutes"));
            }
            let event = cx.event().await?;
            sql::recycle(cx.db().await?, taken.id, new, event).await?;
            history::note(cx, &[taken.id]).await?;
            Ok(taken.id)
        }
    }
}

/// What becomes part of keys must be one segment of them, and a draft's mark is the hub's to give.
fn check_name(new: &NewBuild) -> Result<()> {
    crate::name::check("package", &new.name)?;
    for (field, value) in [("version", &new.version), ("release", &new.release)] {
        if value.contains('-') {
            return Err(Error::invalid(format!("The \"-\" character not allowed in {field} field")));
        }
        let is_segment = !value.is_empty() && value != "." && value != ".." && !value.contains(['/', ',']);
        if !is_segment || value.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(Error::invalid(format!(
                "'{}' is no {field} of a build: it must not be empty, nor have spaces, slashes or commas",
                value.escape_debug()
            )));
        }
    }
    Ok(())
}

fn exists(new: &NewBuild, why: &str) -> Error {
    let message = format!("Build already exists: {}-{}-{} ({why})", new.name, new.version, new.release);
    Error::Invalid(FaultCode::Generic, message)
}

/// The name that a build has as long as it is a draft.
pub(crate) fn draft_nvr(nvr: &Nvr, build: BuildId) -> Nvr {
    Nvr { release: draft_release(&nvr.release, build), ..nvr.clone() }
}
