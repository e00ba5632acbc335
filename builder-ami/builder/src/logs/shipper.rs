//! Sends what is new in a task's logs, as numbered parts.
//!
//! Who sends belongs to the attempt, not to the handler that began it: when a task is cancelled its handler is dropped, and its logs still
//! get their last lines and their end.
//!
//! The folders are looked at four times a second, which costs a few system calls; a part is sent at most once a second,
//! and only when there is something new. The first bytes leave at once: their URL was asked for when the task began.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex as Lock, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use toji_protocol::{client::ClientError, log_part};
use tokio::{
    sync::{Mutex, oneshot},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{Collector, Source};
use crate::{hub::TaskHub, upload::NamedFile};

const LOOK: Duration = Duration::from_millis(250);
const PACE: Duration = Duration::from_secs(1);
/// The last parts are given this long; whole logs follow as files anyway.
const LAST_WORDS: Duration = Duration::from_secs(60);
/// URLs are asked for so many at a time, while there are still a few.
const URLS: u32 = 20;
const FEW: usize = 5;

/// How the sending of logs ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With what there still is, and that there is no more: the task is over.
    Last,
    /// With what there still is. Another attempt may follow.
    Rest,
}

/// Who sends the logs of an attempt, if anybody does.
#[derive(Default)]
pub(crate) struct Sender(Lock<Option<Sending>>);

struct Sending {
    task: JoinHandle<Collector>,
    finish: oneshot::Sender<Ending>,
}

impl Sender {
    /// Sends what there still is, and answers all logs. Nobody may write to them any more. None, when nobody sends any.
    pub(crate) async fn finish(&self, ending: Ending) -> Vec<NamedFile> {
        let Some(Sending { task, finish }) = self.take() else { return Vec::new() };
        // it may have ended by itself
        let _ = finish.send(ending);
        match task.await {
            Ok(mut collector) => collector.files().unwrap_or_default(),
            Err(error) => {
                tracing::error!(%error, "the logs' sender has died");
                Vec::new()
            }
        }
    }

    /// Sends nothing more.
    pub(crate) fn abandon(&self) {
        if let Some(Sending { task, .. }) = self.take() {
            task.abort();
        }
    }

    fn take(&self) -> Option<Sending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The logs of a task that is at work.
pub(crate) struct Shipper(TaskHub);

impl Shipper {
    /// Begins to watch these folders. With a folder for them, when bytes came is noted in logs of their own.
    pub(crate) fn start(hub: TaskHub, sources: Vec<Source>, timestamps: Option<PathBuf>) -> Self {
        hub.sender().abandon();
        let (finish, finished) = oneshot::channel();
        let task = tokio::spawn(ship(hub.clone(), Collector::new(sources, timestamps), finished));
        *hub.sender().0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Sending { task, finish });
        Self(hub)
    }

    /// Sends what there still is, and answers all logs. Nobody may write to them any more.
    pub(crate) async fn finish(self) -> Vec<NamedFile> {
        self.0.sender().finish(Ending::Last).await
    }
}

async fn ship(hub: TaskHub, mut collector: Collector, mut finished: oneshot::Receiver<Ending>) -> Collector {
    let urls = Urls::new(hub.clone());
    urls.refill().await;
    let mut next = Instant::now();
    let ending = loop {
        tokio::select! {
            ending = &mut finished => break ending.unwrap_or(Ending::Rest),
            () = sleep(LOOK) => {}
        }
        if Instant::now() < next {
            continue;
        }
        match send_news(&hub, &urls, &mut collector).await {
            Ok(false) => {}
            Ok(true) => next = Instant::now() + PACE,
            Err(error) if error.is_conflict() => {
                tracing::debug!("logs are no longer wanted: the task is not ours");
                return collector;
            }
            Err(error) => {
                tracing::warn!(%error, "a log part was not sent");
                next = Instant::now() + PACE;
            }
        }
    };
    match timeout(LAST_WORDS, send_rest(&hub, &urls, &mut collector, ending)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the last log parts were not sent"),
        Err(_) => tracing::warn!("the last log parts were not sent in time"),
    }
    collector
}

