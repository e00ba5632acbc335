//! What befalls a system.

use std::time::Duration;

use rand::{RngExt, rngs::StdRng};
use toji_tests::{Part, Postgres, System};
use tokio::time::{Instant, sleep};

use super::{BUILDERS, LEASE};

/// How long what was killed is away, in milliseconds.
const AWAY: std::ops::Range<u64> = 100..1500;
/// Messages are waited for this long before they are lost or doubled.
const GATHERING: Duration = Duration::from_secs(2);

/// One thing that befalls a system. When it is over, all parts run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Harm {
    /// SIGKILL, and what it has started lives on until it is back.
    BuilderKilled,
    /// SIGTERM: it hands back what it has.
    BuilderStopped,
    /// Halted until its leases have run out; then it goes on as if nothing had been.
    BuilderFrozen,
    /// S3, SQS and the API at once.
    ServerKilled,
    /// The same, halted for longer than a lease: whoever calls hangs.
    ServerFrozen,
    /// What takes messages, and the passes.
    WorkerKilled,
    /// The same, halted for longer than a lease.
    WorkerFrozen,
    /// All its processes.
    PostgresKilled,
    /// Those for the coordinator that have gathered while nobody took them, and all others.
    MessagesLost,
    /// The same, sent twice.
    MessagesDoubled,
}

impl Harm {
    pub(super) const ALL: [Self; 10] = [
        Self::BuilderKilled,
        Self::BuilderStopped,
        Self::BuilderFrozen,
        Self::ServerKilled,
        Self::ServerFrozen,
        Self::WorkerKilled,
        Self::WorkerFrozen,
        Self::PostgresKilled,
        Self::MessagesLost,
        Self::MessagesDoubled,
    ];

    /// Does it. Answers what there is to say of it.
    pub(super) async fn befall(self, system: &mut System, postgres: &Postgres, rng: &mut StdRng) -> String {
        let builder = rng.random_range(0..BUILDERS);
        let away = Duration::from_millis(rng.random_range(AWAY));
        match self {
            Self::BuilderKilled => killed(system, Part::Builder(builder), away).await,
            Self::BuilderStopped => {
                system.stop(Part::Builder(builder));
                system.revive(Part::Builder(builder)).await;
                format!(" {builder}")
            }
            Self::BuilderFrozen => frozen(system, Part::Builder(builder)).await,
            Self::ServerKilled => killed(system, Part::Server, away).await,
            Self::ServerFrozen => frozen(system, Part::Server).await,
            Self::WorkerKilled => killed(system, Part::Worker, away).await,
            Self::WorkerFrozen => frozen(system, Part::Worker).await,
            Self::PostgresKilled => {
                postgres.kill().await;
                sleep(away).await;
                postgres.resume();
                format!(" for {away:?}")
            }
            Self::MessagesLost => {
                gather(system).await;
                let lost = system.lose_messages().await;
                system.revive(Part::Worker).await;
                format!(": {lost}")
            }
            Self::MessagesDoubled => {
                gather(system).await;
                let doubled = system.double_messages().await;
                system.revive(Part::Worker).await;
                format!(": {doubled}")
            }
        }
    }
}

async fn killed(system: &mut System, part: Part, away: Duration) -> String {
    system.kill(part);
    sleep(away).await;
    system.revive(part).await;
    format!(" {part:?} for {away:?}")
}

async fn frozen(system: &mut System, part: Part) -> String {
    system.freeze(part);
    sleep(Duration::from_secs(u64::from(LEASE) + 2)).await;
    system.thaw(part);
    format!(" {part:?}")
}

/// Kills who takes messages, and waits until some are there.
async fn gather(system: &mut System) {
    system.kill(Part::Worker);
    let begun = Instant::now();
    while begun.elapsed() < GATHERING && system.messages_in("coordinator").await < 3 {
        sleep(Duration::from_millis(50)).await;
    }
}
