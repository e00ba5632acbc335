//! The claim rule, seen over hours: hosts that come and ask, tasks that come and wait. `--nocapture` shows the waits.

use chrono::{DateTime, TimeDelta, Utc};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use toji_protocol::{
    id::{ChannelId, TaskId},
    queue_name::Bin,
};

use super::{LINE, Load, PATIENCE, Waiting, takeable_by};

/// Light tasks pass for ever.
const NO_RULE: TimeDelta = TimeDelta::MAX;
/// Seconds that tasks keep coming.
const STREAM: i64 = 3 * 3600;
/// By then all have begun, or one waits for ever.
const END: i64 = 8 * 3600;
/// A heavy task every so many seconds: one at a time.
const HEAVY_EVERY: i64 = 3000;

/// How light tasks come.
#[derive(Clone, Copy, Debug)]
enum Stream {
    /// As soon as fewer than so many wait: hosts are always full.
    Full(usize),
    /// At random, so that they ask for this share of what the hosts can do.
    Share(f64),
}

/// What comes, and to how many.
#[derive(Clone, Copy, Debug)]
struct Farm {
    hosts: usize,
    capacity: f64,
    /// Weights of light tasks, evenly.
    light: (f64, f64),
    /// Seconds that they run, evenly.
    runs: (i64, i64),
    heavy: f64,
    heavy_runs: i64,
    stream: Stream,
    /// Priorities, evenly.
    priorities: i32,
}

const fn farm(hosts: usize, capacity: f64, light: (f64, f64), runs: (i64, i64), heavy: f64, stream: Stream) -> Farm {
    Farm { hosts, capacity, light, runs, heavy, heavy_runs: 600, stream, priorities: 1 }
}

const FULL: [Farm; 4] = [
    farm(1, 4.0, (1.5, 1.5), (40, 80), 9.0, Stream::Full(3)),
    farm(3, 4.0, (0.2, 2.0), (20, 240), 9.0, Stream::Full(10)),
    farm(5, 8.0, (1.5, 3.0), (30, 120), 19.5, Stream::Full(5)),
    farm(8, 6.0, (0.5, 1.5), (10, 600), 12.0, Stream::Full(40)),
];
const SHARED: [Farm; 3] = [
    farm(2, 4.0, (1.5, 1.5), (30, 90), 9.0, Stream::Share(0.3)),
    farm(4, 6.0, (1.0, 2.0), (30, 90), 14.0, Stream::Share(0.6)),
    farm(8, 2.0, (0.5, 1.5), (10, 600), 12.0, Stream::Share(0.9)),
];

#[derive(Clone, Debug)]
struct Job {
    waiting: Waiting,
    priority: i32,
    runs: i64,
    begun: Option<i64>,
}

struct Host {
    /// When each of its tasks ends, and what it weighs.
    running: Vec<(i64, f64)>,
}

struct Simulation {
    farm: Farm,
    patience: TimeDelta,
    rng: StdRng,
    hosts: Vec<Host>,
    jobs: Vec<Job>,
    /// Jobs that wait, in Koji's order.
    line: Vec<usize>,
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(second)
}

impl Farm {
    fn run(self, seed: u64, patience: TimeDelta) -> Vec<Job> {
        let hosts = (0..self.hosts).map(|_| Host { running: Vec::new() }).collect();
        let rng = StdRng::seed_from_u64(seed);
        let mut simulation = Simulation { farm: self, patience, rng, hosts, jobs: Vec::new(), line: Vec::new() };
        for second in 0..END {
            simulation.second(second);
            if second > STREAM && simulation.line.is_empty() {
                break;
            }
        }
        simulation.jobs
    }

    /// Light tasks a second that ask for a share of what the hosts can do.
    fn rate(&self, share: f64) -> f64 {
        let weight = (self.light.0 + self.light.1) / 2.0;
        let runs = (self.runs.0 + self.runs.1) as f64 / 2.0;
        share * self.hosts as f64 * self.capacity / weight / runs
    }
}

impl Simulation {
    fn second(&mut self, second: i64) {
        for host in &mut self.hosts {
            host.running.retain(|(ends, _)| *ends > second);
        }
        if second < STREAM {
            for _ in 0..self.come_now() {
                let weight = self.rng.random_range(self.farm.light.0..=self.farm.light.1);
                let runs = self.rng.random_range(self.farm.runs.0..=self.farm.runs.1);
                self.comes(second, weight, runs);
            }
            if second % HEAVY_EVERY == HEAVY_EVERY / 2 {
                self.comes(second, self.farm.heavy, self.farm.heavy_runs);
            }
        }
        let mut order: Vec<usize> = (0..self.hosts.len()).collect();
        order.shuffle(&mut self.rng);
        for host in order {
            while self.claims(host, second) {}
        }
    }

    /// How many light tasks come in this second.
    fn come_now(&mut self) -> usize {
        match self.farm.stream {
            Stream::Full(least) => {
                let is_light = |job: &&usize| self.jobs[**job].waiting.weight < self.farm.heavy;
                least.saturating_sub(self.line.iter().filter(is_light).count())
            }
            Stream::Share(share) => {
                let rate = self.farm.rate(share);
                rate.floor() as usize + usize::from(self.rng.random_bool(rate.fract()))
            }
        }
    }

