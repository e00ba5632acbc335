//! Notes of what was decided about tasks and hosts. Kept for a week.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use toji_protocol::id::{HostId, TaskId};

use crate::Result;

/// How long a note is kept.
const LASTS: TimeDelta = TimeDelta::days(7);

/// Notes what was decided about a task, a host, or both.
///
/// # Errors
/// When the database is away.
pub(crate) async fn note(
    conn: &mut PgConnection,
    task: Option<TaskId>,
    host: Option<HostId>,
    message: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO scheduler_log_messages (task_id, host_id, msg, msg_time) VALUES ($1, $2, $3, $4)",
        task.map(|id| id.0),
        host.map(|id| id.0),
        message,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes old notes; answers how many.
///
/// # Errors
/// When the database is away.
pub(crate) async fn sweep(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<u64> {
    let gone =
        sqlx::query!("DELETE FROM scheduler_log_messages WHERE msg_time < $1", now - LASTS).execute(conn).await?;
    Ok(gone.rows_affected())
}
