//! Parent tasks as state machines: `build`, `chainbuild`, `tagBuild`, `newRepo`, `distRepo`, `waitrepo`,
//! `dependantTask`, `restartHosts`.
//!
//! A step is a function of the task's row and its children. It locks the task, reads the children, does what is next, and commits;
//! children are unique by (parent, label), so a step that runs twice does nothing twice. What speaks to S3 runs between two
//! transactions, and the second looks again. Nothing waits: who ends a child has the parent looked at, and a sweep looks at
//! parents that were forgotten.

pub mod arches;
mod build;
mod chain_build;
mod dependant_task;
mod dist_repo;
mod new_repo;
mod restart_hosts;
mod tag_build;
mod wait_repo;

use std::{future::Future, pin::Pin};

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use toji_protocol::{
    id::TaskId,
    state::TaskState,
    task::{
        TaskMethod, build::BuildTask, chain_build::ChainBuildTask, dependant_task::DependantTask,
        dist_repo::DistRepoTask, new_repo::NewRepoTask, restart_hosts::RestartHostsTask, tag_build::TagBuildTask,
        wait_repo::WaitRepoTask,
    },
    value::from_value,
    xmlrpc,
};

use crate::{
    Error, Hub, Result,
    call::{Cx, rerun, retry_deadlocks},
    callback::tell::{self, TaskChange},
    task::{TaskRow, advance_parent, cancel_children, decode_request, decode_result, sql, subtask},
};

/// Looks at a task of the coordinator's own, and does what is next. Safe to run at any time, twice at once.
///
/// # Errors
/// When something is away: to be run again. What is wrong with the task itself fails the task.
pub async fn advance(hub: &Hub, task: TaskId, now: DateTime<Utc>) -> Result<()> {
    let row = sql::get(&mut *hub.pool.acquire().await?, task).await?;
    let Some(row) = row.filter(|row| !row.state.is_final()) else { return Ok(()) };
    if !row.coordinated {
        return retry_deadlocks(|| wake(hub, task, now)).await;
    }
    let row = &row;
    let step = rerun(hub, |hub| async move { step(&hub, row, now).await }).await;
    match step {
        Ok(()) => Ok(()),
        // somebody else was faster
        Err(Error::Conflict(reason)) => {
            tracing::debug!(%task, reason, "step is void");
            Ok(())
        }
        Err(error @ (Error::Unavailable(_) | Error::Deadlock(_))) => Err(error),
        Err(error) => {
            if let Error::Internal(cause) = &error {
                tracing::error!(%task, error = format!("{cause:#}"), "step failed");
            }
            retry_deadlocks(|| fail(hub, task, &error, now)).await
        }
    }
}

/// A parent that a builder runs: it takes its next step itself.
async fn wake(hub: &Hub, task: TaskId, now: DateTime<Utc>) -> Result<()> {
    let mut cx = Cx::internal(hub, now).await?;
    subtask::wake(&mut cx, task).await?;
    cx.commit().await
}

/// A step under way. Boxed, so that the compiler looks at each kind of task alone.
type Step<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

fn step<'a>(hub: &'a Hub, row: &'a TaskRow, now: DateTime<Utc>) -> Step<'a> {
    match row.method.as_str() {
        BuildTask::METHOD => Box::pin(build::step(hub, row.id, now)),
        ChainBuildTask::METHOD => Box::pin(chain_build::step(hub, row.id, now)),
        TagBuildTask::METHOD => Box::pin(tag_build::step(hub, row.id, now)),
        NewRepoTask::METHOD => Box::pin(new_repo::step(hub, row.id, now)),
        WaitRepoTask::METHOD => Box::pin(wait_repo::step(hub, row.id, now)),
        DependantTask::METHOD => Box::pin(dependant_task::step(hub, row.id, now)),
        DistRepoTask::METHOD => Box::pin(dist_repo::step(hub, row.id, now)),
        RestartHostsTask::METHOD => Box::pin(restart_hosts::step(hub, row.id, now)),
        other => {
            let error = Error::invalid(format!("the hub runs no tasks of method {other}"));
            Box::pin(std::future::ready(Err(error)))
        }
    }
}

