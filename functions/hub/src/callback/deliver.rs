//! Telling: what was written down goes to its receivers.
//!
//! Of each receiver and key (a build, a tag, a task) only the first that waits is told; those after it wait for it. What is not taken
//! comes again, later each time. When a receiver is away all that waits for it waits, so that it is not asked for each message. A
//! crash between telling and noting it tells it again: a message has the same id each time.

use std::{collections::BTreeMap, time::Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use serde_json::json;
use toji_protocol::time::Time;

use super::{
    remote::{Endpoint, RemoteError, Sent},
    settings::Receiver,
    signature::signed,
    sql::{self, Due, Logged},
};
use crate::{Hub, Result};

/// What one statement takes.
const BATCH: i64 = 32;
/// Messages on their way to one receiver at once: all of different keys.
const AT_ONCE: usize = 8;
/// Longer than a batch can take: four times the longest delivery, and some.
const LEASE: TimeDelta = TimeDelta::seconds(90);
/// The next try comes after this, then after twice that, and so on …
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(2);
/// … up to this.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(5);
/// What nobody takes for so long is given up, as in protonmsg. It can still be told again from the log.
const GIVEN_UP: TimeDelta = TimeDelta::days(1);
/// EventBridge takes 256 KiB, its own words included. Only a content generator's description is longer: the message then goes without its
/// body, which `callback.log` has.
const LONGEST_ON_A_BUS: usize = 240_000;
/// A pass ends after this: what is left, the next one tells.
const PASS: TimeDelta = TimeDelta::seconds(45);

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Messages that were taken.
    pub told: usize,
    /// Messages that were not, and come again.
    pub failed: usize,
    /// Messages that were given up.
    pub dropped: usize,
}

/// Tells all that is due. Safe to run twice at once.
///
/// # Errors
/// When the database is away.
pub async fn run_once(hub: &Hub, now: DateTime<Utc>) -> Result<Delivered> {
    let begun = Instant::now();
    let mut delivered = Delivered::default();
    loop {
        let elapsed = TimeDelta::from_std(begun.elapsed()).unwrap_or(PASS);
        if elapsed >= PASS {
            return Ok(delivered);
        }
        let now = now + elapsed;
        let due = sql::take(&hub.pool, now, LEASE, BATCH).await?;
        if due.is_empty() {
            return Ok(delivered);
        }
        let mut by_receiver: BTreeMap<String, Vec<Due>> = BTreeMap::new();
        for one in due {
            by_receiver.entry(one.receiver.clone()).or_default().push(one);
        }
        for (name, due) in by_receiver {
            let done = tell_all(hub, &name, due, now).await?;
            delivered.told += done.told;
            delivered.failed += done.failed;
            delivered.dropped += done.dropped;
        }
    }
}

/// When the pass will have something to do, if nothing happens until then.
///
/// # Errors
/// When the database is away.
pub(crate) async fn due(hub: &Hub) -> Result<Option<DateTime<Utc>>> {
    let due = sqlx::query_scalar!("SELECT min(greatest(due_time, lease_expires_at)) FROM callback_delivery");
    Ok(due.fetch_one(&hub.pool).await?)
}

async fn tell_all(hub: &Hub, name: &str, mut due: Vec<Due>, now: DateTime<Utc>) -> Result<Delivered> {
    let settings = hub.config.callbacks.clone();
    let mut delivered = Delivered::default();
    let Some(receiver) = settings.receiver(name) else {
        tracing::error!(receiver = name, "the settings name no such receiver any more; what waits for it is dropped");
        let events: Vec<i64> = due.iter().map(|due| due.event.id).collect();
        sql::end(&hub.pool, name, &events).await?;
        return Ok(Delivered { dropped: events.len(), ..delivered });
    };
    while !due.is_empty() {
        let rest = due.split_off(due.len().min(AT_ONCE));
        let tells = due.into_iter().map(|due| {
            async move {
                let told = tell(hub, receiver, &due.event, now).await;
                (due, told)
            }
            .boxed()
        });
        let tells: Vec<BoxFuture<'_, (Due, std::result::Result<(), RemoteError>)>> = tells.collect();
        let told: Vec<_> = stream::iter(tells).buffer_unordered(AT_ONCE).collect().await;
        due = rest;
        let mut away: Option<DateTime<Utc>> = None;
        let mut ended = Vec::new();
        for (due, told) in told {
            match told {
                Ok(()) => {
                    delivered.told += 1;
                    ended.push(due.event.id);
                }
                Err(problem) if now - due.since > GIVEN_UP => {
                    tracing::error!(receiver = name, event = due.event.id, %problem, "given up");
                    delivered.dropped += 1;
                    ended.push(due.event.id);
                }
                Err(problem) => {
                    tracing::warn!(receiver = name, event = due.event.id, %problem, "not taken; it is told again");
                    delivered.failed += 1;
                    let next = now + pause(due.attempts);
                    sql::again(&hub.pool, name, due.event.id, next, &problem.to_string()).await?;
                    if matches!(problem, RemoteError::Away(_)) {
                        away = Some(away.map_or(next, |away| away.max(next)));
                    }
                }
            }
        }
        sql::end(&hub.pool, name, &ended).await?;
        if let Some(next) = away {
            let untried: Vec<i64> = due.iter().map(|due| due.event.id).collect();
            sql::postpone(&hub.pool, name, &untried, now, next).await?;
            break;
        }
    }
    Ok(delivered)
}

/// How long to wait after so many attempts.
fn pause(attempts: i32) -> TimeDelta {
    let doubled = u32::try_from(attempts - 1).unwrap_or_default().min(16);
    (FIRST_PAUSE * 2_i32.pow(doubled)).min(LONGEST_PAUSE)
}

async fn tell(
    hub: &Hub,
    receiver: &Receiver,
    event: &Logged,
    now: DateTime<Utc>,
) -> std::result::Result<(), RemoteError> {
    let mut body = json!({
        "id": event.id,
        "callback": event.callback,
        "address": event.address,
        "key": event.key,
        "time": Time(event.time),
        "props": event.props,
        "body": event.body,
    });
    let mut text = body.to_string();
    if matches!(receiver.endpoint, Endpoint::Bus(_)) && text.len() > LONGEST_ON_A_BUS {
        body["body"] = serde_json::Value::Null;
        text = body.to_string();
    }
    let headers = match receiver.endpoint {
        Endpoint::Url(_) => signed(&receiver.secrets, &format!("evt_{}", event.id), &text, now),
        Endpoint::Lambda(_) | Endpoint::Bus(_) => Vec::new(),
    };
    let sent = Sent { topic: event.address.clone(), body: text, headers };
    hub.config.remote.call(&receiver.endpoint, sent, receiver.limit).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let seconds: Vec<i64> = [1, 2, 3, 7, 8, 9, 100].map(|attempts| pause(attempts).num_seconds()).to_vec();
        assert_eq!(seconds, [2, 4, 8, 128, 256, 300, 300]);
    }
}
