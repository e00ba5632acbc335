//! What is left over: old receipts and sessions, and the copies of imports that came to nothing. Safe to run twice at once.

use chrono::{DateTime, TimeDelta, Utc};
use toji_protocol::{nvr::Nvr, object_key};

use crate::{Hub, Result, build::IMPORT_RUNS};

/// A client gives a retry up long before.
const RECEIPT_LASTS: TimeDelta = TimeDelta::days(1);
/// A session that was closed, or has expired and was not renewed.
const SESSION_LASTS: TimeDelta = TimeDelta::days(1);

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Receipts deleted.
    pub receipts: u64,
    /// Sessions deleted.
    pub sessions: u64,
    /// Imports whose copies were deleted.
    pub imports: usize,
}

/// Runs the pass once.
///
/// # Errors
/// When something is away; what was done stands.
pub async fn run_once(hub: &Hub, now: DateTime<Utc>) -> Result<Swept> {
    let receipts =
        sqlx::query!("DELETE FROM call_receipt WHERE create_time < $1", now - RECEIPT_LASTS).execute(&hub.pool).await?;
    // those below a session go in the pass before it
    let sessions = sqlx::query!(
        "DELETE FROM sessions WHERE (closed OR expired) AND update_time < $1
             AND NOT EXISTS (SELECT 1 FROM sessions below WHERE below.master = sessions.id)",
        now - SESSION_LASTS
    )
    .execute(&hub.pool)
    .await?;
    Ok(Swept {
        receipts: receipts.rows_affected(),
        sessions: sessions.rows_affected(),
        imports: sweep_imports(hub, now).await?,
    })
}

/// Deletes the copies of imports whose build has failed. Taking the row over first keeps the build's name from being used again
/// while its folder is being emptied.
async fn sweep_imports(hub: &Hub, now: DateTime<Utc>) -> Result<usize> {
    let taken = sqlx::query!(
        r#"UPDATE pending_import SET start_time = $2 FROM build, package
           WHERE build.id = build_id AND package.id = build.pkg_id AND pending_import.start_time < $1 AND build.state IN (3, 4)
           RETURNING build_id, package.name, build.version, build.release"#,
        now - IMPORT_RUNS,
        now
    )
    .fetch_all(&hub.pool)
    .await?;
    for row in &taken {
        let nvr =
            Nvr { name: row.name.clone(), version: row.version.clone(), release: row.release.clone(), epoch: None };
        hub.store.delete_prefix(&format!("{}/", object_key::build_dir(&nvr))).await?;
        sqlx::query!("DELETE FROM pending_import WHERE build_id = $1 AND start_time = $2", row.build_id, now)
            .execute(&hub.pool)
            .await?;
    }
    Ok(taken.len())
}
