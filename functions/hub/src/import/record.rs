//! The import of what a task has built: the row that stands for it, and its one commit.

use chrono::{DateTime, Utc};
use toji_protocol::{
    id::{BuildId, TaskId, VolumeId},
    state::{BuildState, TaskState},
};

use super::{
    Copy, Home, Incoming,
    rows::{Rows, moved},
};
use crate::{
    Error, Hub, Result,
    build::history,
    call::Cx,
    callback::tell::{self, Files, Imported},
    notification,
    task::sql::lock,
};

/// Notes that an import runs, so that nobody else takes the build's name while it may still copy files.
///
/// # Errors
/// A conflict when the task no longer builds it: somebody else's files may be there now.
pub(super) async fn begin(hub: &Hub, task: TaskId, build: BuildId, now: DateTime<Utc>) -> Result<()> {
    // The build is locked: another who makes it complete just now is waited for, and what he has taken away is not put back.
    let begun = sqlx::query!(
        "INSERT INTO pending_import (build_id, task_id, start_time)
         SELECT id, $2, $3 FROM build WHERE id = $1 AND state = 0 AND task_id = $2 FOR SHARE
         ON CONFLICT (build_id) DO UPDATE SET task_id = $2, start_time = $3",
        build.0,
        task.0,
        now
    )
    .execute(&hub.pool)
    .await?;
    if begun.rows_affected() == 0 {
        return Err(not_building(build, task));
    }
    Ok(())
}

fn not_building(build: BuildId, task: TaskId) -> Error {
    Error::conflict(format!("build {build} is no longer being built by task {task}"))
}

/// What the build is to have.
pub(super) struct Content<'a> {
    pub(super) incoming: Vec<Incoming>,
    pub(super) copies: &'a [Copy],
    /// What callbacks are told of it.
    pub(super) files: &'a Files,
}

/// Makes the build complete. When it no longer is BUILDING for this task, nothing is changed.
pub(super) async fn complete(
    hub: &Hub,
    task: TaskId,
    home: &Home,
    volume: VolumeId,
    content: Content<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    let build = home.build;
    let Content { incoming, copies, files } = content;
    // made outside the transaction: they take time, not rows
    let rows = Rows::make(incoming)?;
    let mut cx = Cx::internal(hub, now).await?;
    let row = lock(cx.db().await?, task).await?.ok_or_else(|| crate::task::no_such_task(task))?;
    if row.state != TaskState::Open {
        return Err(Error::conflict(format!("task {task} is {}", row.state)));
    }
    let completed = sqlx::query!(
        "UPDATE build SET state = 1, completion_time = $3, volume_id = $4 WHERE id = $1 AND task_id = $2 AND state = 0",
        build.0,
        task.0,
        now,
        volume.0
    )
    .execute(cx.db().await?)
    .await?;
    if completed.rows_affected() == 0 {
        return Err(not_building(build, task));
    }
    let ids = rows.insert(cx.db().await?, home).await?;
    tell::imported(&mut cx, build, Imported::Build { task, files }).await?;
    tell::imported_rpms(&mut cx, build, &ids).await?;
    moved(cx.db().await?, copies).await?;
    sqlx::query!("DELETE FROM pending_import WHERE build_id = $1", build.0).execute(cx.db().await?).await?;
    history::note(&mut cx, &[build]).await?;
    notification::build_ended(&mut cx, build, BuildState::Complete);
    cx.commit().await
}