    fn comes(&mut self, second: i64, weight: f64, runs: i64) {
        let id = TaskId(self.jobs.len() as i64 + 1);
        let bin = Bin::new(ChannelId(1), "x86_64");
        let waiting = Waiting { id, bin, weight, since: at(second), is_assigned: false };
        let priority = self.rng.random_range(0..self.farm.priorities);
        self.jobs.push(Job { waiting, priority, runs, begun: None });
        let jobs = &self.jobs;
        let place = self.line.partition_point(|other| jobs[*other].priority <= priority);
        self.line.insert(place, self.jobs.len() - 1);
    }

    fn claims(&mut self, host: usize, second: i64) -> bool {
        let running = &self.hosts[host].running;
        let weight = running.iter().map(|(_, weight)| weight).sum();
        let load = Load { capacity: self.farm.capacity, weight, tasks: running.len() as i64, max_tasks: 20 };
        let line: Vec<Waiting> =
            self.line.iter().take(LINE as usize).map(|job| self.jobs[*job].waiting.clone()).collect();
        let Some(taken) = takeable_by(self.patience, &load, &line, at(second)).first().map(|task| task.id) else {
            return false;
        };
        let place = self.line.iter().position(|job| self.jobs[*job].waiting.id == taken).expect("it is in the line");
        let job = &mut self.jobs[self.line.remove(place)];
        job.begun = Some(second);
        self.hosts[host].running.push((second + job.runs, job.waiting.weight));
        true
    }
}

/// Seconds that each has waited, in order; None = for ever.
fn waits<'a>(jobs: impl Iterator<Item = &'a Job>) -> Vec<Option<i64>> {
    let waited = |job: &Job| job.begun.map(|begun| (at(begun) - job.waiting.since).num_seconds());
    let mut waits: Vec<Option<i64>> = jobs.map(waited).collect();
    waits.sort_by_key(|wait| wait.unwrap_or(i64::MAX));
    waits
}

/// Half, 99 of 100, and all have waited no longer.
fn told(waits: &[Option<i64>]) -> String {
    let part = |part: f64| waits[((waits.len() - 1) as f64 * part).round() as usize];
    let seconds = |wait: Option<i64>| wait.map_or("for ever".to_owned(), |wait| format!("{wait} s"));
    format!("p50 {}, p99 {}, max {}", seconds(part(0.5)), seconds(part(0.99)), seconds(part(1.0)))
}

fn parted(farm: Farm, jobs: &[Job]) -> (Vec<Option<i64>>, Vec<Option<i64>>) {
    let is_heavy = |job: &&Job| job.waiting.weight >= farm.heavy;
    (waits(jobs.iter().filter(|job| !is_heavy(job))), waits(jobs.iter().filter(is_heavy)))
}

#[test]
fn heavy_tasks_begin_soon_after_their_patience() {
    for farm in FULL {
        println!("{farm:?}");
        for seed in 1..=2 {
            let (light, heavy) = parted(farm, &farm.run(seed, PATIENCE));
            println!("  {} light: {}\n  {} heavy: {}", light.len(), told(&light), heavy.len(), told(&heavy));
            let longest = PATIENCE.num_seconds() + farm.runs.1;
            assert!(heavy.iter().all(|wait| wait.is_some_and(|wait| wait <= longest + 1)), "{heavy:?} > {longest}");
            assert!(light.iter().all(Option::is_some), "seed {seed}: a light task waits for ever");

            let jobs = farm.run(seed, NO_RULE);
            let (light, heavy) = parted(farm, &jobs);
            println!(
                "  without it\n  {} light: {}\n  {} heavy: {}",
                light.len(),
                told(&light),
                heavy.len(),
                told(&heavy)
            );
            let mut heavy = jobs.iter().filter(|job| job.waiting.weight >= farm.heavy);
            assert!(heavy.all(|job| job.begun.is_none_or(|begun| begun >= STREAM)), "the rule changes nothing");
        }
    }
}

#[test]
fn no_task_waits_for_ever() {
    for (farm, priorities) in SHARED.into_iter().flat_map(|farm| [(farm, 1), (farm, 3)]) {
        let farm = Farm { priorities, ..farm };
        println!("{farm:?}");
        for seed in 1..=2 {
            let (light, heavy) = parted(farm, &farm.run(seed, PATIENCE));
            println!("  {} light: {}\n  {} heavy: {}", light.len(), told(&light), heavy.len(), told(&heavy));
            assert!(light.iter().chain(&heavy).all(Option::is_some), "seed {seed}");
        }
    }
}

/// Of tasks of one weight, none begins before another that has the lower number and was there, or is as urgent and older.
#[test]
fn equal_tasks_begin_by_priority_then_age() {
    for farm in SHARED.into_iter().chain(FULL) {
        let farm = Farm { light: (1.5, 1.5), priorities: 3, ..farm };
        let jobs = farm.run(7, PATIENCE);
        let light: Vec<&Job> = jobs.iter().filter(|job| job.waiting.weight < farm.heavy).collect();
        for (place, one) in light.iter().enumerate() {
            for other in light[place + 1..].iter().take(200) {
                let came = (other.waiting.since - at(0)).num_seconds();
                let both_waited = one.begun.is_none_or(|begun| begun > came);
                if both_waited && one.priority <= other.priority {
                    assert!(one.begun.unwrap_or(END) <= other.begun.unwrap_or(END), "{one:?} {other:?}");
                }
                if both_waited && one.priority > other.priority {
                    assert!(other.begun.unwrap_or(END) <= one.begun.unwrap_or(END), "{one:?} {other:?}");
                }
            }
        }
    }
}
