//! Claims: for a bell, and for whatever there is.

use std::{sync::Arc, time::Duration};

use toji_protocol::{
    client::Client,
    method::worker::{Claim, ClaimTask, ClaimedTask, Left},
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::{
    gates, runner,
    running::{Phase, Room, Running, Taken, lease},
};
use crate::{
    context::{Machine, TaskContext},
    hub::TaskHub,
};

/// An answer that takes longer is asked for again; it is the same claim.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);
/// A builder that is not fit for tasks looks again this often.
const UNFIT: Duration = Duration::from_secs(30);

/// Claims tasks and starts them.
pub(super) struct Claimer {
    machine: Arc<Machine>,
    client: Client,
    running: Arc<Running>,
    woken: Notify,
}

impl Claimer {
    pub(super) fn new(machine: Arc<Machine>, client: Client, running: Arc<Running>) -> Arc<Self> {
        Arc::new(Self { machine, client, running, woken: Notify::new() })
    }

    /// Something may be there: at the start, after a task, on the hub's word.
    pub(super) fn wake(&self) {
        self.woken.notify_one();
    }

    /// Claims whenever woken, until nothing fits.
    pub(super) async fn claim_when_woken(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = self.woken.notified() => {}
                // Nobody tells when the machine is fit again.
                () = sleep(UNFIT), if !self.running.is_open() => {}
            }
            while let Some(room) = self.room().await {
                let Some(claim) = self.claim(None, &room).await else { break };
                match claim.task {
                    Some(task) => self.start(task),
                    None => break,
                }
            }
        }
    }

    /// Claims because a bin's bell rang. None when there is no room: somebody else may have it.
    pub(super) async fn answer_bell(self: &Arc<Self>, bin: &str) -> Option<Left> {
        let room = self.room().await?;
        // What is refused now is refused in a moment, too.
        let Some(claim) = self.claim(Some(bin), &room).await else { return Some(Left::Unfit) };
        if let Some(task) = claim.task {
            self.start(task);
        }
        Some(claim.left)
    }

    async fn room(&self) -> Option<Room<'_>> {
        let closed = gates::closed(&self.machine).await;
        if let Some(why) = &closed {
            tracing::warn!(why, "no tasks are taken");
        }
        self.running.set_open(closed.is_none());
        self.running.room()
    }

    /// One claim, however often it has to be sent. None when the hub refuses it, or the builder stops.
    async fn claim(&self, bin: Option<&str>, _: &Room<'_>) -> Option<Claim> {
        let claim_id = hex::encode(rand::random::<[u8; 16]>());
        let claim = ClaimTask { claim_id, bin: bin.map(str::to_owned) };
        loop {
            match timeout(PATIENCE, self.client.call(&claim)).await {
                Ok(Ok(answer)) => return Some(answer),
                Ok(Err(error)) if !error.is_unavailable() => {
                    tracing::error!(%error, "the hub refuses a claim");
                    return None;
                }
                // The hub may have given a task away with an answer that was lost: ask until it is told.
                Ok(Err(error)) => tracing::warn!(%error, "a claim was not answered; asking again"),
                Err(_) => tracing::warn!("a claim was not answered in time; asking again"),
            }
            if self.running.is_stopping() {
                return None;
            }
            sleep(PAUSE).await;
        }
    }

    fn start(self: &Arc<Self>, task: ClaimedTask) {
        let hub = TaskHub::new(self.client.clone(), lease(&task));
        let Some(Taken { stopped, waits }) = self.running.add(&task) else {
            if self.running.is_stopping() {
                // The lease runs out if this does not arrive.
                tokio::spawn(async move { hub.hand_back("the builder is shutting down", false).await });
            }
            return;
        };
        let (claimer, running) = (Arc::clone(self), Arc::clone(&self.running));
        let ctx = TaskContext::new(task, hub, Arc::clone(&self.machine), waits);
        tokio::spawn(async move {
            let lease = lease(&ctx.task);
            runner::run(&ctx, stopped).await;
            if ctx.machine.config.one_task {
                tracing::info!("this builder does one task, and has done it");
                running.set_phase(Phase::Draining);
            }
            running.remove(lease);
            claimer.wake();
            runner::clear(&ctx).await;
            running.cleared();
            if !running.is_open() {
                // There may have been no room but for what has just been deleted.
                claimer.wake();
            }
        });
    }
}
