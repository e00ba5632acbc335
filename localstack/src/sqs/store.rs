//! All queues, in memory and as a journal of events; and the clock that moves messages.
//!
//! Every change is events: written to the journal, then applied, under one lock. The passing of time is no event: a
//! message says until when it is hidden, and memory after a restart follows from that.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::attributes::{Map, Settings};
use super::error::{Refusal, Result};
use super::message::{Message, Place};
use super::queue::{Number, Queue};
use crate::clock::{Millis, now};
use crate::journal::{DirectoryLock, Journal};

/// A change.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event")]
pub(super) enum Event {
    Made {
        queue: String,
        at: Millis,
        settings: Settings,
        tags: Map,
    },
    Set {
        queue: String,
        at: Millis,
        settings: Settings,
    },
    Tagged {
        queue: String,
        tags: Map,
    },
    Removed {
        queue: String,
    },
    Purged {
        queue: String,
    },
    Sent {
        queue: String,
        number: Number,
        message: Message,
    },
    Received {
        queue: String,
        number: Number,
        at: Millis,
        until: Millis,
        receipt: u64,
    },
    /// Put back, to be received at once.
    Released {
        queue: String,
        number: Number,
    },
    Hidden {
        queue: String,
        number: Number,
        since: Millis,
        until: Millis,
    },
    Deleted {
        queue: String,
        number: Number,
    },
    /// To the dead-letter queue.
    Moved {
        queue: String,
        number: Number,
        to: String,
        as_number: Number,
    },
}

/// The queues by name.
#[derive(Debug, Default)]
pub(super) struct Queues {
    pub(super) by_name: BTreeMap<String, Queue>,
    /// The next message's number.
    pub(super) next: Number,
}

impl Queues {
    /// The queue, or `QueueDoesNotExist`.
    pub(super) fn get(&self, name: &str) -> Result<&Queue> {
        self.by_name.get(name).ok_or_else(Refusal::queue_does_not_exist)
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Made { queue, at, settings, tags } => {
                self.by_name.entry(queue).or_insert_with(|| Queue::new(settings, tags, at));
            }
            Event::Removed { queue } => {
                if let Some(queue) = self.by_name.remove(&queue) {
                    queue.arrivals.notify_waiters();
                }
            }
            Event::Moved { queue, number, to, as_number } => {
                self.next = self.next.max(as_number + 1);
                let moved = self.by_name.get_mut(&queue).and_then(|queue| queue.remove(number));
                if let (Some(mut message), Some(target)) = (moved, self.by_name.get_mut(&to)) {
                    message.place = Place::Ready;
                    target.insert(as_number, message);
                }
            }
            Event::Sent { queue, number, message } => {
                self.next = self.next.max(number + 1);
                if let Some(queue) = self.by_name.get_mut(&queue) {
                    queue.insert(number, message);
                }
            }
            Event::Set { queue, at, settings } => self.with(&queue, |queue| {
                queue.settings = settings;
                queue.changed = at;
            }),
            Event::Tagged { queue, tags } => self.with(&queue, |queue| queue.tags = tags),
            Event::Purged { queue } => self.with(&queue, Queue::purge),
            Event::Deleted { queue, number } => self.with(&queue, |queue| {
                queue.remove(number);
            }),
            Event::Released { queue, number } => self.with(&queue, |queue| {
                queue.place(number, Place::Ready, |_| ());
            }),
            Event::Hidden { queue, number, since, until } => self.with(&queue, |queue| {
                queue.place(number, Place::InFlight { since, until }, |_| ());
            }),
            Event::Received { queue, number, at, until, receipt } => self.with(&queue, |queue| {
                queue.place(number, Place::InFlight { since: at, until }, |message| {
                    message.receives += 1;
                    message.first_received.get_or_insert(at);
                    message.receipt = receipt;
                });
            }),
        }
    }

    fn with(&mut self, queue: &str, change: impl FnOnce(&mut Queue)) {
        if let Some(queue) = self.by_name.get_mut(queue) {
            change(queue);
        }
    }

    /// The fewest events that lead here.
    fn events(&self) -> Vec<Event> {
        let mut events = Vec::with_capacity(self.count());
        for (name, queue) in &self.by_name {
            events.push(Event::Made {
                queue: name.clone(),
                at: queue.made,
                settings: queue.settings.clone(),
                tags: queue.tags.clone(),
            });
            if queue.changed != queue.made {
                events.push(Event::Set { queue: name.clone(), at: queue.changed, settings: queue.settings.clone() });
            }
            events.extend(queue.messages().map(|(number, message)| Event::Sent {
                queue: name.clone(),
                number,
                message: message.clone(),
            }));
        }
        events
    }

    fn count(&self) -> usize {
        self.by_name.values().map(|queue| 2 + queue.len()).sum()
    }

    fn pass_time(&mut self, now: Millis) {
        for queue in self.by_name.values_mut() {
            queue.pass_time(now);
        }
    }

    fn next_timer(&self) -> Millis {
        let timers = self.by_name.values().filter_map(Queue::next_timer);
        timers.min().unwrap_or(Millis::MAX)
    }
}

