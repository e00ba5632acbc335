//! The daemon: from enrolment to a clean end.
//!
//! ```text
//! own queue ──orders──▶ cancel · claim · drain · attach
//! bin queues ──bells──▶ claim ─▶ task runs ─▶ close or fail ─▶ claim again, until there is nothing
//! heartbeat ──every lease/3, while tasks run──▶ go on · cancel · lost · drain
//! ```

use std::{path::PathBuf, sync::Arc, time::Duration};

use thiserror::Error;
use toji_protocol::{
    client::{Client, ClientError, Retry},
    method::worker::{AttachHost, Attached, DetachHost, PROTOCOL},
};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    config::{Config, ConfigError},
    context::{Facts, Machine},
    handlers::Handlers,
    hub, metadata,
    plugin::{self, PluginError},
};

mod claim;
mod ec2;
mod gates;
mod heartbeat;
mod identity;
mod listen;
mod memory;
mod prepare;
mod runner;
mod running;

use claim::Claimer;
pub use ec2::announce;
use listen::Listeners;
use running::{Phase, Running, Stop};

/// Credentials are renewed this long before they end.
const EARLY: Duration = Duration::from_secs(300);
/// Tasks that are stopped, and what they leave, get this long to be cleared away at the end.
const LAST_WORDS: Duration = Duration::from_secs(30);
/// What is kept is looked through this often.
const SWEEP: Duration = Duration::from_secs(60);
/// The hub gets this long to hear that the builder ends.
const GOODBYE: Duration = Duration::from_secs(5);

/// Why the builder cannot run.
#[derive(Debug, Error)]
pub enum RunError {
    /// A setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It is not root.
    #[error("the builder must run as root: it makes buildroots, whose files belong to several users")]
    NotRoot,
    /// Programs are missing.
    #[error("these programs are missing on this machine: {0}")]
    Missing(String),
    /// Another builder has the state folder.
    #[error("another builder is running with the state folder {}", .0.display())]
    Taken(PathBuf),
    /// There is no identity, and nothing to get one with.
    #[error(
        "this builder is not enrolled with {server}: give an admin's token in TOJI_ENROL_TOKEN or enrol_token_file"
    )]
    NotEnrolled {
        /// The hub.
        server: String,
    },
    /// A kind of task that the operator wants to add.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// Something of the machine's.
    #[error("{what}: {error}")]
    Machine {
        /// What was being done.
        what: String,
        /// What went wrong.
        error: std::io::Error,
    },
    /// The hub refuses, or is away.
    #[error("{what}: {error}")]
    Hub {
        /// What was being done.
        what: &'static str,
        /// What it says.
        error: Box<ClientError>,
    },
}

impl RunError {
    fn hub(what: &'static str, error: ClientError) -> Self {
        Self::Hub { what, error: Box::new(error) }
    }
}

/// Why a builder ended that ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to; its tasks were handed back.
    Stopped,
    /// It was drained: it is to stay down.
    Drained,
    /// It is to be started anew.
    Restart,
}

/// What the daemon's parts ask of it.
#[derive(Clone, Copy, Debug)]
enum Request {
    /// Attach again: bins, or what opens the queues, have changed.
    Attach,
    /// Take nothing more, and stop when all is done.
    Drain,
    /// The same, but hand back what is not done then.
    Leave(Instant),
}

