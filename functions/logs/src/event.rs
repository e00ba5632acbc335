//! What a watcher is sent, and how it says where it was.

use std::{fmt, str::FromStr};

use axum::response::sse::Event;
use serde::Serialize;

/// The header in which a watcher that comes back names the last event it had.
pub(crate) const LAST_EVENT_ID: &str = "last-event-id";

/// How far a watcher is: the id of an event, written `attempt.part.pieces`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The attempt at the task.
    pub(crate) attempt: i32,
    /// The number of the part.
    pub(crate) part: u32,
    /// How many of its pieces were told; None = the whole attempt was, to its end.
    pub(crate) pieces: Option<usize>,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pieces {
            Some(pieces) => write!(f, "{}.{}.{pieces}", self.attempt, self.part),
            None => write!(f, "{}.{}.end", self.attempt, self.part),
        }
    }
}

/// The text is no position.
#[derive(Debug)]
pub(crate) struct NoPosition;

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let mut fields = text.split('.');
        let mut next = || fields.next().ok_or(NoPosition);
        let attempt = next()?.parse().ok().filter(|attempt| *attempt > 0).ok_or(NoPosition)?;
        let part = next()?.parse().map_err(|_| NoPosition)?;
        let pieces = match next()? {
            "end" => None,
            pieces => Some(pieces.parse().map_err(|_| NoPosition)?),
        };
        if fields.next().is_some() { Err(NoPosition) } else { Ok(Self { attempt, part, pieces }) }
    }
}

/// New text of a log: the data of the event `log`.
#[derive(Serialize)]
struct Text<'a> {
    /// The log's name.
    log: &'a str,
    /// Where the text begins in the log, in bytes. 0 again: the log was replaced, or another attempt has begun. More than the `next`
    /// before: what is between is not told any more, and can be had of `downloadTaskOutput`.
    offset: u64,
    /// Where it ends.
    next: u64,
    /// The text. What is no UTF-8 is replaced.
    text: &'a str,
}

/// The data of the events `attempt`, which comes before the first text of each, and `end`: all of this attempt was told.
#[derive(Serialize)]
struct Attempt {
    attempt: i32,
}

pub(crate) fn text(at: Position, log: &str, offset: u64, bytes: &[u8]) -> Event {
    let text = &String::from_utf8_lossy(bytes);
    let next = offset + bytes.len() as u64;
    json("log", &Text { log, offset, next, text }).id(at.to_string())
}

pub(crate) fn attempt(attempt: i32) -> Event {
    json("attempt", &Attempt { attempt })
}

pub(crate) fn end(at: Position) -> Event {
    json("end", &Attempt { attempt: at.attempt }).id(at.to_string())
}

fn json(name: &str, data: &impl Serialize) -> Event {
    // strings and numbers: this does not fail; and JSON in one line has no line breaks, which an event could not carry
    Event::default().event(name).data(serde_json::to_string(data).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_as_they_are_written() {
        for text in ["1.1.0", "2.17.3", "3.400000.end"] {
            assert_eq!(text.parse::<Position>().unwrap().to_string(), text);
        }
        for text in ["", "1", "1.2", "1.2.x", "0.1.1", "-1.1.1", "1.-2.0", "1.2.3.4", "1.2.3 "] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }
}
