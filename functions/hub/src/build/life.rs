//! A build's end, well or badly.

use chrono::TimeDelta;
use toji_protocol::{
    id::{BuildId, TaskId},
    state::BuildState,
};

use super::{history, sql};
use crate::{Result, call::Cx, notification};

/// An import may be running for as long as a function may run; until then nobody takes its build over.
pub(crate) const IMPORT_RUNS: TimeDelta = TimeDelta::minutes(16);

/// Marks the build that a task has under way as failed. Takes the event: to be called last.
///
/// # Errors
/// When the database is away.
pub async fn fail_for_task(cx: &mut Cx, task: TaskId) -> Result<()> {
    end_for_tasks(cx, &[task.0], BuildState::Failed).await
}

/// Marks the builds that some tasks have under way as cancelled. Takes the event: to be called last.
///
/// # Errors
/// When the database is away.
pub async fn cancel_for_tasks(cx: &mut Cx, tasks: &[i64]) -> Result<()> {
    end_for_tasks(cx, tasks, BuildState::Canceled).await
}

async fn end_for_tasks(cx: &mut Cx, tasks: &[i64], state: BuildState) -> Result<()> {
    let now = cx.now;
    let ended = sql::end_of_tasks(cx.db().await?, tasks, state, now).await?;
    for build in &ended {
        notification::build_ended(cx, *build, state);
    }
    history::note(cx, &ended).await
}

/// Ends a BUILDING build that no task makes, and gives up what was reserved for it. Answers whether it was BUILDING.
///
/// # Errors
/// When the database is away.
pub(crate) async fn end(cx: &mut Cx, build: BuildId, state: BuildState) -> Result<bool> {
    let now = cx.now;
    let is_ended = sql::end(cx.db().await?, build, state, now).await?;
    if is_ended {
        history::note(cx, &[build]).await?;
    }
    Ok(is_ended)
}
