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
    runner,
    running::{Room, Running, Taken, lease},
};
use crate::{
    context::{Machine, TaskContext},
    hub::TaskHub,
};

/// An answer that takes longer is asked for again; it is the same claim.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);
/// A builder without free space looks again this often.
const SPACE: Duration = Duration::from_secs(30);

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
                // Nobody tells when there is space again.
                () = sleep(SPACE), if !self.running.has_space() => {}
            }
            while let Some(room) = self.room() {
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
        let room = self.room()?;
        // What is refused now is refused in a moment, too.
        let Some(claim) = self.claim(Some(bin), &room).await else { return Some(Left::Unfit) };
        if let Some(task) = claim.task {
            self.start(task);
        }
        Some(claim.left)
    }

    fn room(&self) -> Option<Room<'_>> {
        let has_space = free_mib(&self.machine).is_none_or(|free| free >= self.machine.config.minspace);
        if !has_space {
            tracing::warn!(minspace = self.machine.config.minspace, "too little free space: no tasks are taken");
        }
        self.running.set_space(has_space);
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
            running.remove(lease);
            claimer.wake();
            runner::clear(&ctx).await;
            running.cleared();
        });
    }
}

/// Free space where buildroots are made; None when it cannot be told.
fn free_mib(machine: &Machine) -> Option<u64> {
    let stat = rustix::fs::statvfs(machine.config.work_dir()).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize) / (1024 * 1024))
}
