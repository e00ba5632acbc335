//! What is left over: old receipts, sessions and reservations, scratch builds of years ago, parts of logs that are closed, and the files
//! of imports, deletions and promotions that were cut off.
//!
//! Koji's `koji-sweep-db`, as a pass. Safe to run twice at once; what it leaves for lack of time the next one finds.

mod log_parts;
mod scratch;
pub mod uploads;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Hub, Result, build, callback, session::RENEWAL};

/// A client gives a retry up long before.
const RECEIPT_LASTS: TimeDelta = TimeDelta::days(1);
/// A session that nobody may use any more: it was closed, or has expired and was not renewed.
const SESSION_LASTS: TimeDelta = TimeDelta::days(1);
/// A content generator imports what it has reserved, or gives it back, long before.
const RESERVATION_LASTS: TimeDelta = TimeDelta::days(1);

/// What the scheduler has said of tasks and hosts.
const LOG_LASTS: TimeDelta = TimeDelta::days(7);

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Receipts deleted.
    pub receipts: u64,
    /// Sessions deleted.
    pub sessions: u64,
    /// Tasks of old scratch builds deleted.
    pub scratch_tasks: u64,
    /// Parts of live logs deleted.
    pub log_parts: u64,
    /// Reservations of builds deleted.
    pub reservations: u64,
    /// Messages of the scheduler deleted.
    pub log_messages: u64,
    /// Messages deleted that other programs were told long ago.
    pub callbacks: u64,
    /// Builds whose files an import, a deletion or a promotion has left in between.
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
        "DELETE FROM sessions
         WHERE (closed OR expired OR coalesce(renew_time, start_time) < $2) AND update_time < $1
             AND NOT EXISTS (SELECT 1 FROM sessions below WHERE below.master = sessions.id)",
        now - SESSION_LASTS,
        now - SESSION_LASTS - RENEWAL
    )
    .execute(&hub.pool)
    .await?;
    let reservations = sqlx::query!("DELETE FROM build_reservations WHERE create_time < $1", now - RESERVATION_LASTS)
        .execute(&hub.pool)
        .await?;
    let log_messages = sqlx::query!("DELETE FROM scheduler_log_messages WHERE msg_time < $1", now - LOG_LASTS)
        .execute(&hub.pool)
        .await?;
    Ok(Swept {
        receipts: receipts.rows_affected(),
        sessions: sessions.rows_affected(),
        scratch_tasks: scratch::sweep(hub, now).await?,
        log_parts: log_parts::sweep(hub, now).await?,
        reservations: reservations.rows_affected(),
        log_messages: log_messages.rows_affected(),
        callbacks: callback::sweep(&hub.pool, now - hub.config.callbacks.keep).await?,
        imports: build::sweep_leftovers(hub, now).await?,
    })
}
