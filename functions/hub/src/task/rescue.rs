//! What is done about a lost builder, a lost message, and a parent that nobody looked at.
//!
//! Crash windows: a builder dies (its lease runs out: the task is freed, or fails after too many attempts); a bell is lost, or was
//! never sent (bins that have waited a while are rung again); the coordinator dies between a step's commits, or its message was
//! lost (parents without live children are looked at again). All of it is safe to run twice at once.

use chrono::{DateTime, TimeDelta, Utc};
use toji_protocol::{
    id::{HostId, TaskId},
    queue_name::{Advance, Bell, Bin, HostOrder, QueueName},
    state::TaskState,
    task::{PINNED, TaskMethod, restart_hosts::RestartHostsTask},
    xmlrpc,
};

use super::{advance_parent, ring, unplaced};
use crate::{Hub, Result, buildroot, call::Cx, callback::tell, error::FaultCode, scheduler::log};

/// A bell, or the coordinator, gets this long before the sweep steps in.
const GRACE: TimeDelta = TimeDelta::seconds(10);
/// A host gets this long to take what was assigned to it.
const ASSIGN_TIMEOUT: TimeDelta = TimeDelta::minutes(5);
/// How long it sleeps while tasks wait that nobody holds.
const NOW_AND_THEN: TimeDelta = TimeDelta::hours(1);
/// A bin is rung up to this many times.
const MOST_BELLS: i64 = 10;

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Tasks whose builder was lost.
    pub lost: usize,
    /// Tasks that their host did not take.
    pub unassigned: usize,
    /// Bins rung again.
    pub rung: usize,
    /// Parents looked at again.
    pub advanced: usize,
    /// Buildroots of ended tasks.
    pub buildroots: usize,
    /// Tasks that no host may take, and of which it was not said yet.
    pub unplaced: usize,
}

/// Runs the pass once.
///
/// # Errors
/// When the database is away; what was done stands.
pub async fn run_once(hub: &Hub, now: DateTime<Utc>) -> Result<Rescued> {
    let is_back = note_run(hub, now).await?;
    let lost = if is_back { 0 } else { free_lost(hub, now).await? };
    Ok(Rescued {
        lost,
        unassigned: free_unassigned(hub, now).await?,
        rung: ring_again(hub, now).await?,
        advanced: advance_again(hub, now).await?,
        buildroots: buildroot::expire_of_ended_tasks(hub, now).await?,
        unplaced: unplaced::note(hub, now).await?,
    })
}

