//! Server-sent events, as a watcher reads them.

use futures::{Stream, StreamExt};
use serde_json::Value as Json;
use tokio::time::timeout;

use crate::wait::SOON;

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its id; empty when it has none.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its data.
    pub data: Json,
}

/// The events of a response's body.
pub struct Events<S> {
    body: S,
    buffer: Vec<u8>,
}

impl<S, B, E> Events<S>
where
    S: Stream<Item = Result<B, E>> + Unpin,
    B: AsRef<[u8]>,
    E: std::fmt::Debug,
{
    /// Those of this body.
    pub fn new(body: S) -> Self {
        Self { body, buffer: Vec::new() }
    }

    /// The next event; None when the body has ended.
    ///
    /// # Panics
    /// When none comes for long, or what comes is none.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\n\n") {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let event = std::str::from_utf8(&event).expect("events are text");
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim_start);
                // what has no name is a comment, which keeps the connection open
                let Some(name) = field("event:") else { continue };
                let data = field("data:").expect("an event has data");
                return Some(Event {
                    id: field("id:").unwrap_or_default().to_owned(),
                    name: name.to_owned(),
                    data: serde_json::from_str(data).expect("data are JSON"),
                });
            }
            let bytes = timeout(SOON, self.body.next()).await.expect("an event in time")?.expect("a body to read");
            self.buffer.extend_from_slice(bytes.as_ref());
        }
    }

    /// All that come until the end.
    ///
    /// # Panics
    /// As [`Events::next`].
    pub async fn all(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}
