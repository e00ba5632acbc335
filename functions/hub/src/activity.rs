//! Whether anything may have been written lately: so that passes leave a database alone that could sleep.
//!
//! A marker in S3 says until when the system counts as awake. Whoever is to write sees to it, before the transaction begins, that it
//! reaches [`AHEAD`] into the future; it is set further, and remembered in the process, so that it is seldom written. A pass that finds
//! the marker lapsed looks once more at all that it is for, and notes when it looked and when it will be needed next
//! ([`pass`](crate::pass)). It sleeps while that time has not come and the marker has not moved since.
//!
//! Why nothing is missed: what is committed at some time was begun with a marker that reached beyond it. A pass sleeps only if it began to
//! look after the marker had lapsed, so it has seen all of it. Clocks may differ, and transactions last, by less than [`AHEAD`] together.
//!
//! - A writer that dies before its commit has kept the passes awake for nothing.
//! - A marker that cannot be written does not stop the writer: the write goes on, and the next one tries again. Passes cannot
//!   read S3 then either, and do not sleep. Should they have been able to, what was written is seen after [`LONGEST`] at the latest.
//! - Two writers whose clocks differ may set the marker back, by as much.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use toji_protocol::object_key;
use toji_store::{Store, StoreError};

/// So far the marker reaches at least when a transaction begins.
pub const AHEAD: TimeDelta = TimeDelta::minutes(3);
/// So far it is set.
const AWAKE: TimeDelta = TimeDelta::minutes(8);
/// No pass sleeps longer.
pub const LONGEST: TimeDelta = TimeDelta::days(1);
/// S3 gets this long.
const PATIENCE: Duration = Duration::from_secs(2);
/// When it could not be written, the next try comes after this.
const PAUSE: TimeDelta = TimeDelta::seconds(10);

/// What the process remembers of the marker.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// The marker reaches to here, in seconds.
    until: AtomicI64,
    /// Not to be tried before.
    paused: AtomicI64,
}

/// The marker.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    until: DateTime<Utc>,
}

impl Activity {
    /// Sees to it that the marker reaches far enough. Never within a transaction: S3 may take its time.
    pub(crate) async fn reach(&self, store: &Store, now: DateTime<Utc>) {
        let seconds = now.timestamp();
        if self.until.load(Ordering::Relaxed) >= seconds + AHEAD.num_seconds()
            || seconds < self.paused.load(Ordering::Relaxed)
        {
            return;
        }
        let until = now + AWAKE;
        match write(store, &object_key::activity(), &Marker { until }).await {
            Ok(()) => self.until.store(until.timestamp(), Ordering::Relaxed),
            Err(error) => {
                tracing::warn!(
                    error,
                    "the activity marker cannot be written: passes may take what is written now for old"
                );
                self.paused.store((now + PAUSE).timestamp(), Ordering::Relaxed);
            }
        }
    }

    /// Until when the system counts as awake. None = nothing has been written yet.
    pub(crate) async fn until(&self, store: &Store, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, String> {
        let known = DateTime::from_timestamp(self.until.load(Ordering::Relaxed), 0);
        match known.filter(|until| *until > now) {
            Some(until) => Ok(Some(until)),
            None => Ok(read::<Marker>(store, &object_key::activity()).await?.map(|marker| marker.until)),
        }
    }
}

/// Reads a small object. None when there is none.
pub(crate) async fn read<T: DeserializeOwned>(store: &Store, key: &str) -> Result<Option<T>, String> {
    let got = tokio::time::timeout(PATIENCE, store.get(key)).await;
    match got.map_err(|_| format!("{key}: S3 does not answer"))? {
        Ok(body) => serde_json::from_slice(&body).map(Some).map_err(|error| format!("{key}: {error}")),
        Err(StoreError::Missing(_)) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// Writes a small object.
pub(crate) async fn write<T: Serialize>(store: &Store, key: &str, value: &T) -> Result<(), String> {
    let body = serde_json::to_vec(value).map_err(|error| error.to_string())?;
    let put = tokio::time::timeout(PATIENCE, store.put(key, body, "application/json")).await;
    put.map_err(|_| format!("{key}: S3 does not answer"))?.map_err(|error| error.to_string())
}