/// Notes that the pass ran. When it has not run for a while, the hub was away: builders could not renew their leases, so those are
/// all renewed once. An unreachable hub does not make a dead builder.
async fn note_run(hub: &Hub, now: DateTime<Utc>) -> Result<bool> {
    let mut tx = hub.pool.begin().await?;
    let before = sqlx::query_scalar!("SELECT time FROM pass_run WHERE name = 'rescue' FOR UPDATE")
        .fetch_optional(&mut *tx)
        .await?;
    sqlx::query!(
        "INSERT INTO pass_run (name, time) VALUES ('rescue', $1)
         ON CONFLICT (name) DO UPDATE SET time = greatest(pass_run.time, excluded.time)",
        now
    )
    .execute(&mut *tx)
    .await?;
    // builders renew after a third of a lease: what was good at the last pass cannot have run out within the other two
    let was_away = before.is_none_or(|before| now - before > hub.config.lease * 2 / 3);
    if was_away {
        sqlx::query!(
            "UPDATE task SET lease_expires_at = $1 WHERE state = 1 AND NOT coordinated AND lease_expires_at < $1",
            now + hub.config.lease
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(was_away)
}

/// When the pass will have something to do, if nothing is written until then. While a builder holds a task it does not sleep: see
/// [`note_run`]. Tasks that nobody holds wait for a builder, or for children: what was lost of theirs it has sent again while it was
/// awake, and looks for only now and then.
///
/// # Errors
/// When the database is away.
pub(crate) async fn due(hub: &Hub, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let left = sqlx::query!(
        r#"SELECT EXISTS (SELECT 1 FROM task WHERE state = 1 AND NOT coordinated) AS "held!",
               EXISTS (SELECT 1 FROM task WHERE state IN (0, 1, 4)) AS "waiting!""#
    )
    .fetch_one(&hub.pool)
    .await?;
    Ok(if left.held { Some(now) } else { left.waiting.then(|| now + NOW_AND_THEN) })
}

async fn free_lost(hub: &Hub, now: DateTime<Utc>) -> Result<usize> {
    let expired = sqlx::query_scalar!(
        "SELECT id FROM task WHERE state = 1 AND NOT coordinated AND lease_expires_at < $1 ORDER BY id LIMIT 1000",
        now
    )
    .fetch_all(&hub.pool)
    .await?;
    let mut count = 0;
    for task in expired {
        count += usize::from(free_one_lost(hub, TaskId(task), now).await?);
    }
    Ok(count)
}

async fn free_one_lost(hub: &Hub, task: TaskId, now: DateTime<Utc>) -> Result<bool> {
    let mut cx = Cx::internal(hub, now).await?;
    let row = sqlx::query!(
        r#"SELECT task.attempt, task.host_id, task.channel_id, task.arch, task.parent, task.method, host.name AS "host_name?"
           FROM task LEFT JOIN host ON host.id = task.host_id
           WHERE task.id = $1 AND state = 1 AND NOT coordinated AND lease_expires_at < $2 FOR UPDATE OF task"#,
        task.0,
        now
    )
    .fetch_optional(cx.db().await?)
    .await?;
    // renewed, ended or freed meanwhile
    let Some(row) = row else { return Ok(false) };
    let host = row.host_name.unwrap_or_default();
    sqlx::query!(
        "UPDATE task_run SET end_time = $3, outcome = 'lost' WHERE task_id = $1 AND attempt = $2 AND end_time IS NULL",
        task.0,
        row.attempt,
        now
    )
    .execute(cx.db().await?)
    .await?;
    // attempts that were handed back, or freed by an admin, do not speak against the task
    let lost = sqlx::query_scalar!(
        r#"SELECT count(*) AS "lost!" FROM task_run WHERE task_id = $1 AND outcome = 'lost'"#,
        task.0
    )
    .fetch_one(cx.db().await?)
    .await?;
    if lost >= hub.config.max_attempts.into() {
        tell::task_ended(&mut cx, &[task], |_| true, TaskState::Failed).await?;
        let message = format!("the builder was lost {lost} times, at last {host}; giving up");
        let fault = xmlrpc::encode_fault(FaultCode::Generic as i32, &message);
        sqlx::query!(
            "UPDATE task SET state = 5, result = $2, completion_time = $3, lease_expires_at = NULL, waiting = false WHERE id = $1",
            task.0,
            &*String::from_utf8_lossy(&fault),
            now
        )
        .execute(cx.db().await?)
        .await?;
        log::note(cx.db().await?, Some(task), row.host_id.map(HostId), "Builder lost too often: failed", now).await?;
        advance_parent(&mut cx, row.parent.map(TaskId));
    } else {
        tell::task_freed(&mut cx, &[task], |_| true, true).await?;
        sqlx::query!(
            "UPDATE task SET state = CASE WHEN method = ANY($3) THEN 4 ELSE 0 END,
                 host_id = CASE WHEN method = ANY($3) THEN host_id END, claim_id = NULL, lease_expires_at = NULL,
                 start_time = NULL, waiting = NULL, free_since = $2 WHERE id = $1",
            task.0,
            now,
            &PINNED.map(str::to_owned)
        )
        .execute(cx.db().await?)
        .await?;
        log::note(cx.db().await?, Some(task), row.host_id.map(HostId), "Builder lost: freed", now).await?;
        let pinned = row.host_id.map(HostId).filter(|_| PINNED.contains(&row.method.as_str()));
        ring(&mut cx, task, false, pinned, &Bin::new(row.channel_id.into(), &row.arch));
    }
    if let Some(id) = row.host_id {
        // should it only have been out of reach, it is to stop
        cx.post(QueueName::Host(HostId(id)), &HostOrder::Cancel { task_id: task, attempt: row.attempt });
        sqlx::query!("UPDATE host SET ready = false WHERE id = $1", id).execute(cx.db().await?).await?;
    }
    tracing::warn!(%task, attempt = row.attempt, host, "lease ran out");
    cx.commit().await?;
    Ok(true)
}

async fn free_unassigned(hub: &Hub, now: DateTime<Utc>) -> Result<usize> {
    // a transaction that does nothing would keep the passes awake
    let any = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM task WHERE state = 4 AND free_since < $1 AND NOT method = ANY($2)) AS "any!""#,
        now - ASSIGN_TIMEOUT,
        &PINNED.map(str::to_owned)
    )
    .fetch_one(&hub.pool)
    .await?;
    if !any {
        return Ok(0);
    }
    let mut cx = Cx::internal(hub, now).await?;
    let late = sqlx::query_scalar!(
        "SELECT id FROM task WHERE state = 4 AND free_since < $1 AND NOT method = ANY($2) FOR UPDATE",
        now - ASSIGN_TIMEOUT,
        &PINNED.map(str::to_owned)
    )
    .fetch_all(cx.db().await?)
    .await?;
    let told: Vec<TaskId> = late.iter().copied().map(TaskId).collect();
    tell::task_freed(&mut cx, &told, |_| true, false).await?;
    let rows = sqlx::query!(
        "WITH late AS (SELECT id, host_id FROM task WHERE id = ANY($1)), log AS (
             INSERT INTO scheduler_log_messages (task_id, host_id, msg_time, msg)
             SELECT id, host_id, $2, 'Not taken by its host in time: freed' FROM late)
         UPDATE task SET state = 0, host_id = NULL, free_since = $2 FROM late WHERE task.id = late.id
         RETURNING task.id, channel_id, arch",
        &late,
        now
    )
    .fetch_all(cx.db().await?)
    .await?;
    for row in &rows {
        ring(&mut cx, TaskId(row.id), false, None, &Bin::new(row.channel_id.into(), &row.arch));
    }
    cx.commit().await?;
    Ok(rows.len())
}