/// Sends all that is new. Answers whether there was anything.
async fn send_news(hub: &TaskHub, urls: &Urls, collector: &mut Collector) -> Result<bool, ClientError> {
    let mut any = false;
    if let Some(part) = urls.unsent().await {
        put(hub, urls, part).await?;
        any = true;
    }
    loop {
        let news = match collector.news() {
            Ok(news) => news,
            Err(error) => {
                tracing::warn!(%error, "a log cannot be read");
                return Ok(any);
            }
        };
        let Some(news) = news else { return Ok(any) };
        any = true;
        put(hub, urls, Bytes::from(news.part)).await?;
        if !news.more {
            return Ok(true);
        }
    }
}

/// Sends what there still is, and that there is no more.
async fn send_rest(hub: &TaskHub, urls: &Urls, collector: &mut Collector, ending: Ending) -> Result<(), ClientError> {
    collector.take_torn_characters();
    // what is sent may itself be noted
    while send_news(hub, urls, collector).await? {}
    match ending {
        Ending::Last => put(hub, urls, Bytes::from(log_part::encode_last(collector.sizes()))).await,
        Ending::Rest => Ok(()),
    }
}

/// Sends a part, by a new URL when the one at hand has grown too old.
async fn put(hub: &TaskHub, urls: &Urls, part: Bytes) -> Result<(), ClientError> {
    let size = part.len() as u64;
    urls.keep(part.clone()).await;
    let url = urls.next().await?;
    match hub.client().put(&url, part.clone(), None).await {
        Err(ClientError::Fault { status: 400..=499, .. }) => {
            urls.forget().await;
            let url = urls.next().await?;
            hub.client().put(&url, part, None).await?;
        }
        sent => {
            sent?;
        }
    }
    hub.meter().uploaded(size);
    urls.sent().await;
    Ok(())
}

/// URLs for the next parts. A part's URL is used up only when the part has arrived.
#[derive(Clone)]
struct Urls {
    hub: TaskHub,
    state: Arc<Mutex<State>>,
}

struct State {
    /// The number of the part that is next.
    number: u32,
    /// URLs from that number on.
    ready: VecDeque<String>,
    /// A part that has not arrived yet. Its bytes are not read again.
    unsent: Option<Bytes>,
}

impl Urls {
    fn new(hub: TaskHub) -> Self {
        Self { hub, state: Arc::new(Mutex::new(State { number: 1, ready: VecDeque::new(), unsent: None })) }
    }

    /// The next part's URL.
    async fn next(&self) -> Result<String, ClientError> {
        let mut state = self.state.lock().await;
        if state.ready.is_empty() {
            let urls = self.hub.log_urls(state.number, URLS).await?;
            state.ready.extend(urls);
        }
        let missing = || ClientError::Fault {
            code: 1,
            message: "the hub gave no URL for a log part".to_owned(),
            status: 500,
            request_id: None,
        };
        state.ready.front().cloned().ok_or_else(missing)
    }

    /// The first URLs, so that the first part need not wait for them.
    async fn refill(&self) {
        if let Err(error) = self.next().await {
            tracing::debug!(%error, "no URLs for log parts yet");
        }
    }

    async fn forget(&self) {
        self.state.lock().await.ready.clear();
    }

    async fn keep(&self, part: Bytes) {
        self.state.lock().await.unsent = Some(part);
    }

    async fn unsent(&self) -> Option<Bytes> {
        self.state.lock().await.unsent.clone()
    }

    async fn sent(&self) {
        let mut state = self.state.lock().await;
        state.unsent = None;
        state.number += 1;
        state.ready.pop_front();
        let (few, first) = (state.ready.len() < FEW, state.number + state.ready.len() as u32);
        drop(state);
        if few {
            let urls = self.clone();
            tokio::spawn(async move {
                let Ok(more) = urls.hub.log_urls(first, URLS).await else { return };
                let mut state = urls.state.lock().await;
                // Somebody may have been quicker.
                if state.number + state.ready.len() as u32 == first {
                    state.ready.extend(more);
                }
            });
        }
    }
}
