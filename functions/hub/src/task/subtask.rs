//! Subtasks of what a builder runs: it makes them, and waits for them without weighing anything.
//!
//! A child that ends has the coordinator look at its parent; where a builder runs the parent, the coordinator tells that builder to
//! look. The parent's row is locked by who begins to wait and by who looks, so a child that ends meanwhile is seen by one of them.

use toji_protocol::{
    id::TaskId,
    method::worker::{AwaitSubtasks, StartSubtask, SubtaskStates},
    queue_name::{HostOrder, QueueName},
    state::TaskState,
    task::{PINNED, TaskMethod, traits_of, wait_repo::WaitRepoTask},
    value::from_value,
};

use super::{
    NewTask, TaskRow,
    lease::{is_held, stale},
    make, sql,
};
use crate::{
    Error, Result,
    call::{Cx, Handle},
};

/// A task that the calling builder holds, locked.
async fn held(cx: &mut Cx, task: TaskId, attempt: i32) -> Result<TaskRow> {
    let host = cx.caller.host()?;
    let row = sql::lock(cx.db().await?, task).await?;
    row.filter(|row| is_held(row, host, attempt)).ok_or_else(|| stale(task, attempt))
}

/// What a builder may have done in its task's owner's name: no more than builders do.
fn check_method(method: &str) -> Result<()> {
    let (_, coordinated) = traits_of(method);
    if coordinated && method != WaitRepoTask::METHOD || PINNED.contains(&method) {
        return Err(Error::denied(format!(
            "a builder's task makes no {method} tasks: only what builders do, and waitrepo"
        )));
    }
    Ok(())
}

impl Handle for StartSubtask {
    async fn handle(self, cx: &mut Cx) -> Result<TaskId> {
        check_method(&self.method)?;
        if self.label.is_empty() {
            return Err(Error::parameter("label must not be empty: it tells a subtask that is there already"));
        }
        let parent = held(cx, self.task_id, self.attempt).await?;
        let mut new =
            NewTask { arch: parent.arch.clone(), ..NewTask::child(&parent, &self.label, &self.method, self.arglist) };
        for (name, value) in self.opts {
            match name.as_str() {
                _ if value.is_nil() => {}
                "arch" => new.arch = from_value(value)?,
                "channel" => new.channel = Some(from_value(value)?),
                "priority" => new.priority = from_value(value)?,
                "weight" => new.weight = Some(weight(from_value(value)?)?),
                other => return Err(Error::parameter(format!("a subtask has no option '{other}'"))),
            }
        }
        make(cx, new).await
    }
}

fn weight(weight: f64) -> Result<f64> {
    if weight.is_finite() && weight >= 0.0 {
        return Ok(weight);
    }
    Err(Error::parameter("weight must be a number, not below zero"))
}

impl Handle for AwaitSubtasks {
    async fn handle(self, cx: &mut Cx) -> Result<SubtaskStates> {
        if self.subtasks.is_empty() {
            return Err(Error::parameter("subtasks must name at least one"));
        }
        held(cx, self.task_id, self.attempt).await?;
        let children = sql::children(cx.db().await?, self.task_id).await?;
        let mut states = SubtaskStates::default();
        for id in self.subtasks {
            let child = children.iter().find(|child| child.id == id);
            let child = child.ok_or_else(|| Error::missing(format!("task {} has no subtask {id}", self.task_id)))?;
            if child.state.is_final() { states.finished.push(id) } else { states.unfinished.push(id) }
        }
        let waits = if self.any { states.finished.is_empty() } else { !states.unfinished.is_empty() };
        sql::set_waiting(cx.db().await?, self.task_id, waits, &states.finished).await?;
        Ok(states)
    }
}

/// Tells the builder that runs a task, if it waits, that one of its subtasks has ended.
pub(crate) async fn wake(cx: &mut Cx, parent: TaskId) -> Result<()> {
    // locked: who is about to wait commits first, or sees the end itself
    let Some(row) = sql::lock(cx.db().await?, parent).await? else { return Ok(()) };
    if let (TaskState::Open, Some(true), Some(host)) = (row.state, row.waiting, row.host) {
        cx.post(QueueName::Host(host), &HostOrder::Wake { task_id: parent, attempt: row.attempt });
    }
    Ok(())
}
