//! What one watcher is told.

use std::{sync::Arc, time::Duration};

use axum::response::sse::Event;
use bytes::Bytes;
use futures::{Stream, stream};
use toji_protocol::{id::TaskId, log_part};
use toji_store::StoreError;
use tokio::time::Instant;

use crate::{
    event::{self, Position},
    tail::{Next, Tail, Tails},
};

/// How long one stream lasts: a Lambda function has 15 minutes. Watchers come back by themselves, and go on where they were.
const LASTS: Duration = Duration::from_secs(14 * 60);

/// The events of a task from a position on, or from the beginning of its newest attempt; None when there is nothing more to tell.
///
/// # Errors
/// When S3 is away.
pub(crate) async fn events(
    tails: Tails,
    task: TaskId,
    name: Option<String>,
    last: Option<Position>,
) -> Result<Option<impl Stream<Item = Event>>, StoreError> {
    // a position that is nowhere is of parts that are long deleted, or made up
    let last = match last {
        Some(last) => tails.has(task, last).await?.then_some(last),
        None => None,
    };
    let is_over = last.is_some_and(|last| last.pieces.is_none());
    let newer = match last {
        Some(_) if !is_over => None,
        _ => tails.newer(task, last.map_or(0, |last| last.attempt)).await?,
    };
    let attempt = match (newer, last) {
        (Some(newer), _) => newer,
        (None, Some(_)) if is_over => return Ok(None),
        (None, Some(last)) => last.attempt,
        (None, None) => 1,
    };
    let mut watcher = Watcher {
        tail: tails.of(task, attempt),
        tails,
        task,
        name,
        at: Position { attempt, part: 1, pieces: Some(0) },
        told: Vec::new(),
        until: Instant::now() + LASTS,
        is_over: false,
    };
    match last.filter(|last| last.attempt == attempt) {
        Some(last) => watcher.at = last,
        None => watcher.told.push(event::attempt(attempt)),
    }
    Ok(Some(stream::unfold(watcher, Watcher::next)))
}

struct Watcher {
    tails: Tails,
    tail: Arc<Tail>,
    task: TaskId,
    /// The log that is watched; None = all.
    name: Option<String>,
    /// What was told.
    at: Position,
    /// What is to be told next, the last first.
    told: Vec<Event>,
    until: Instant,
    is_over: bool,
}

impl Watcher {
    async fn next(mut self) -> Option<(Event, Self)> {
        loop {
            if let Some(event) = self.told.pop() {
                return Some((event, self));
            }
            if self.is_over {
                return None;
            }
            match tokio::time::timeout_at(self.until, self.tail.next(self.at.part)).await {
                Ok(Ok(Next::Part(part))) => self.take(&part),
                Ok(Ok(Next::Attempt(attempt))) => self.turn_to(attempt),
                Ok(Err(error)) => {
                    tracing::warn!(task = %self.task, %error, "a log part cannot be read; the watcher comes again");
                    return None;
                }
                Err(_) => return None,
            }
        }
    }

    /// Another builder has begun from the beginning.
    fn turn_to(&mut self, attempt: i32) {
        self.tail = self.tails.of(self.task, attempt);
        self.at = Position { attempt, part: 1, pieces: Some(0) };
        self.told.push(event::attempt(attempt));
    }

    fn take(&mut self, part: &Bytes) {
        match log_part::decode(part) {
            Ok(part) => {
                let skip = self.at.pieces.unwrap_or_default();
                for (number, (head, bytes)) in part.pieces.iter().enumerate().skip(skip) {
                    if self.name.as_ref().is_none_or(|name| *name == head.name) {
                        let at = Position { pieces: Some(number + 1), ..self.at };
                        self.told.push(event::text(at, &head.name, head.offset, bytes));
                    }
                }
                if part.is_last {
                    self.is_over = true;
                    self.told.push(event::end(Position { pieces: None, ..self.at }));
                }
                self.told.reverse();
            }
            Err(error) => tracing::warn!(task = %self.task, part = self.at.part, %error, "a log part is left out"),
        }
        self.at = Position { part: self.at.part + 1, pieces: Some(0), ..self.at };
    }
}
