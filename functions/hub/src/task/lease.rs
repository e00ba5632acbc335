//! A builder holds a task by heartbeats, and ends it.
//!
//! Every write names the attempt. When another attempt has begun, or the task has ended, nothing is changed and the builder gets a
//! conflict: it is to stop, silently.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{HostId, TaskId},
    method::worker::{CloseTask, FailTask, HandBack, Heartbeat, HeartbeatCall, Lease, Order, SetTaskWeight, TaskUsage},
    queue_name::Bin,
    state::TaskState,
    task::PINNED,
    xmlrpc,
};

use super::{TaskRow, advance_parent, cancel_children, ring};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    callback::tell::{self, TaskChange},
    scheduler::log,
};

/// Why an attempt's write does not count.
pub(crate) fn stale(task: TaskId, attempt: i32) -> Error {
    Error::conflict(format!(
        "attempt {attempt} at task {task} is over: it was cancelled, ended, or given to another builder"
    ))
}

/// Checks that a host holds a task, and keeps it so until the transaction ends.
///
/// # Errors
/// A conflict when it does not.
pub async fn hold(conn: &mut PgConnection, host: HostId, task: TaskId, attempt: i32) -> Result<()> {
    let held = sqlx::query_scalar!(
        "SELECT id FROM task WHERE id = $1 AND state = 1 AND host_id = $2 AND attempt = $3 FOR SHARE",
        task.0,
        host.0,
        attempt
    )
    .fetch_optional(conn)
    .await?;
    held.map(|_| ()).ok_or_else(|| stale(task, attempt))
}

/// What a host may still say of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Everything: it is at it.
    Open,
    /// What its logs were: it was cancelled a little while ago.
    LastWords,
}

/// How long the logs of what was cancelled are taken.
pub(crate) const LAST_WORDS: TimeDelta = TimeDelta::minutes(10);

/// As [`hold`], but an attempt that was cancelled a little while ago may still say what its logs were.
///
/// # Errors
/// A conflict when the host neither holds the task nor did when it was cancelled.
pub(crate) async fn hold_logs(
    conn: &mut PgConnection,
    host: HostId,
    Lease { task_id, attempt }: Lease,
    now: DateTime<Utc>,
) -> Result<Hold> {
    let is_open = sqlx::query_scalar!(
        r#"SELECT state = 1 AS "is_open!" FROM task WHERE id = $1 AND host_id = $2 AND attempt = $3
               AND (state = 1 OR state = 3 AND completion_time > $4) FOR SHARE"#,
        task_id.0,
        host.0,
        attempt,
        now - LAST_WORDS
    )
    .fetch_optional(conn)
    .await?;
    match is_open {
        Some(true) => Ok(Hold::Open),
        Some(false) => Ok(Hold::LastWords),
        None => Err(stale(task_id, attempt)),
    }
}

impl Handle for HeartbeatCall {
    async fn handle(self, cx: &mut Cx) -> Result<Heartbeat> {
        let host = cx.caller.host()?;
        let (now, until) = (cx.now, cx.now + cx.hub.config.lease);
        let conn = cx.db().await?;
        let tasks: Vec<i64> = self.leases.iter().map(|lease| lease.task_id.0).collect();
        let attempts: Vec<i32> = self.leases.iter().map(|lease| lease.attempt).collect();
        let renewed = sqlx::query_scalar!(
            "UPDATE task SET lease_expires_at = $4 FROM unnest($1::bigint[], $2::int[]) AS held (id, attempt)
             WHERE task.id = held.id AND task.attempt = held.attempt AND state = 1 AND host_id = $3 RETURNING task.id",
            &tasks,
            &attempts,
            host.0,
            until
        )
        .fetch_all(&mut *conn)
        .await?;
        let cancelled = sqlx::query_scalar!(
            "SELECT task.id FROM task JOIN unnest($1::bigint[], $2::int[]) AS held (id, attempt)
                 ON task.id = held.id AND task.attempt = held.attempt WHERE state = 3 AND host_id = $3",
            &tasks,
            &attempts,
            host.0
        )
        .fetch_all(&mut *conn)
        .await?;
        let drain = sqlx::query_scalar!(
            "UPDATE host SET update_time = $2, ready = NOT draining, task_load =
                 (SELECT coalesce(sum(weight) FILTER (WHERE waiting IS NOT TRUE), 0) FROM task WHERE host_id = $1 AND state = 1)
             WHERE id = $1 RETURNING draining",
            host.0,
            now
        )
        .fetch_one(conn)
        .await?;
        let order = |lease: &Lease| {
            if renewed.contains(&lease.task_id.0) {
                Order::Continue
            } else if cancelled.contains(&lease.task_id.0) {
                Order::Cancel
            } else {
                Order::Lost
            }
        };
        Ok(Heartbeat { orders: self.leases.iter().map(order).collect(), drain })
    }
}

/// Whether a host holds a task.
pub(super) fn is_held(row: &TaskRow, host: HostId, attempt: i32) -> bool {
    row.state == TaskState::Open && row.host == Some(host) && row.attempt == attempt
}

