//! Listening at the queues: the host's own always, its bins' only while there is room.

use std::{sync::Arc, time::Duration};

use aws_credential_types::Credentials;
use toji_protocol::{
    method::worker::{Lease, Left},
    queue::{Listener, Message, QueueAccess, QueueError},
    queue_name::{Bell, HostOrder, QueueUrls},
};
use tokio::{sync::mpsc, task::JoinSet, time::sleep};

use super::{
    Request,
    claim::Claimer,
    running::{Running, Stop},
};

/// The longest that SQS waits.
const LONG_POLL: Duration = Duration::from_secs(20);
/// A bell whose task does not fit this host now.
const UNFIT: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// After so many failures in a row the hub is asked for queues and credentials again.
const TOO_MANY: u32 = 4;

/// All that listen. Dropped, they stop; claims that are on their way go on.
pub(super) struct Listeners {
    _all: JoinSet<()>,
}

impl Listeners {
    pub(super) async fn start(
        queues: &QueueUrls,
        claimer: Arc<Claimer>,
        running: Arc<Running>,
        requests: mpsc::Sender<Request>,
    ) -> Self {
        let client = access(queues).client().await;
        let mut all = JoinSet::new();
        all.spawn(hear_orders(
            Listener::new(client.clone(), &queues.own),
            Arc::clone(&claimer),
            Arc::clone(&running),
            requests.clone(),
        ));
        for bin in &queues.bins {
            let listener = Listener::new(client.clone(), &bin.url);
            all.spawn(hear_bells(
                listener,
                bin.bin.0.clone(),
                Arc::clone(&claimer),
                Arc::clone(&running),
                requests.clone(),
            ));
        }
        Self { _all: all }
    }
}

fn access(queues: &QueueUrls) -> QueueAccess {
    let QueueUrls { access_key_id, secret_access_key, session_token, .. } = queues;
    // Their end is ours to watch: the SDK could not renew them.
    let credentials = Credentials::new(access_key_id, secret_access_key, session_token.clone(), None, "toji-hub");
    QueueAccess { endpoint: queues.endpoint.clone(), region: queues.region.clone(), credentials: Some(credentials) }
}

/// Receives, and keeps its temper when that fails.
struct Patient {
    listener: Listener,
    requests: mpsc::Sender<Request>,
    failures: u32,
}

impl Patient {
    async fn receive(&mut self, most: i32) -> Vec<Message> {
        match self.listener.receive(LONG_POLL, most).await {
            Ok(messages) => {
                self.failures = 0;
                messages
            }
            Err(error) => {
                self.failures += 1;
                tracing::warn!(%error, "cannot listen");
                if self.failures.is_multiple_of(TOO_MANY) {
                    let _ = self.requests.try_send(Request::Attach);
                }
                sleep((FIRST_PAUSE * 2_u32.saturating_pow(self.failures.min(8))).min(LONGEST_PAUSE)).await;
                Vec::new()
            }
        }
    }
}

async fn hear_orders(
    listener: Listener,
    claimer: Arc<Claimer>,
    running: Arc<Running>,
    requests: mpsc::Sender<Request>,
) {
    let mut patient = Patient { listener: listener.clone(), requests: requests.clone(), failures: 0 };
    loop {
        for message in patient.receive(10).await {
            tracing::debug!(order = message.body, "an order");
            match serde_json::from_str(&message.body) {
                Ok(HostOrder::Claim) => claimer.wake(),
                Ok(HostOrder::Cancel { task_id, attempt }) => running.stop(Lease { task_id, attempt }, Stop::Canceled),
                Ok(HostOrder::Wake { task_id, attempt }) => running.wake(Lease { task_id, attempt }),
                Ok(HostOrder::Drain) => {
                    let _ = requests.send(Request::Drain).await;
                }
                Ok(HostOrder::Attach) => {
                    let _ = requests.try_send(Request::Attach);
                }
                Err(error) => tracing::warn!(%error, body = message.body, "an order that is not understood"),
            }
            note(listener.delete(&message).await);
        }
    }
}

async fn hear_bells(
    listener: Listener,
    bin: String,
    claimer: Arc<Claimer>,
    running: Arc<Running>,
    requests: mpsc::Sender<Request>,
) {
    let mut patient = Patient { listener: listener.clone(), requests, failures: 0 };
    loop {
        running.until_room().await;
        for message in patient.receive(1).await {
            // By itself, so that a claim is not lost when the listeners change.
            let answering = tokio::spawn(answer(listener.clone(), bin.clone(), message, Arc::clone(&claimer)));
            if let Err(error) = answering.await {
                tracing::error!(%error, "answering a bell failed");
            }
        }
    }
}

async fn answer(listener: Listener, bin: String, message: Message, claimer: Arc<Claimer>) {
    // Which bin is known from the queue; the task is a hint for logs.
    let task = serde_json::from_str::<Bell>(&message.body).map(|bell| bell.task.0).ok();
    tracing::debug!(bin, task, "a bell");
    let left = claimer.answer_bell(&bin).await;
    note(match left {
        Some(Left::Nothing) => listener.delete(&message).await,
        Some(Left::Unfit) => listener.show_again(&message, UNFIT).await,
        // More for anybody; or no room any more, so that somebody else shall hear it.
        Some(Left::More) | None => listener.show_again(&message, Duration::ZERO).await,
    });
}

/// A bell that was not deleted rings once more, which does no harm.
fn note(result: Result<(), QueueError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "a message was not put away");
    }
}
