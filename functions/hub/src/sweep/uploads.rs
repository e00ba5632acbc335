//! Uploads that nobody will end any more, and files of attempts that did not count.
//!
//! Whoever uploads may die at any moment: a builder, a client, the hub itself between S3 and its own row. S3 keeps the parts, and
//! asks for money, until somebody gives the upload up. So S3 is asked what there is, not the rows.

use chrono::{DateTime, TimeDelta, Utc};
use toji_protocol::{id::TaskId, object_key};

use crate::{Hub, Result};

/// Nobody uploads for so long. What failed an attempt may be looked for meanwhile.
const LASTS: TimeDelta = TimeDelta::days(2);
/// Files of attempts that one pass deletes.
const BATCH: i64 = 1000;

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Uploads in parts given up.
    pub given_up: usize,
    /// Rows of uploads deleted.
    pub forgotten: usize,
    /// Files deleted of attempts that did not count.
    pub superseded: usize,
}

/// Runs the pass once. Safe to run twice at once.
///
/// # Errors
/// When something is away; what was done stands.
pub async fn run_once(hub: &Hub, now: DateTime<Utc>) -> Result<Swept> {
    let before = now - LASTS;
    Ok(Swept {
        given_up: give_up(hub, before).await?,
        forgotten: forget(hub, before).await?,
        superseded: delete_superseded(hub, before).await?,
    })
}

/// In S3, whatever they were to become.
async fn give_up(hub: &Hub, before: DateTime<Utc>) -> Result<usize> {
    let mut count = 0;
    for upload in hub.store.uploads("").await?.into_iter().filter(|upload| upload.begun < before) {
        hub.store.abort(&upload.key, &upload.id).await?;
        count += 1;
    }
    Ok(count)
}

/// The rows of such uploads. A client's pieces go before its row does, so that a crash in between loses no trace of them.
async fn forget(hub: &Hub, before: DateTime<Utc>) -> Result<usize> {
    let files =
        sqlx::query!("DELETE FROM task_file WHERE done_time IS NULL AND create_time < $1", before).execute(&hub.pool);
    let files = files.await?.rows_affected() as usize;
    let uploads = sqlx::query_scalar!("SELECT path FROM upload WHERE done_time IS NULL AND create_time < $1", before)
        .fetch_all(&hub.pool)
        .await?;
    for path in &uploads {
        hub.store.delete_prefix(&object_key::upload_pieces(path)).await?;
        // begun again meanwhile, it is younger
        sqlx::query!("DELETE FROM upload WHERE path = $1 AND done_time IS NULL AND create_time < $2", path, before)
            .execute(&hub.pool)
            .await?;
    }
    Ok(files + uploads.len())
}

/// Files of earlier attempts of which the last one has its own.
async fn delete_superseded(hub: &Hub, before: DateTime<Utc>) -> Result<usize> {
    let files = sqlx::query!(
        "SELECT old.task_id, old.attempt, old.name FROM task_file old
             JOIN task ON task.id = old.task_id AND task.completion_time < $1 AND old.attempt < task.attempt
             JOIN task_file new ON new.task_id = task.id AND new.attempt = task.attempt AND new.name = old.name
         WHERE old.moved_to IS NULL AND new.done_time IS NOT NULL LIMIT $2",
        before,
        BATCH
    )
    .fetch_all(&hub.pool)
    .await?;
    for file in &files {
        hub.store.delete(&object_key::attempt_file(TaskId(file.task_id), file.attempt, &file.name)).await?;
        sqlx::query!(
            "DELETE FROM task_file WHERE task_id = $1 AND attempt = $2 AND name = $3",
            file.task_id,
            file.attempt,
            file.name
        )
        .execute(&hub.pool)
        .await?;
    }
    Ok(files.len())
}
