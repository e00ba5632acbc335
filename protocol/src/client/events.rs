//! Server-sent events, such as those of live logs.

use std::time::Duration;

use reqwest::{
    Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use tokio::time::timeout;

use super::{Client, ClientError};

/// The header in which a watcher that comes back names the last event it had.
const LAST_EVENT_ID: &str = "last-event-id";
const STREAM: &str = "text/event-stream";
/// A connection without even a comment for so long is dead: three of the server's signs of life.
const SILENCE: Duration = Duration::from_secs(45);
/// How long the answer's head may take.
const BEGINS: Duration = Duration::from_secs(15);

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its id, by which the stream can be taken up again; empty when it has none.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its data.
    pub data: String,
}

/// Events as they come.
pub struct Events {
    response: Response,
    server: String,
    buffer: Vec<u8>,
}

/// How a request for events was answered.
pub enum EventAnswer {
    /// They come.
    Stream(Events),
    /// There is nothing after the last one.
    Over,
    /// What answers does not stream.
    NoStream,
}

impl Client {
    /// The events at a path of the hub, after the one that was had last. Asked for once.
    ///
    /// # Errors
    /// When the hub refuses, or cannot be reached.
    pub async fn events(&self, path: &str, last: Option<&str>) -> Result<EventAnswer, ClientError> {
        let mut request = self.files.get(format!("{}{path}", self.server)).header(ACCEPT, STREAM);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        if let Some(last) = last {
            request = request.header(LAST_EVENT_ID, last);
        }
        let Ok(sent) = timeout(BEGINS, request.send()).await else { return Ok(EventAnswer::NoStream) };
        let response = self.check(sent).await?;
        let is_stream =
            response.headers().get(CONTENT_TYPE).is_some_and(|told| told.as_bytes().starts_with(STREAM.as_bytes()));
        Ok(match response.status() {
            StatusCode::NO_CONTENT => EventAnswer::Over,
            _ if is_stream => {
                EventAnswer::Stream(Events { response, server: self.server.to_string(), buffer: Vec::new() })
            }
            _ => EventAnswer::NoStream,
        })
    }
}

impl Events {
    /// The next event; None when the stream has ended, or has died.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|bytes| bytes == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                if let Some(event) = parse(&String::from_utf8_lossy(&block)) {
                    return Ok(Some(event));
                }
            }
            let Ok(chunk) = timeout(SILENCE, self.response.chunk()).await else { return Ok(None) };
            match chunk.map_err(|error| ClientError::transport(&self.server, error))? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

/// An event of its lines; None for a comment.
fn parse(block: &str) -> Option<Event> {
    let mut event = Event::default();
    let mut has_data = false;
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => value.clone_into(&mut event.id),
            "event" => value.clone_into(&mut event.name),
            "data" => {
                if has_data {
                    event.data.push('\n');
                }
                event.data.push_str(value);
                has_data = true;
            }
            _ => {}
        }
    }
    has_data.then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read() {
        let event = |id: &str, name: &str, data: &str| {
            Some(Event { id: id.to_owned(), name: name.to_owned(), data: data.to_owned() })
        };
        assert_eq!(parse("event: log\ndata: {\"a\":1}\nid: 1.2.3\n\n"), event("1.2.3", "log", "{\"a\":1}"));
        assert_eq!(parse("data:one\ndata: two\n\n"), event("", "", "one\ntwo"));
        assert_eq!(parse(":\n\n"), None);
        assert_eq!(parse(": still here\n\n"), None);
    }
}
