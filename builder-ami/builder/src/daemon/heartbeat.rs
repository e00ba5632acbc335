//! Renewing leases, and hearing what is to become of each task.

use std::{sync::Arc, time::Duration};

use toji_protocol::{
    client::{Client, Retry},
    method::worker::{HeartbeatCall, Order},
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    Request,
    running::{Running, Stop},
};

/// Renews all leases at this pace, in one call, while there are any.
pub(super) fn start(
    client: Client,
    running: Arc<Running>,
    pace: Duration,
    requests: mpsc::Sender<Request>,
) -> JoinHandle<()> {
    // Tried again until the next beat is due, which then knows of newer tasks.
    let client = client.with_retry(Retry { total: pace, ..Retry::default() });
    tokio::spawn(async move {
        let mut beats = interval(pace);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            let leases = running.leases();
            if leases.is_empty() {
                continue;
            }
            match timeout(pace * 2, beat(&client, &running, leases)).await {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => {
                    let _ = requests.send(Request::Drain).await;
                }
                // Tasks go on: whether the leases have run out is for the hub to say, when it is back.
                Ok(Err(error)) => tracing::warn!(%error, "the leases were not renewed"),
                Err(_) => tracing::warn!("the leases were not renewed in time"),
            }
        }
    })
}

/// Answers whether to drain.
async fn beat(
    client: &Client,
    running: &Running,
    leases: Vec<toji_protocol::method::worker::Lease>,
) -> Result<bool, toji_protocol::client::ClientError> {
    let call = HeartbeatCall { leases };
    let answer = client.call(&call).await?;
    for (lease, order) in call.leases.iter().zip(answer.orders) {
        match order {
            Order::Continue => {}
            Order::Cancel => running.stop(*lease, Stop::Canceled),
            Order::Lost => running.stop(*lease, Stop::Lost),
        }
    }
    Ok(answer.drain)
}
