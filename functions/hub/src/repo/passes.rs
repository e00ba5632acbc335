//! What becomes of repos: their end events, expiry, deletion; and requests that nobody has served.
//!
//! A page at a time, a few statements for each, the oldest first. Safe to run twice at once. A pass ends well before the 15 minutes that
//! a function has; what it leaves, the next one finds.

mod delete;
pub(super) mod ended;
mod expire;
mod init;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::{auto, data, request};
use crate::{
    Hub, Result,
    call::{Cx, retry_deadlocks},
};

/// A pass begins nothing more after this.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// How much time a pass has, and what time it is meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    began: Instant,
    from: DateTime<Utc>,
    lasts: Duration,
}

impl Budget {
    /// A pass that begins now.
    pub fn new(now: DateTime<Utc>) -> Self {
        Self { began: Instant::now(), from: now, lasts: LONGEST }
    }

    /// The same, of another length.
    pub fn lasting(self, lasts: Duration) -> Self {
        Self { lasts, ..self }
    }

    pub(super) fn now(self) -> DateTime<Utc> {
        self.from + self.began.elapsed()
    }

    pub(super) fn is_spent(self) -> bool {
        self.began.elapsed() >= self.lasts
    }
}

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Repos that are no longer current.
    pub ended: usize,
    /// Repos given up.
    pub problems: usize,
    /// Repos asked for, of tags that want them by themselves.
    pub requested: usize,
    /// Repos expired.
    pub expired: usize,
    /// Repos deleted, with their files.
    pub deleted: usize,
}

/// Runs the pass once.
///
/// # Errors
/// When something is away; what was done stands.
pub async fn run_once(hub: &Hub, now: DateTime<Utc>) -> Result<Passed> {
    run_within(hub, Budget::new(now)).await
}

/// The same, for as long as it may take.
///
/// # Errors
/// When something is away; what was done stands.
pub async fn run_within(hub: &Hub, budget: Budget) -> Result<Passed> {
    // what somebody waits for first, what only makes room last
    let problems = init::run(hub, budget.now()).await?;
    let requested = auto::request_all(hub, budget).await?;
    serve(hub, budget.now()).await?;
    let ended = ended::run(hub, budget).await?;
    let expired = expire::run(hub, budget).await?;
    let deleted = delete::run(hub, budget).await?;
    data::sweep(hub, budget).await?;
    request::clean(&mut *hub.pool.acquire().await?, budget.now()).await?;
    Ok(Passed { ended, problems, requested, expired, deleted })
}

/// Serves requests, if any can be: a transaction that does nothing would keep the passes awake.
async fn serve(hub: &Hub, now: DateTime<Utc>) -> Result<()> {
    let config = &hub.config;
    if !request::is_served(&mut *hub.pool.acquire().await?, config.repo_retries, config.max_repo_tasks).await? {
        return Ok(());
    }
    let served = retry_deadlocks(|| async move {
        let mut cx = Cx::internal(hub, now).await?;
        request::check_queue(&mut cx).await?;
        cx.commit().await
    });
    served.await
}

/// When the pass will have something to do, if nothing changes until then.
///
/// # Errors
/// When the database is away.
pub async fn due(hub: &Hub, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let mut conn = hub.pool.acquire().await?;
    let begun =
        sqlx::query_scalar!("SELECT min(creation_time) FROM repo WHERE state = 0").fetch_one(&mut *conn).await?;
    let times = [
        begun.map(|time| (time + init::GRACE).max(now)),
        auto::due(&mut conn, hub, now).await?,
        expire::due(&mut conn, hub).await?,
        delete::due(&mut conn, hub).await?,
        data::due(&mut conn).await?,
    ];
    Ok(times.into_iter().flatten().min())
}
