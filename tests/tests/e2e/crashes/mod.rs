//! Builds go on while builders, the server, the coordinator, Postgres and the queues are killed, halted and robbed of messages.
//!
//! `TOJI_SOAK=<times>` makes it long: ten builds for each of the times, and harm until the last of them has ended. `TOJI_SEED=<seed>`
//! asks for the same builds and the same harm in the same order; the seed of each run is printed.

mod harm;
mod left;
mod load;

use std::{collections::BTreeMap, env, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use toji_tests::{Part, Postgres, System, Wishes};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use harm::Harm;
use load::{Ended, Load};

const BUILDERS: usize = 3;
/// Seconds that a silent builder keeps its task.
const LEASE: u32 = 4;
/// Builds for each of the times.
const BUILDS: usize = 10;
/// Milliseconds between two harms.
const PAUSE: std::ops::Range<u64> = 500..1500;
const LONG_PAUSE: std::ops::Range<u64> = 1000..5000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_build_is_lost_or_doubled() {
    let times: Option<usize> = env::var("TOJI_SOAK").ok().map(|times| times.parse().expect("TOJI_SOAK is a number"));
    let seed = env::var("TOJI_SEED")
        .map_or(if times.is_some() { rand::random() } else { 1 }, |seed| seed.parse().expect("TOJI_SEED is a number"));
    println!("TOJI_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let postgres = Postgres::durable();
    let url = Some(postgres.url.clone());
    let wishes = Wishes { builders: BUILDERS, lease: LEASE, postgres: url, is_split: true, ..Wishes::default() };
    let mut system = System::start(wishes).await;

    let begun = Instant::now();
    let load = Load::draw(&mut rng, BUILDS * times.unwrap_or(1));
    let wanted = load.len();
    let running = tokio::spawn(load.run(system.hub.clone(), system.folder("sources")));
    let harmed = match times {
        Some(_) => harm_until_all_end(&mut system, &postgres, &mut rng, &running).await,
        None => harm_once_each(&mut system, &postgres, &mut rng).await,
    };
    let ended = running.await.expect("the builds are followed to their end");
    let lasted = begun.elapsed();

    left::nothing_is_under_way(&system, BUILDERS).await;
    let figures = Figures::take(&system, lasted, harmed, wanted).await;
    println!("{figures}");
    load::all_ended_rightly(&system, &ended).await;
    left::nothing_is_doubled(&system).await;
    left::repos_are_whole(&system).await;
    left::nothing_is_left_after_the_sweep(&mut system).await;
}

/// Each harm once, in an order of the seed's.
async fn harm_once_each(system: &mut System, postgres: &Postgres, rng: &mut StdRng) -> BTreeMap<Harm, usize> {
    let mut all = Harm::ALL;
    all.shuffle(rng);
    let mut harmed = BTreeMap::new();
    for harm in all {
        sleep(Duration::from_millis(rng.random_range(PAUSE))).await;
        befall(harm, system, postgres, rng).await;
        *harmed.entry(harm).or_default() += 1;
    }
    harmed
}

/// One harm after another, until the builds have ended.
async fn harm_until_all_end(
    system: &mut System,
    postgres: &Postgres,
    rng: &mut StdRng,
    running: &JoinHandle<Vec<Ended>>,
) -> BTreeMap<Harm, usize> {
    let mut harmed = BTreeMap::new();
    while !running.is_finished() {
        sleep(Duration::from_millis(rng.random_range(LONG_PAUSE))).await;
        let harm = Harm::ALL[rng.random_range(0..Harm::ALL.len())];
        befall(harm, system, postgres, rng).await;
        *harmed.entry(harm).or_default() += 1;
    }
    harmed
}

async fn befall(harm: Harm, system: &mut System, postgres: &Postgres, rng: &mut StdRng) {
    let said = harm.befall(system, postgres, rng).await;
    println!("{harm:?}{said}");
    for part in [Part::Server, Part::Worker].into_iter().chain((0..BUILDERS).map(Part::Builder)) {
        assert!(!system.has_ended(part), "{part:?} has ended by itself after {harm:?}");
    }
}

/// What is told at the end.
struct Figures {
    builds: usize,
    lasted: Duration,
    harmed: BTreeMap<Harm, usize>,
    /// Attempts by how they ended.
    attempts: Vec<(String, i64)>,
}

impl Figures {
    async fn take(system: &System, lasted: Duration, harmed: BTreeMap<Harm, usize>, builds: usize) -> Self {
        let attempts = "SELECT coalesce(outcome, 'none'), count(*) FROM task_run GROUP BY 1 ORDER BY 1";
        let attempts = sqlx::query_as(attempts).fetch_all(&system.database.pool).await.unwrap();
        Self { builds, lasted, harmed, attempts }
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let harms: usize = self.harmed.values().sum();
        writeln!(f, "{} submissions in {:.0} s, {harms} harms", self.builds, self.lasted.as_secs_f64())?;
        writeln!(f, "harms: {:?}", self.harmed)?;
        write!(f, "attempts: {:?}", self.attempts)
    }
}
