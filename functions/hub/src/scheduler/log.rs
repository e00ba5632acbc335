//! Notes of what was decided about tasks and hosts. Kept for a week: see `crate::sweep`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::id::{HostId, TaskId};

use crate::Result;

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