/// Locks a task and opens it if it is FREE.
///
/// # Errors
/// A conflict when it has ended.
async fn open(cx: &mut Cx, task: TaskId) -> Result<TaskRow> {
    let now = cx.now;
    let row = sql::lock(cx.db().await?, task).await?.ok_or_else(|| crate::task::no_such_task(task))?;
    match row.state {
        TaskState::Open => Ok(row),
        TaskState::Free => {
            tell::task_changed(cx, &[task], |_| true, &[TaskChange::State(TaskState::Open)]).await?;
            sql::open_coordinated(cx.db().await?, task, now).await?;
            Ok(TaskRow { state: TaskState::Open, start_time: Some(now), ..row })
        }
        state => Err(Error::conflict(format!("task {task} is {state}"))),
    }
}

/// A task's arguments.
fn request<T: TaskMethod>(row: &TaskRow) -> Result<T> {
    Ok(T::from_request(decode_request(&row.request)?)?)
}

/// What a CLOSED child answered; a FAILED one's fault; a CANCELED one's end.
fn answer<T: DeserializeOwned>(child: &TaskRow) -> Result<T> {
    let result = match (child.state, &child.result) {
        (TaskState::Closed | TaskState::Failed, Some(result)) => decode_result(result)?,
        (TaskState::Canceled, _) => {
            return Err(Error::invalid(format!("task {} ({}) was canceled", child.id, child.method)));
        }
        (state, _) => return Err(Error::internal(anyhow::anyhow!("task {} is {state} and has no result", child.id))),
    };
    match result {
        Ok(value) => {
            from_value(value).map_err(|error| Error::invalid(format!("the result of task {}: {error}", child.id)))
        }
        Err(fault) => Err(Error::TaskFault(fault.code, fault.message)),
    }
}

/// Ends a task well, in the caller's transaction.
async fn close(cx: &mut Cx, row: &TaskRow, result: String) -> Result<()> {
    let now = cx.now;
    tell::task_ended(cx, &[row.id], |row| !row.state.is_final(), TaskState::Closed).await?;
    sql::end_coordinated(cx.db().await?, row.id, TaskState::Closed, &result, now).await?;
    advance_parent(cx, row.parent);
    Ok(())
}

/// A task's result as it is stored.
fn encoded<T: serde::Serialize>(result: &T) -> Result<String> {
    String::from_utf8(xmlrpc::encode_response(result).map_err(Error::internal)?).map_err(Error::internal)
}

/// Ends a task badly, with everything below it, and what it had under way.
async fn fail(hub: &Hub, task: TaskId, error: &Error, now: DateTime<Utc>) -> Result<()> {
    let mut cx = Cx::internal(hub, now).await?;
    let row = sql::lock(cx.db().await?, task).await?.ok_or_else(|| crate::task::no_such_task(task))?;
    if row.state.is_final() {
        return Ok(());
    }
    let fault = xmlrpc::encode_fault(error.fault_code(), &error.to_string());
    let fault = String::from_utf8(fault).map_err(Error::internal)?;
    tell::task_ended(&mut cx, &[task], |_| true, TaskState::Failed).await?;
    sql::end_coordinated(cx.db().await?, task, TaskState::Failed, &fault, now).await?;
    cancel_children(&mut cx, task).await?;
    crate::repo::problem_for_tasks(&mut cx, &[task.0]).await?;
    // last: it takes the event
    crate::build::fail_for_task(&mut cx, task).await?;
    advance_parent(&mut cx, row.parent);
    if row.method == TagBuildTask::METHOD {
        tag_build::failed(&mut cx, &row, error).await?;
    }
    if row.method == DependantTask::METHOD {
        dependant_task::wake(&mut cx, task).await?;
    }
    cx.commit().await
}

/// Fails the newRepo or distRepo task whose repo cannot be made.
///
/// # Errors
/// When the database is away.
pub async fn fail_task(hub: &Hub, task: TaskId, error: &Error, now: DateTime<Utc>) -> Result<()> {
    retry_deadlocks(|| fail(hub, task, error, now)).await
}
