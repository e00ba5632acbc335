//! The parts of an attempt, read once for all who watch it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use toji_protocol::{id::TaskId, object_key};
use toji_store::{Store, StoreError};
use tokio::time::{Instant, sleep};

use crate::event::Position;

/// How often S3 is asked for the part that comes next: a builder sends one a second at most.
const LOOK: Duration = Duration::from_millis(300);
/// How often, after a while without any.
const LOOK_WHEN_QUIET: Duration = Duration::from_secs(1);
const QUIET: Duration = Duration::from_secs(30);
/// How often it is asked whether another builder has begun anew.
const LOOK_FOR_ATTEMPTS: Duration = Duration::from_secs(5);
/// So many attempts may in a row have died before their first line.
const SILENT_ATTEMPTS: i32 = 4;
/// What is kept of the newest parts of an attempt, in bytes; older ones are read again by who wants them.
const KEPT: usize = 8 << 20;

/// The readers of attempts, as long as anybody has them.
type Watched = HashMap<(TaskId, i32), Weak<Tail>>;

/// The attempts that are being watched.
#[derive(Clone)]
pub(crate) struct Tails {
    store: Store,
    watched: Arc<Mutex<Watched>>,
}

impl Tails {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, watched: Arc::default() }
    }

    /// The reader of an attempt: the one that is there, or a new one.
    pub(crate) fn of(&self, task: TaskId, attempt: i32) -> Arc<Tail> {
        let mut watched = locked(&self.watched);
        if let Some(tail) = watched.get(&(task, attempt)).and_then(Weak::upgrade) {
            return tail;
        }
        watched.retain(|_, tail| tail.strong_count() > 0);
        let tail = Arc::new(Tail {
            store: self.store.clone(),
            task,
            attempt,
            turn: tokio::sync::Mutex::default(),
            known: Mutex::default(),
        });
        watched.insert((task, attempt), Arc::downgrade(&tail));
        tail
    }

    /// Whether the part that a position is in is there.
    ///
    /// # Errors
    /// When S3 is away.
    pub(crate) async fn has(&self, task: TaskId, at: Position) -> Result<bool, StoreError> {
        Ok(self.store.head(&object_key::log_part(task, at.attempt, at.part)).await?.is_some())
    }

    /// The newest attempt after this one that has said something.
    ///
    /// # Errors
    /// When S3 is away.
    pub(crate) async fn newer(&self, task: TaskId, attempt: i32) -> Result<Option<i32>, StoreError> {
        newer(&self.store, task, attempt).await
    }
}

async fn newer(store: &Store, task: TaskId, attempt: i32) -> Result<Option<i32>, StoreError> {
    let mut newest = None;
    let mut next = attempt + 1;
    while next <= newest.unwrap_or(attempt) + SILENT_ATTEMPTS {
        if store.head(&object_key::log_part(task, next, 1)).await?.is_some() {
            newest = Some(next);
        }
        next += 1;
    }
    Ok(newest)
}

/// What comes next in an attempt.
pub(crate) enum Next {
    /// The part that was waited for.
    Part(Bytes),
    /// Nothing: this attempt has said something since.
    Attempt(i32),
}

/// The parts of one attempt.
pub(crate) struct Tail {
    store: Store,
    task: TaskId,
    attempt: i32,
    /// Who holds it asks S3 for the next part; the others wait for what it finds. When it leaves, another takes its turn.
    turn: tokio::sync::Mutex<Looks>,
    known: Mutex<Known>,
}

struct Looks {
    last_part: Instant,
    attempts: Instant,
}

impl Default for Looks {
    fn default() -> Self {
        Self { last_part: Instant::now(), attempts: Instant::now() }
    }
}

#[derive(Default)]
struct Known {
    /// The number of the newest part.
    newest: u32,
    /// The newest parts, in order.
    kept: VecDeque<Bytes>,
    size: usize,
    /// A newer attempt.
    newer: Option<i32>,
}

impl Known {
    fn part(&self, number: u32) -> Option<Bytes> {
        let oldest = self.newest + 1 - self.kept.len() as u32;
        self.kept.get(number.checked_sub(oldest)? as usize).cloned()
    }

    fn keep(&mut self, number: u32, part: Bytes) {
        if number != self.newest + 1 {
            // a watcher who has come back to the middle is the first: what it reads begins the row
            self.kept.clear();
            self.size = 0;
        }
        self.newest = number;
        self.size += part.len();
        self.kept.push_back(part);
        while self.size > KEPT && self.kept.len() > 1 {
            self.size -= self.kept.pop_front().map_or(0, |part| part.len());
        }
    }
}

impl Tail {
    /// Waits for the part with this number, which comes after those that the caller has had.
    ///
    /// # Errors
    /// When S3 is away.
    pub(crate) async fn next(&self, number: u32) -> Result<Next, StoreError> {
        let key = object_key::log_part(self.task, self.attempt, number);
        if let Some(found) = self.known(number) {
            return Ok(found);
        }
        if number <= locked(&self.known).newest {
            // it is there, and long ago; nobody else need wait for it
            return self.store.get(&key).await.map(Next::Part);
        }
        let mut looks = self.turn.lock().await;
        loop {
            if let Some(found) = self.known(number) {
                return Ok(found);
            }
            match self.store.get(&key).await {
                Ok(part) => {
                    looks.last_part = Instant::now();
                    let mut known = locked(&self.known);
                    if number > known.newest {
                        known.keep(number, part.clone());
                    }
                    return Ok(Next::Part(part));
                }
                Err(StoreError::Missing(_)) => {}
                Err(error) => return Err(error),
            }
            if looks.attempts.elapsed() >= LOOK_FOR_ATTEMPTS {
                looks.attempts = Instant::now();
                let newer = newer(&self.store, self.task, self.attempt).await?;
                locked(&self.known).newer = newer;
            }
            let is_quiet = looks.last_part.elapsed() > QUIET;
            sleep(if is_quiet { LOOK_WHEN_QUIET } else { LOOK }).await;
        }
    }

    fn known(&self, number: u32) -> Option<Next> {
        let known = locked(&self.known);
        let part = known.part(number).map(Next::Part);
        // what the old attempt had still to say is told before
        part.or_else(|| known.newer.filter(|_| number > known.newest).map(Next::Attempt))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_parts_are_kept() {
        let part = |byte: u8| Bytes::from(vec![byte; KEPT / 2]);
        let mut known = Known::default();
        assert_eq!(known.part(1), None);
        for number in 1..=3 {
            known.keep(number, part(number as u8));
        }
        assert_eq!(known.part(1), None);
        assert_eq!(known.part(2), Some(part(2)));
        assert_eq!(known.part(3), Some(part(3)));
        assert_eq!(known.part(4), None);
        // one that is too large for all of it is kept alone
        known.keep(4, Bytes::from(vec![4; 2 * KEPT]));
        assert_eq!((known.kept.len(), known.part(4).map(|part| part.len())), (1, Some(2 * KEPT)));
    }

    #[test]
    fn one_that_begins_in_the_middle() {
        let mut known = Known::default();
        known.keep(7, Bytes::from_static(b"x"));
        assert_eq!((known.part(6), known.part(7), known.part(8)), (None, Some(Bytes::from_static(b"x")), None));
    }
}