/// The queues of one server, shared by its requests.
#[derive(Debug)]
pub(super) struct Store {
    inner: Mutex<Inner>,
    /// Says that a timer is now earlier than the one the clock sleeps for.
    earlier: Notify,
    _lock: DirectoryLock,
}

#[derive(Debug)]
struct Inner {
    queues: Queues,
    journal: Journal<Event>,
    /// What [`Store::run_clock`] sleeps for.
    asleep_until: Millis,
}

impl Store {
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let lock = DirectoryLock::take(dir)?;
        let mut queues = Queues::default();
        let journal = Journal::open(&dir.join("journal"), |event| queues.apply(event))?;
        let inner = Inner { queues, journal, asleep_until: Millis::MAX };
        Ok(Self { inner: Mutex::new(inner), earlier: Notify::new(), _lock: lock })
    }

    /// Looks at the queues as they are at `now`.
    pub(super) fn read<R>(&self, now: Millis, look: impl FnOnce(&Queues) -> Result<R>) -> Result<R> {
        let mut inner = self.lock();
        inner.queues.pass_time(now);
        look(&inner.queues)
    }

    /// Looks at the queues as they are at `now` and says how they change, in one step; the change is in the journal when
    /// this returns.
    pub(super) fn change<R>(&self, now: Millis, decide: impl FnOnce(&Queues) -> Result<(Vec<Event>, R)>) -> Result<R> {
        let mut inner = self.lock();
        let Inner { queues, journal, asleep_until } = &mut *inner;
        queues.pass_time(now);
        let (events, answer) = decide(queues)?;
        if events.is_empty() {
            return Ok(answer);
        }
        journal.append(&events).map_err(|error| Refusal::internal(&error))?;
        for event in events {
            queues.apply(event);
        }
        if queues.next_timer() < *asleep_until {
            self.earlier.notify_one();
        }
        if journal.is_mostly_history(queues.count())
            && let Err(error) = journal.rewrite(queues.events())
        {
            tracing::warn!(%error, "cannot shorten the journal; it stays whole");
        }
        Ok(answer)
    }

    /// Makes messages ready when their time has come, for as long as it is polled: somebody may be waiting for them.
    pub(super) async fn run_clock(&self) {
        loop {
            let now = now();
            let next = {
                let mut inner = self.lock();
                inner.queues.pass_time(now);
                inner.asleep_until = inner.queues.next_timer();
                inner.asleep_until
            };
            // A clock that was set must not stop the queues for long.
            let sleep = u64::try_from(next.saturating_sub(now)).unwrap_or(0).min(60_000);
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(sleep)) => {}
                () = self.earlier.notified() => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
