//! What admins do with tasks: assign, free, set the priority; and what owners do: resubmit.

use toji_protocol::{
    id::{HostId, TaskId},
    method::task::{AssignTask, FreeTask, ResubmitTask, SetTaskPriority},
    queue_name::{Bin, HostOrder, QueueName},
    state::TaskState,
};

use super::{NewTask, TaskRow, advance_parent, decode_request, make, no_such_task, require, ring, sql};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    callback::tell::{self, TaskChange},
    host,
    scheduler::log,
};

/// Makes a new task like one that failed or was cancelled, for the caller.
///
/// # Errors
/// When the task has a parent, or has not failed, or is another's.
pub async fn resubmit(cx: &mut Cx, task: TaskId) -> Result<TaskId> {
    let row = require(cx, task).await?;
    let caller = cx.caller.user()?.id;
    if caller != row.owner {
        cx.caller.require_perm("admin")?;
    }
    if row.parent.is_some() {
        return Err(Error::invalid(format!("Cannot resubmit task {task}: it is not top-level; resubmit its parent")));
    }
    if !matches!(row.state, TaskState::Failed | TaskState::Canceled) {
        return Err(Error::invalid(format!(
            "Cannot resubmit task {task}: it is {}, neither failed nor canceled",
            row.state
        )));
    }
    let channel =
        sqlx::query_scalar!("SELECT name FROM channels WHERE id = $1", row.channel.0).fetch_one(cx.db().await?).await?;
    let request = decode_request(&row.request)?;
    let new = NewTask {
        arch: row.arch,
        channel: Some(channel),
        priority: row.priority,
        ..NewTask::top(&row.method, request, caller)
    };
    make(cx, new).await
}

impl Handle for ResubmitTask {
    async fn handle(self, cx: &mut Cx) -> Result<TaskId> {
        resubmit(cx, self.task_id).await
    }
}

/// Puts a task back in line, or gives it to one host. Its builder, if it had one, is told to stop.
async fn put_back(cx: &mut Cx, task: TaskId, assign: Option<HostId>) -> Result<()> {
    let now = cx.now;
    let row = sql::lock(cx.db().await?, task).await?.ok_or_else(|| no_such_task(task))?;
    if row.state.is_final() {
        return Err(Error::invalid(format!("Cannot free task {task}: it is {}", row.state)));
    }
    if let (TaskState::Open, Some(host)) = (row.state, row.host) {
        cx.post(QueueName::Host(host), &HostOrder::Cancel { task_id: task, attempt: row.attempt });
    }
    let state = if assign.is_some() { TaskState::Assigned } else { TaskState::Free };
    tell::task_changed(cx, &[task], |_| true, &[TaskChange::State(state), TaskChange::Host(assign)]).await?;
    sqlx::query!(
        r#"WITH run AS (
               UPDATE task_run SET end_time = $3, outcome = 'freed' WHERE task_id = $1 AND attempt = $4 AND end_time IS NULL
           )
           UPDATE task SET state = CASE WHEN $2::bigint IS NULL THEN 0 ELSE 4 END, host_id = $2, claim_id = NULL,
               lease_expires_at = NULL, start_time = NULL, waiting = NULL, free_since = $3 WHERE id = $1"#,
        task.0,
        assign.map(|id| id.0),
        now,
        row.attempt
    )
    .execute(cx.db().await?)
    .await?;
    let by = cx.caller.user()?.name.clone();
    let message = match assign {
        Some(_) => format!("Assigned by {by}"),
        None => format!("Freed by {by}"),
    };
    log::note(cx.db().await?, Some(task), assign.or(row.host), &message, now).await?;
    ring(cx, task, row.coordinated, assign, &Bin::new(row.channel, &row.arch));
    Ok(())
}

impl Handle for FreeTask {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        put_back(cx, self.task_id, None).await
    }
}

impl Handle for AssignTask {
    async fn handle(self, cx: &mut Cx) -> Result<bool> {
        let row = require(cx, self.task_id).await?;
        let found = host::find(cx.db().await?, &self.host).await?;
        let host = found.ok_or_else(|| Error::missing(format!("No such host: {}", self.host)))?;
        if row.coordinated {
            return Err(Error::invalid(format!("{} tasks run in the hub itself, not on a host", row.method)));
        }
        let is_taken = match row.state {
            TaskState::Free => false,
            TaskState::Assigned | TaskState::Open => true,
            state => return Err(Error::invalid(format!("Cannot assign task {}: it is {state}", row.id))),
        };
        if is_taken && (row.host == Some(host.id) || !self.force) {
            return Ok(false);
        }
        if !self.override_checks {
            let bins = host::bins(cx.db().await?, host.id).await?;
            if !bins.iter().any(|(channel, arch)| *channel == row.channel && *arch == row.arch) {
                return Err(Error::invalid(format!(
                    "{} is not in the channel of task {}, or does not build {}; --override assigns it all the same",
                    host.name, row.id, row.arch
                )));
            }
        }
        put_back(cx, self.task_id, Some(host.id)).await?;
        Ok(true)
    }
}

impl Handle for SetTaskPriority {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let row = require(cx, self.task_id).await?;
        if row.state.is_final() {
            return Err(Error::invalid(format!("Cannot set the priority of task {}: it is {}", row.id, row.state)));
        }
        if self.recurse {
            let below = sql::descendants(cx.db().await?, row.id).await?;
            let tasks: Vec<TaskId> = below.iter().map(|row| row.id).collect();
            let is_live = |row: &TaskRow| !row.state.is_final();
            tell::task_changed(cx, &tasks, is_live, &[TaskChange::Priority(self.priority)]).await?;
        }
        tell::task_changed(cx, &[row.id], |_| true, &[TaskChange::Priority(self.priority)]).await?;
        sqlx::query!(
            r#"WITH RECURSIVE tree AS (
                   SELECT $1::bigint AS id UNION SELECT task.id FROM task JOIN tree ON task.parent = tree.id WHERE $3
               ), locked AS (SELECT id FROM task WHERE id IN (SELECT id FROM tree) ORDER BY id FOR UPDATE)
               UPDATE task SET priority = $2 FROM locked WHERE task.id = locked.id AND state IN (0, 1, 4)"#,
            self.task_id.0,
            self.priority,
            self.recurse
        )
        .execute(cx.db().await?)
        .await?;
        advance_parent(cx, row.coordinated.then_some(row.id));
        Ok(())
    }
}