/// Runs a builder with these handlers, and those of its settings' plugins, until `shutdown` is there (its tasks are then handed back),
/// until it was drained, or until it is to be started anew.
///
/// # Errors
/// When it cannot begin; see [`RunError`].
pub async fn run(
    config: Config,
    handlers: Handlers,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<Ended, RunError> {
    let mut shutdown = std::pin::pin!(shutdown);
    let began = tokio::select! {
        began = begin(config, handlers) => began?,
        () = &mut shutdown => return Ok(Ended::Stopped),
    };
    Ok(began.serve(shutdown).await)
}

async fn begin(config: Config, mut handlers: Handlers) -> Result<Daemon, RunError> {
    plugin::add(&mut handlers, &config)?;
    let prepare::Prepared { lock, groups } = prepare::machine(&config).await?;
    if let Some(address) = metadata::within_reach(&config.ec2).await {
        tracing::error!(
            %address,
            "builds with the network would reach this machine's metadata service: tasks that want the network will fail; run the \
             builder by its systemd unit, or make the address unreachable"
        );
    }
    let machine = Arc::new(Machine::new(config, handlers).grouped(groups));
    let (client, attached) = enrolled_and_attached(&machine).await?;
    tracing::info!(host = %attached.name, id = %attached.host_id, server = client.server(), "attached");
    let running = Running::new(attached.capacity, usize::from(machine.config.max_jobs));
    let running = Arc::new(running.only_one(machine.config.one_task));
    let (requests, asked) = mpsc::channel(16);
    Ok(Daemon { machine, client, running, requests, asked, attached, _lock: lock })
}

async fn enrolled_and_attached(machine: &Machine) -> Result<(Client, Attached), RunError> {
    let config = &machine.config;
    let known = identity::load(config)?;
    let is_known = known.is_some();
    let client = match known {
        Some(client) => client,
        None => identity::enrol(config).await?,
    };
    match attach(&client, machine).await {
        // The hub no longer knows the token: its database is another, or somebody enrolled the name again.
        Err(error) if error.status() == Some(401) && is_known => {
            tracing::warn!(%error, "the hub refuses this builder's token; enrolling again");
            let client = identity::enrol(config).await?;
            let attached = attach(&client, machine).await.map_err(|error| RunError::hub("attaching", error))?;
            Ok((client, attached))
        }
        Err(error) => Err(RunError::hub("attaching", error)),
        Ok(attached) => Ok((client, attached)),
    }
}

async fn attach(client: &Client, machine: &Machine) -> Result<Attached, ClientError> {
    let (handlers, max_jobs) = (&machine.handlers, i32::from(machine.config.max_jobs));
    let (methods, added) = (handlers.methods(), Some(handlers.added()));
    hub::call(client, &AttachHost { methods, max_jobs, protocol: PROTOCOL, added }).await
}

/// A builder that the hub knows.
struct Daemon {
    machine: Arc<Machine>,
    client: Client,
    running: Arc<Running>,
    requests: mpsc::Sender<Request>,
    asked: mpsc::Receiver<Request>,
    attached: Attached,
    /// Held as long as the builder runs.
    _lock: std::fs::File,
}

impl Daemon {
    async fn serve(mut self, mut shutdown: std::pin::Pin<&mut (impl Future<Output = ()> + Send)>) -> Ended {
        let claimer = Claimer::new(Arc::clone(&self.machine), self.client.clone(), Arc::clone(&self.running));
        self.machine.set_facts(facts(&self.attached));
        let mut listeners = self.listen(&claimer).await;
        let heart = heartbeat::start(
            self.client.clone(),
            Arc::clone(&self.running),
            Duration::from_secs_f64(self.attached.lease_seconds.max(1) as f64 / 3.0),
            self.requests.clone(),
        );
        let notices = ec2::watch(&self.machine.config, self.requests.clone());
        let sweeping = tokio::spawn(sweep_kept(Arc::clone(&self.machine)));
        let claiming = tokio::spawn(Arc::clone(&claimer).claim_when_woken());
        claimer.wake();
        let mut renewal = renewal(&self.attached);
        let mut restart = self.machine.restart.subscribe();
        let mut deadline = None;
        let ended = loop {
            let request = tokio::select! {
                () = &mut shutdown => break Ended::Stopped,
                () = until(deadline) => break Ended::Drained,
                () = self.running.drained() => break if *restart.borrow() { Ended::Restart } else { Ended::Drained },
                Ok(()) = restart.changed() => Request::Drain,
                () = tokio::time::sleep_until(renewal) => Request::Attach,
                Some(request) = self.asked.recv() => request,
            };
            match request {
                Request::Leave(until) => {
                    tracing::warn!(?until, "this machine is about to be taken away: no more tasks are taken");
                    self.running.set_phase(Phase::Draining);
                    deadline = Some(deadline.map_or(until, |earlier: Instant| earlier.min(until)));
                }
                Request::Drain => {
                    tracing::info!("draining: no more tasks are taken");
                    self.running.set_phase(Phase::Draining);
                }
                Request::Attach => {
                    tokio::select! {
                        () = &mut shutdown => break Ended::Stopped,
                        attached = attach(&self.client, &self.machine) => match attached {
                            Ok(attached) => {
                                self.attached = attached;
                                self.machine.set_facts(facts(&self.attached));
                                self.running.set_capacity(self.attached.capacity);
                                listeners = self.listen(&claimer).await;
                                claimer.wake();
                            }
                            Err(error) => tracing::error!(%error, "cannot attach again; going on as before"),
                        },
                    }
                    renewal = self::renewal(&self.attached);
                }
            }
        };
        drop(listeners);
        self.running.set_phase(Phase::Stopping);
        self.running.stop_all(Stop::Shutdown);
        if tokio::time::timeout(LAST_WORDS, self.running.quiet()).await.is_err() {
            tracing::error!("not all was cleared away in time; the next start does it");
        }
        claiming.abort();
        sweeping.abort();
        notices.abort();
        heart.abort();
        self.say_goodbye(ended).await;
        tracing::info!(?ended, "stopped");
        ended
    }

    /// Tells the hub that nobody is here any more. It would find out by itself, but later.
    async fn say_goodbye(&self, ended: Ended) {
        let reason = match ended {
            Ended::Stopped => "it was stopped",
            Ended::Drained => "it was drained",
            Ended::Restart => "it restarts",
        };
        let client = self.client.clone().with_retry(Retry::NEVER);
        let told = tokio::time::timeout(GOODBYE, client.call(&DetachHost { reason: reason.to_owned() })).await;
        match told {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::info!(%error, "the hub was not told that this builder ends"),
            Err(_) => tracing::info!("the hub was not told in time that this builder ends"),
        }
    }

    async fn listen(&self, claimer: &Arc<Claimer>) -> Listeners {
        let running = Arc::clone(&self.running);
        Listeners::start(&self.attached.queues, Arc::clone(claimer), running, self.requests.clone()).await
    }
}

/// Never, where there is no such time.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Deletes what was kept of failed tasks when its time is over.
async fn sweep_kept(machine: Arc<Machine>) {
    loop {
        machine.kept.drop_old(std::time::SystemTime::now()).await;
        tokio::time::sleep(SWEEP).await;
    }
}

fn facts(attached: &Attached) -> Facts {
    Facts { arches: attached.arches.clone(), topurl: attached.topurl.clone() }
}

/// When to attach again, at the latest.
fn renewal(attached: &Attached) -> Instant {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seconds = match attached.queues.expires_ts {
        Some(expires) => (expires - now.as_secs_f64() - EARLY.as_secs_f64()).clamp(30.0, 86_400.0),
        None => 86_400.0,
    };
    Instant::now() + Duration::from_secs_f64(seconds)
}

#[cfg(test)]
mod tests;
