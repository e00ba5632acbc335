//! Logs of tasks as the server streams them, each task's by a connection of its own that is made again when it breaks.

use std::time::Duration;

use serde::Deserialize;
use toji_protocol::{
    client::{Client, ClientError, Event, EventAnswer, Events},
    id::TaskId,
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};

/// The first event of a stream comes at once; a front door that keeps it back does not stream.
const FIRST: Duration = Duration::from_secs(15);
/// Between two connections.
const PAUSE: Duration = Duration::from_secs(1);
/// Connections in a row that may fail.
const TRIES: u32 = 10;

/// New text of a log.
#[derive(Debug, Deserialize)]
pub(crate) struct Text {
    /// The log's name.
    pub(crate) log: String,
    /// Where the text begins, in bytes of the log.
    pub(crate) offset: u64,
    /// Where it ends.
    pub(crate) next: u64,
    pub(crate) text: String,
}

/// What a stream says.
#[derive(Debug)]
pub(crate) enum Said {
    /// New text of a task's log.
    Text(TaskId, Text),
    /// A builder's attempt at a task begins, or is told from its beginning.
    Attempt(TaskId, i32),
    /// Logs cannot be had in this way.
    Unavailable(String),
}

/// The stream of a task's logs. Ends when dropped.
pub(crate) struct LogStream(JoinHandle<()>);

impl Drop for LogStream {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl LogStream {
    /// Streams all logs of a task, or one.
    pub(crate) fn start(client: Client, task: TaskId, log: Option<&str>, said: mpsc::Sender<Said>) -> Self {
        let path = match log {
            Some(log) => format!("/api/tasks/{task}/logs/{}", encode(log)),
            None => format!("/api/tasks/{task}/logs"),
        };
        Self(tokio::spawn(async move {
            if let Err(reason) = stream(&client, task, &path, &said).await {
                let _ = said.send(Said::Unavailable(reason)).await;
            }
        }))
    }
}

/// Tells events for ever; answers why there are none.
async fn stream(client: &Client, task: TaskId, path: &str, said: &mpsc::Sender<Said>) -> Result<(), String> {
    let (mut last, mut failures): (Option<String>, u32) = (None, 0);
    loop {
        match client.events(path, last.as_deref()).await {
            Ok(EventAnswer::Stream(events)) => {
                failures = 0;
                tell(events, task, &mut last, said).await?;
            }
            // another attempt may follow
            Ok(EventAnswer::Over) => failures = 0,
            Ok(EventAnswer::NoStream) => return Err("the answer is no stream".to_owned()),
            Err(error) if is_passing(&error) && failures < TRIES => failures += 1,
            Err(error) => return Err(error.to_string()),
        }
        sleep(PAUSE).await;
    }
}

/// Whether it may be otherwise soon.
fn is_passing(error: &ClientError) -> bool {
    error.is_unavailable() || matches!(error, ClientError::Fault { status: 500, .. })
}

async fn tell(
    mut events: Events,
    task: TaskId,
    last: &mut Option<String>,
    said: &mpsc::Sender<Said>,
) -> Result<(), String> {
    // who goes on may wait for long: only a new stream has something to say at once
    let mut is_first = last.is_none();
    loop {
        let next = if is_first {
            timeout(FIRST, events.next()).await.map_err(|_| "nothing comes of the stream".to_owned())?
        } else {
            events.next().await
        };
        is_first = false;
        // a connection that broke, or a server that has had enough of it: another goes on
        let Ok(Some(event)) = next else { return Ok(()) };
        let told = understood(task, &event).map_err(|error| format!("the stream is not understood: {error}"))?;
        if !event.id.is_empty() {
            *last = Some(event.id);
        }
        if let Some(told) = told
            && said.send(told).await.is_err()
        {
            return Ok(());
        }
    }
}

fn understood(task: TaskId, event: &Event) -> serde_json::Result<Option<Said>> {
    #[derive(Deserialize)]
    struct Attempt {
        attempt: i32,
    }
    Ok(match event.name.as_str() {
        "log" => Some(Said::Text(task, serde_json::from_str(&event.data)?)),
        "attempt" => Some(Said::Attempt(task, serde_json::from_str::<Attempt>(&event.data)?.attempt)),
        // its task's state says more
        _ => None,
    })
}

/// A log's name as a segment of a URL's path.
fn encode(name: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~+".contains(&byte);
    name.bytes().map(|byte| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_urls() {
        assert_eq!(encode("build.log"), "build.log");
        assert_eq!(encode("a/b c%é.log"), "a%2Fb%20c%25%C3%A9.log");
    }
}