/// Ends an attempt, and has the parent looked at. Told twice, it succeeds twice.
async fn end(cx: &mut Cx, lease: Lease, state: TaskState, result: &str, usage: Option<TaskUsage>) -> Result<()> {
    let (host, now) = (cx.caller.host()?, cx.now);
    let Lease { task_id: task, attempt } = lease;
    let usage = usage.map(serde_json::to_value).transpose().map_err(Error::internal)?;
    let outcome = if state == TaskState::Closed { "closed" } else { "failed" };
    tell::task_ended(cx, &[task], |row| is_held(row, host, attempt), state).await?;
    let ended = sqlx::query!(
        r#"WITH ended AS (
               UPDATE task SET state = $4, result = $5, completion_time = $6, lease_expires_at = NULL, waiting = false
               WHERE id = $1 AND state = 1 AND host_id = $2 AND attempt = $3 RETURNING id, parent
           ), run AS (
               UPDATE task_run SET end_time = $6, outcome = $7, usage = $8 WHERE task_id = $1 AND attempt = $3
                   AND EXISTS (SELECT 1 FROM ended)
           )
           SELECT parent FROM ended"#,
        task.0,
        host.0,
        attempt,
        state.number(),
        result,
        now,
        outcome,
        usage
    )
    .fetch_optional(cx.db().await?)
    .await?;
    match ended {
        Some(row) => {
            if state == TaskState::Failed {
                // nobody is left who would want what its subtasks make
                cancel_children(cx, task).await?;
            }
            advance_parent(cx, row.parent.map(TaskId));
            Ok(())
        }
        None => {
            let same = sqlx::query_scalar!(
                r#"SELECT state = $4 AND result = $5 AS "same!" FROM task WHERE id = $1 AND host_id = $2 AND attempt = $3
                       AND result IS NOT NULL"#,
                task.0,
                host.0,
                attempt,
                state.number(),
                result
            )
            .fetch_optional(cx.db().await?)
            .await?;
            if same == Some(true) { Ok(()) } else { Err(stale(task, attempt)) }
        }
    }
}

impl Handle for CloseTask {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        match xmlrpc::decode_response(self.response.as_bytes()) {
            Ok(Ok(_)) => {
                let lease = Lease { task_id: self.task_id, attempt: self.attempt };
                end(cx, lease, TaskState::Closed, &self.response, self.usage).await
            }
            Ok(Err(_)) => Err(Error::parameter("response is a fault; a task that failed is ended by host.failTask")),
            Err(error) => Err(Error::parameter(format!("response is no XML-RPC methodResponse: {error}"))),
        }
    }
}

impl Handle for FailTask {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        match xmlrpc::decode_response(self.response.as_bytes()) {
            Ok(Err(_)) => {
                let lease = Lease { task_id: self.task_id, attempt: self.attempt };
                end(cx, lease, TaskState::Failed, &self.response, self.usage).await
            }
            Ok(Ok(_)) => {
                Err(Error::parameter("response is no fault; a task that went well is ended by host.closeTask"))
            }
            Err(error) => Err(Error::parameter(format!("response is no XML-RPC methodResponse: {error}"))),
        }
    }
}

impl Handle for HandBack {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let (host, now) = (cx.caller.host()?, cx.now);
        let is_ours = |row: &TaskRow| is_held(row, host, self.attempt);
        tell::task_freed(cx, &[self.task_id], is_ours, !self.refuse).await?;
        let conn = cx.db().await?;
        let row = sqlx::query!(
            r#"WITH freed AS (
                   UPDATE task SET state = CASE WHEN $5 AND method = ANY($6) THEN 4 ELSE 0 END,
                       host_id = CASE WHEN $5 AND method = ANY($6) THEN host_id END,
                       claim_id = NULL, lease_expires_at = NULL, start_time = NULL, free_since = $4, waiting = NULL
                   WHERE id = $1 AND state = 1 AND host_id = $2 AND attempt = $3 RETURNING id, channel_id, arch, state
               ), run AS (
                   UPDATE task_run SET end_time = $4, outcome = 'freed' WHERE task_id = $1 AND attempt = $3
                       AND EXISTS (SELECT 1 FROM freed)
               )
               SELECT channel_id, arch, state FROM freed"#,
            self.task_id.0,
            host.0,
            self.attempt,
            now,
            // what is for this host alone waits for it, unless it cannot do it at all
            !self.refuse,
            &PINNED.map(str::to_owned)
        )
        .fetch_optional(&mut *conn)
        .await?;
        let row = row.ok_or_else(|| stale(self.task_id, self.attempt))?;
        if self.refuse {
            sqlx::query!(
                "INSERT INTO task_refusal (task_id, host_id, soft, msg, time) VALUES ($1, $2, true, $3, $4)
                 ON CONFLICT (task_id, host_id) DO UPDATE SET msg = $3, time = $4",
                self.task_id.0,
                host.0,
                self.reason,
                now
            )
            .execute(&mut *conn)
            .await?;
        }
        let what = if self.refuse { "Refused by its host" } else { "Handed back by its host" };
        log::note(conn, Some(self.task_id), Some(host), &format!("{what}: {}", self.reason), now).await?;
        tracing::info!(task = %self.task_id, %host, reason = self.reason, "handed back");
        let pinned = (row.state == 4).then_some(host);
        ring(cx, self.task_id, false, pinned, &Bin::new(row.channel_id.into(), &row.arch));
        Ok(())
    }
}

impl Handle for SetTaskWeight {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let host = cx.caller.host()?;
        if !self.weight.is_finite() || self.weight < 0.0 {
            return Err(Error::parameter("weight must be a number, not below zero"));
        }
        let changes = [TaskChange::Weight(self.weight)];
        tell::task_changed(cx, &[self.task_id], |row| is_held(row, host, self.attempt), &changes).await?;
        let set = sqlx::query!(
            "UPDATE task SET weight = $4 WHERE id = $1 AND state = 1 AND host_id = $2 AND attempt = $3",
            self.task_id.0,
            host.0,
            self.attempt,
            self.weight
        )
        .execute(cx.db().await?)
        .await?;
        if set.rows_affected() == 0 { Err(stale(self.task_id, self.attempt)) } else { Ok(()) }
    }
}
