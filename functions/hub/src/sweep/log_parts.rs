//! The numbered parts of live logs, when the logs themselves are there.
//!
//! The last part says how long each log is. If all are there in that length, the parts go, but for the last one, which becomes the
//! first: who watches such a task is still told that it has ended. An attempt that died before it closed its logs keeps its parts:
//! they are its logs.

use chrono::{DateTime, TimeDelta, Utc};
use toji_protocol::{id::TaskId, log_part, object_key};

use crate::{Hub, Result, task::output};

/// Those who watch have come to the end long before.
const LASTS: TimeDelta = TimeDelta::days(1);
/// Attempts that one pass looks at.
const BATCH: i64 = 200;

/// Deletes some. Answers how many parts went.
pub(super) async fn sweep(hub: &Hub, now: DateTime<Utc>) -> Result<u64> {
    let runs = sqlx::query!(
        "SELECT task_id, attempt FROM task_run WHERE NOT log_parts_swept AND end_time < $1 ORDER BY end_time LIMIT $2",
        now - LASTS,
        BATCH
    )
    .fetch_all(&hub.pool)
    .await?;
    let mut parts = 0;
    for run in runs {
        parts += remove(hub, TaskId(run.task_id), run.attempt).await?;
        sqlx::query!(
            "UPDATE task_run SET log_parts_swept = true WHERE task_id = $1 AND attempt = $2",
            run.task_id,
            run.attempt
        )
        .execute(&hub.pool)
        .await?;
    }
    Ok(parts)
}

/// Run again after a crash, it finds the same last part.
async fn remove(hub: &Hub, task: TaskId, attempt: i32) -> Result<u64> {
    let parts = hub.store.list(&object_key::log_part_prefix(task, attempt)).await?;
    let Some(last) = parts.last() else { return Ok(0) };
    let last = hub.store.get(&last.key).await?;
    if !is_superfluous(hub, task, attempt, &last).await? {
        return Ok(0);
    }
    let first = object_key::log_part(task, attempt, 1);
    hub.store.put(&first, last, "application/octet-stream").await?;
    let others: Vec<String> = parts.into_iter().map(|part| part.key).filter(|key| *key != first).collect();
    hub.store.delete_all(&others).await?;
    Ok(others.len() as u64)
}

/// Whether this is an attempt's last part, and each log that it names is there.
async fn is_superfluous(hub: &Hub, task: TaskId, attempt: i32, last: &[u8]) -> Result<bool> {
    let Ok(last) = log_part::decode(last) else { return Ok(false) };
    if !last.is_last {
        return Ok(false);
    }
    let files = output::files_of_attempt(&mut *hub.pool.acquire().await?, task, attempt).await?;
    let is_there = |head: &log_part::PieceHead| {
        let size = i64::try_from(head.offset + head.len).ok();
        files.iter().any(|file| file.name == head.name && Some(file.text_size()) == size)
    };
    Ok(last.pieces.iter().all(|(head, _)| is_there(head)))
}
