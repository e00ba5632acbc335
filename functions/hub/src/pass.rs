//! The scheduled passes, and whether one is needed now.
//!
//! A pass that finds the activity marker lapsed (see [`activity`]) and nothing due does not touch Postgres: neither do
//! the connections that others hold. To keep it so, a pass begins a transaction only when it has something to change.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use toji_protocol::object_key;

use crate::{Hub, Result, activity, callback, outbox, repo, sign, sweep, task};

/// A pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Messages that a crash after the commit left behind.
    Outbox,
    /// What other programs have not been told.
    Events,
    /// Tasks whose builders are gone, bells and parents that were forgotten.
    Rescue,
    /// Repos that are wanted, and those that are not any more.
    Repos,
    /// Builds that are still to be signed.
    Sign,
    /// Rows and files that are left over.
    Sweep,
    /// Uploads that nobody ends.
    Uploads,
}

/// What became of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has run.
    Ran,
    /// There was nothing for it to do, and Postgres was not asked.
    Slept,
}

/// What a pass remembers in S3 when it may go to sleep.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Look {
    /// When it began to look.
    at: DateTime<Utc>,
    /// When it has something to do, if nothing is written until then; None = never.
    due: Option<DateTime<Utc>>,
}

impl Look {
    /// Whether it still tells all: nothing can have been written since, and nothing has become due.
    fn holds(&self, until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        let is_old = until.is_some_and(|until| until > self.at) || now - self.at > activity::LONGEST;
        !is_old && self.due.is_none_or(|due| due > now)
    }
}

impl Hub {
    /// Whether something may have been written lately, or it cannot be known.
    pub(crate) async fn is_awake(&self, now: DateTime<Utc>) -> bool {
        !self.config.sleeps || self.awake_until(now).await.is_some_and(|until| until > now)
    }

    async fn awake_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.activity.until(&self.store, now).await.unwrap_or_else(|error| {
            tracing::warn!(error, "the activity marker cannot be read");
            Some(now + activity::AHEAD)
        })
    }
}

impl Pass {
    /// Its name in schedules, logs and S3.
    pub fn name(self) -> &'static str {
        match self {
            Pass::Outbox => "outbox",
            Pass::Events => "events",
            Pass::Rescue => "rescue",
            Pass::Repos => "repos",
            Pass::Sign => "sign",
            Pass::Sweep => "sweep",
            Pass::Uploads => "uploads",
        }
    }

    /// Runs it once, unless it may sleep.
    ///
    /// # Errors
    /// When something is away; what was done stands.
    pub async fn run(self, hub: &Hub, now: DateTime<Utc>) -> Result<Outcome> {
        if !hub.config.sleeps {
            self.work(hub, now).await?;
            return Ok(Outcome::Ran);
        }
        let until = hub.awake_until(now).await;
        let is_awake = until.is_some_and(|until| until > now);
        if !is_awake && self.looked(hub).await.is_some_and(|look| look.holds(until, now)) {
            return Ok(Outcome::Slept);
        }
        self.work(hub, now).await?;
        if !is_awake {
            let look = Look { at: now, due: self.due(hub, now).await? };
            if let Err(error) = activity::write(&hub.store, &object_key::pass(self.name()), &look).await {
                tracing::warn!(pass = self.name(), error, "cannot go to sleep");
            }
        }
        Ok(Outcome::Ran)
    }

    async fn looked(self, hub: &Hub) -> Option<Look> {
        let look = activity::read(&hub.store, &object_key::pass(self.name())).await;
        look.unwrap_or_else(|error| {
            tracing::warn!(pass = self.name(), error, "what it has seen cannot be read");
            None
        })
    }

    async fn work(self, hub: &Hub, now: DateTime<Utc>) -> Result<()> {
        match self {
            Pass::Outbox => outbox::run_once(hub, now).await.map(drop),
            Pass::Events => callback::deliver::run_once(hub, now).await.map(drop),
            Pass::Rescue => task::rescue::run_once(hub, now).await.map(drop),
            Pass::Repos => repo::passes::run_once(hub, now).await.map(drop),
            Pass::Sign => sign::run_once(hub, now).await.map(drop),
            Pass::Sweep => sweep::run_once(hub, now).await.map(drop),
            Pass::Uploads => sweep::uploads::run_once(hub, now).await.map(drop),
        }
    }

    /// When it has something to do, if nothing is written until then.
    async fn due(self, hub: &Hub, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        match self {
            Pass::Outbox => outbox::due(hub, now).await,
            Pass::Events => callback::deliver::due(hub).await,
            Pass::Rescue => task::rescue::due(hub, now).await,
            Pass::Repos => repo::passes::due(hub, now).await,
            Pass::Sign => sign::due(hub).await,
            // what they delete has lain for days: once a day will do
            Pass::Sweep | Pass::Uploads => Ok(None),
        }
    }
}
