//! What Lambda does in production with queues and schedules: calls the same functions, in loops.
//!
//! An error is logged and the loop goes on: Postgres may be away for a while.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::Result;
use chrono::{DateTime, Utc};
use toji_hub::Hub;
use toji_protocol::{
    queue::{Listener, Message},
    queue_name::QueueName,
};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::stop::stopped;

/// Messages of one queue that are handled at once.
const AT_ONCE: usize = 8;

/// How long a receive waits for a message.
const LONG_POLL: Duration = Duration::from_secs(20);

/// A message that is being handled is hidden for so long, again and again.
const HIDDEN: Duration = Duration::from_secs(30);
const HIDE_AGAIN: Duration = Duration::from_secs(10);

/// A message whose handling failed is shown again after this.
const RETRY: Duration = Duration::from_secs(2);

/// How long to wait when a queue does not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// How long what is under way may take after the stop.
const GRACE: Duration = Duration::from_secs(15);

/// Handles the messages of a queue until `stop`; then only ends what is under way.
pub(crate) async fn consume<H, F>(hub: Hub, queue: QueueName, handle: H, stop: watch::Receiver<bool>)
where
    H: Fn(Hub, String) -> F + Clone + Send + 'static,
    F: Future<Output = Result<()>> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut handlers = JoinSet::new();
    let receive = async {
        loop {
            if let Err(error) = receive(&hub, &queue, &handle, &room, &mut handlers).await {
                tracing::warn!(%queue, %error, "cannot receive");
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    tokio::select! {
        () = receive => {}
        () = stopped(stop) => {}
    }
    let ended = tokio::time::timeout(GRACE, async { while handlers.join_next().await.is_some() {} });
    if ended.await.is_err() {
        tracing::warn!(%queue, "handlers did not end in {GRACE:?}; their messages come again");
    }
}

/// Receives as long as the queue answers.
async fn receive<H, F>(
    hub: &Hub,
    queue: &QueueName,
    handle: &H,
    room: &Arc<Semaphore>,
    handlers: &mut JoinSet<()>,
) -> Result<()>
where
    H: Fn(Hub, String) -> F + Clone + Send + 'static,
    F: Future<Output = Result<()>> + Send + 'static,
{
    let listener = hub.queues.listener(queue).await?;
    loop {
        // no more is received than can be begun at once
        let first = room.clone().acquire_owned().await?;
        let most = 1 + room.available_permits();
        let mut permits = vec![first];
        for message in listener.receive(LONG_POLL, most.min(10) as i32).await? {
            let permit = match permits.pop() {
                Some(permit) => permit,
                None => room.clone().acquire_owned().await?,
            };
            let (hub, handle, listener) = (hub.clone(), handle.clone(), listener.clone());
            handlers.spawn(async move {
                handle_one(&listener, &message, handle(hub, message.body.clone())).await;
                drop(permit);
            });
        }
        while handlers.try_join_next().is_some() {}
    }
}

/// Handles one message. It is deleted when that succeeded; otherwise it comes again.
async fn handle_one(listener: &Listener, message: &Message, work: impl Future<Output = Result<()>>) {
    let hold = async {
        loop {
            tokio::time::sleep(HIDE_AGAIN).await;
            if let Err(error) = listener.show_again(message, HIDDEN).await {
                tracing::debug!(%error, "a message may come a second time");
            }
        }
    };
    let done = tokio::select! {
        done = work => done,
        () = hold => return,
    };
    let answered = match done {
        Ok(()) => listener.delete(message).await,
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), body = message.body, "handling failed; it is tried again");
            listener.show_again(message, RETRY).await
        }
    };
    if let Err(error) = answered {
        tracing::debug!(%error, "the message comes again");
    }
}

/// Runs a pass every so often until `stop`.
pub(crate) async fn repeat<P, F, T>(hub: Hub, name: &str, every: Duration, pass: P, stop: watch::Receiver<bool>)
where
    P: Fn(Hub, DateTime<Utc>) -> F,
    F: Future<Output = toji_hub::Result<T>>,
{
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let passes = async {
        loop {
            ticks.tick().await;
            if let Err(error) = pass(hub.clone(), Utc::now()).await {
                tracing::warn!(pass = name, error = format!("{:#}", anyhow::Error::new(error)), "a pass failed");
            }
        }
    };
    tokio::select! {
        () = passes => {}
        () = stopped(stop) => {}
    }
}
