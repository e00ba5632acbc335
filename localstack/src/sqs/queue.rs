//! A queue and what happens to the messages in it. No clock and no I/O: the time is a parameter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::Notify;

use super::attributes::{Map, Settings};
use super::message::{Message, Place};
use crate::clock::Millis;

/// A message's number: unique on this server, in the order of sending.
pub(super) type Number = u64;

/// A standard queue.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) settings: Settings,
    pub(super) tags: Map,
    pub(super) made: Millis,
    pub(super) changed: Millis,
    messages: BTreeMap<Number, Message>,
    ready: BTreeSet<Number>,
    /// When the clock moves which message.
    timers: BTreeSet<(Millis, Number)>,
    delayed: usize,
    /// One waiting receiver is woken for each message that becomes ready.
    pub(super) arrivals: Arc<Notify>,
}

/// How many messages are where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) ready: usize,
    pub(super) in_flight: usize,
    pub(super) delayed: usize,
}

impl Queue {
    pub(super) fn new(settings: Settings, tags: Map, made: Millis) -> Self {
        Self {
            settings,
            tags,
            made,
            changed: made,
            messages: BTreeMap::new(),
            ready: BTreeSet::new(),
            timers: BTreeSet::new(),
            delayed: 0,
            arrivals: Arc::new(Notify::new()),
        }
    }

    pub(super) fn get(&self, number: Number) -> Option<&Message> {
        self.messages.get(&number)
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = (Number, &Message)> {
        self.messages.iter().map(|(number, message)| (*number, message))
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// The messages that a receiver may take, oldest first.
    pub(super) fn ready(&self) -> impl Iterator<Item = (Number, &Message)> {
        self.ready.iter().filter_map(|number| Some((*number, self.messages.get(number)?)))
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            ready: self.ready.len(),
            in_flight: self.messages.len() - self.ready.len() - self.delayed,
            delayed: self.delayed,
        }
    }

    /// When the clock has something to do next.
    pub(super) fn next_timer(&self) -> Option<Millis> {
        self.timers.first().map(|(at, _)| *at)
    }

    pub(super) fn insert(&mut self, number: Number, message: Message) {
        let place = message.place;
        self.messages.insert(number, message);
        self.enter(number, place);
    }

    pub(super) fn remove(&mut self, number: Number) -> Option<Message> {
        let message = self.messages.remove(&number)?;
        self.leave(number, message.place);
        Some(message)
    }

    /// Moves a message, and lets `note` write down more about it.
    pub(super) fn place(&mut self, number: Number, place: Place, note: impl FnOnce(&mut Message)) {
        let Some(message) = self.messages.get_mut(&number) else {
            return;
        };
        let old = std::mem::replace(&mut message.place, place);
        note(message);
        self.leave(number, old);
        self.enter(number, place);
    }

    pub(super) fn purge(&mut self) {
        self.messages.clear();
        self.ready.clear();
        self.timers.clear();
        self.delayed = 0;
    }

    /// Does what the clock does: what was delayed or in flight until now becomes ready, what is too old goes.
    pub(super) fn pass_time(&mut self, now: Millis) {
        while let Some((at, number)) = self.timers.first().copied()
            && at <= now
        {
            self.place(number, Place::Ready, |_| ());
        }
        while let Some((number, message)) = self.messages.first_key_value()
            && self.is_too_old(message, now)
        {
            let number = *number;
            self.remove(number);
        }
    }

    pub(super) fn is_too_old(&self, message: &Message, now: Millis) -> bool {
        message.sent + Millis::from(self.settings.retention_seconds()) * 1000 <= now
    }

    fn enter(&mut self, number: Number, place: Place) {
        match place {
            Place::Ready => {
                self.ready.insert(number);
                self.arrivals.notify_one();
            }
            Place::Delayed { until } => {
                self.delayed += 1;
                self.timers.insert((until, number));
            }
            Place::InFlight { until, .. } => {
                self.timers.insert((until, number));
            }
        }
    }

    fn leave(&mut self, number: Number, place: Place) {
        match place {
            Place::Ready => {
                self.ready.remove(&number);
            }
            Place::Delayed { until } => {
                self.delayed -= 1;
                self.timers.remove(&(until, number));
            }
            Place::InFlight { until, .. } => {
                self.timers.remove(&(until, number));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sent: Millis, place: Place) -> Message {
        Message {
            id: "m".into(),
            body: "b".into(),
            attributes: BTreeMap::new(),
            sender: "k".into(),
            sent,
            place,
            receives: 0,
            first_received: None,
            receipt: 0,
        }
    }

    fn counts(queue: &Queue) -> (usize, usize, usize) {
        let Counts { ready, in_flight, delayed } = queue.counts();
        (ready, in_flight, delayed)
    }

    #[test]
    fn the_clock_moves_messages() {
        let mut queue = Queue::new(Settings::default(), Map::new(), 0);
        queue.insert(1, message(0, Place::Ready));
        queue.insert(2, message(0, Place::Delayed { until: 50 }));
        assert_eq!((counts(&queue), queue.next_timer()), ((1, 0, 1), Some(50)));
        queue.place(1, Place::InFlight { since: 10, until: 40 }, |m| m.receives += 1);
        assert_eq!((counts(&queue), queue.next_timer()), ((0, 1, 1), Some(40)));
        queue.pass_time(39);
        assert_eq!(counts(&queue), (0, 1, 1));
        queue.pass_time(40);
        assert_eq!((counts(&queue), queue.next_timer()), ((1, 0, 1), Some(50)));
        queue.pass_time(50);
        let order: Vec<_> = queue.ready().map(|(number, m)| (number, m.receives)).collect();
        assert_eq!((order, queue.next_timer()), (vec![(1, 1), (2, 0)], None));
        // Four days.
        queue.pass_time(345_600_000);
        assert_eq!((counts(&queue), queue.len()), ((0, 0, 0), 0));
    }

    #[test]
    fn removing_forgets_timers() {
        let mut queue = Queue::new(Settings::default(), Map::new(), 0);
        queue.insert(1, message(0, Place::InFlight { since: 0, until: 9 }));
        assert!(queue.remove(1).is_some() && queue.remove(1).is_none());
        assert_eq!((counts(&queue), queue.next_timer()), ((0, 0, 0), None));
        queue.insert(2, message(0, Place::Delayed { until: 9 }));
        queue.purge();
        assert_eq!((counts(&queue), queue.next_timer()), ((0, 0, 0), None));
    }
}
