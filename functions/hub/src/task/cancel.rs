//! Somebody stops a task, with everything below it.

use sqlx::PgConnection;
use toji_protocol::{
    id::{HostId, TaskId},
    method::task::{CancelTask, CancelTaskChildren, CancelTaskFull},
    queue_name::{HostOrder, QueueName},
    state::TaskState,
};

use super::{advance_parent, no_such_task, require, sql};
use crate::{
    Error, Result, build,
    call::{Cx, Handle},
    callback::tell,
    repo,
};

/// Cancels a task and, with `recurse`, everything below it. Those that have ended stay as they are.
///
/// # Errors
/// When there is no such task.
pub async fn cancel(cx: &mut Cx, task: TaskId, recurse: bool) -> Result<()> {
    let tree = tree(cx.db().await?, task, recurse).await?;
    if tree.is_empty() {
        return Err(no_such_task(task));
    }
    cancel_all(cx, &tree).await?;
    let parent = sql::get(cx.db().await?, task).await?.and_then(|row| row.parent);
    advance_parent(cx, parent);
    Ok(())
}

/// A task and what is below it, locked from the top down: level by level, so that a child which was being made while its parent's
/// lock was waited for is seen, too.
async fn tree(conn: &mut PgConnection, top: TaskId, recurse: bool) -> Result<Vec<i64>> {
    let mut level =
        sqlx::query_scalar!("SELECT id FROM task WHERE id = $1 FOR UPDATE", top.0).fetch_all(&mut *conn).await?;
    let mut tree = level.clone();
    while recurse && !level.is_empty() {
        level = sqlx::query_scalar!("SELECT id FROM task WHERE parent = ANY($1) ORDER BY id FOR UPDATE", &level)
            .fetch_all(&mut *conn)
            .await?;
        tree.extend(&level);
    }
    Ok(tree)
}

async fn cancel_all(cx: &mut Cx, tasks: &[i64]) -> Result<()> {
    let now = cx.now;
    let ids: Vec<TaskId> = tasks.iter().map(|id| TaskId(*id)).collect();
    tell::task_ended(cx, &ids, |row| !row.state.is_final(), TaskState::Canceled).await?;
    let cancelled = sqlx::query!(
        r#"WITH cancelled AS (
               UPDATE task SET state = 3, completion_time = $2, lease_expires_at = NULL, waiting = false
               WHERE id = ANY($1) AND state IN (0, 1, 4) RETURNING id, host_id, attempt
           ), run AS (
               UPDATE task_run SET end_time = $2, outcome = 'canceled' FROM cancelled
               WHERE task_run.task_id = cancelled.id AND task_run.attempt = cancelled.attempt AND end_time IS NULL
           )
           SELECT id, host_id, attempt FROM cancelled"#,
        tasks,
        now
    )
    .fetch_all(cx.db().await?)
    .await?;
    for row in &cancelled {
        if let Some(host) = row.host_id {
            let order = HostOrder::Cancel { task_id: TaskId(row.id), attempt: row.attempt };
            cx.post(QueueName::Host(HostId(host)), &order);
        }
    }
    let ids: Vec<i64> = cancelled.iter().map(|row| row.id).collect();
    repo::problem_for_tasks(cx, &ids).await?;
    // last: it takes the event
    build::cancel_for_tasks(cx, &ids).await
}

/// The caller's right to stop a task: its own, or an admin's.
async fn may_cancel(cx: &mut Cx, task: TaskId) -> Result<()> {
    let row = require(cx, task).await?;
    let caller = cx.caller.user()?;
    if caller.id == row.owner || caller.host.is_some() && caller.host == row.host {
        return Ok(());
    }
    cx.caller.require_perm("admin").map_err(|_| {
        Error::denied(format!("Cannot cancel task {task}: it belongs to another user, and you are no admin"))
    })
}

impl Handle for CancelTask {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        may_cancel(cx, self.task_id).await?;
        cancel(cx, self.task_id, self.recurse).await
    }
}

impl Handle for CancelTaskFull {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        may_cancel(cx, self.task_id).await?;
        let mut top = require(cx, self.task_id).await?;
        if self.strict && top.parent.is_some() {
            return Err(Error::invalid(format!(
                "Task {} is not top-level (parent={:?})",
                top.id,
                top.parent.map(|p| p.0)
            )));
        }
        while let Some(parent) = top.parent {
            top = require(cx, parent).await?;
        }
        cancel(cx, top.id, true).await
    }
}

impl Handle for CancelTaskChildren {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        may_cancel(cx, self.task_id).await?;
        cancel_children(cx, self.task_id).await
    }
}

/// Cancels what is below a task, not the task itself.
pub(crate) async fn cancel_children(cx: &mut Cx, task: TaskId) -> Result<()> {
    let tree = tree(cx.db().await?, task, true).await?;
    let below: Vec<i64> = tree.into_iter().filter(|id| *id != task.0).collect();
    cancel_all(cx, &below).await
}