/// Rings for bins whose tasks have waited, where no bell is on its way.
async fn ring_again(hub: &Hub, now: DateTime<Utc>) -> Result<usize> {
    let bins = sqlx::query!(
        r#"SELECT channel_id, arch, count(*) AS "count!", min(id) AS "task!" FROM task
           WHERE state = 0 AND NOT coordinated AND free_since < $1 GROUP BY channel_id, arch"#,
        now - GRACE
    )
    .fetch_all(&hub.pool)
    .await?;
    let mut rung = 0;
    for row in bins {
        let bin = Bin::new(row.channel_id.into(), &row.arch);
        let queue = QueueName::Bin(bin.clone());
        let unavailable = |error: toji_protocol::queue::QueueError| crate::Error::Unavailable(error.into());
        let depth = hub.queues.depth(&queue).await.map_err(unavailable)?;
        let missing = row.count.min(MOST_BELLS) - depth;
        if missing > 0 {
            let bell = toji_protocol::queue::body(&Bell { bin, task: TaskId(row.task) });
            hub.queues.send(&queue, &vec![bell; missing as usize]).await.map_err(unavailable)?;
            rung += 1;
        }
    }
    Ok(rung)
}

/// Has the coordinator look again at parents that wait for nothing that lives, and at those that wait only for so long.
async fn advance_again(hub: &Hub, now: DateTime<Utc>) -> Result<usize> {
    let parents = sqlx::query_scalar!(
        "SELECT id FROM task WHERE coordinated AND state IN (0, 1) AND create_time < $1
             AND (method = $2 OR
                  NOT EXISTS (SELECT 1 FROM task child WHERE child.parent = task.id AND child.state IN (0, 1, 4)))
             AND NOT EXISTS (SELECT 1 FROM task child WHERE child.parent = task.id AND child.completion_time > $1)
         ORDER BY id LIMIT 500",
        now - GRACE,
        RestartHostsTask::METHOD
    )
    .fetch_all(&hub.pool)
    .await?;
    let bodies: Vec<String> =
        parents.iter().map(|id| toji_protocol::queue::body(&Advance { task: TaskId(*id) })).collect();
    if !bodies.is_empty() {
        let sent = hub.queues.send(&QueueName::Coordinator, &bodies).await;
        sent.map_err(|error| crate::Error::Unavailable(error.into()))?;
    }
    Ok(bodies.len())
}
