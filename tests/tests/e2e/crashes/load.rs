//! The builds that are asked for, and how each ought to end.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures::future::join_all;
use rand::{RngExt, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value as Json, json};
use toji_protocol::state::{BuildState, TaskState};
use toji_tests::{Golden, Hub, System};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};

/// Submissions under way at once.
const AT_ONCE: usize = 6;
/// How often a task is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How long one may take, with all that befalls it.
const LIMIT: Duration = Duration::from_secs(400);
/// Milliseconds after which a submission is cancelled.
const CANCELED_AFTER: std::ops::Range<u64> = 0..6000;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Good,
    Noarch,
    /// Takes a while.
    Sleeps,
    /// Its `%build` fails.
    Fails,
    /// Requires what nobody has.
    Lacks,
    /// The same name-version-release, at the same time by two.
    Twice,
    /// One, and one that waits until the first is in a repo.
    Follows,
    Scratch,
    /// Would take an hour.
    Canceled,
}

/// The first ones, so that each kind is there; the rest is drawn.
const FIRST: [Kind; 9] = [
    Kind::Good,
    Kind::Noarch,
    Kind::Sleeps,
    Kind::Fails,
    Kind::Lacks,
    Kind::Twice,
    Kind::Follows,
    Kind::Scratch,
    Kind::Canceled,
];
/// What the rest is drawn from.
const REST: [Kind; 16] = [
    Kind::Good,
    Kind::Good,
    Kind::Good,
    Kind::Good,
    Kind::Good,
    Kind::Noarch,
    Kind::Noarch,
    Kind::Sleeps,
    Kind::Sleeps,
    Kind::Fails,
    Kind::Lacks,
    Kind::Twice,
    Kind::Follows,
    Kind::Scratch,
    Kind::Canceled,
    Kind::Canceled,
];

/// How a task has ended.
#[derive(Debug)]
pub(super) struct Ended {
    kind: Kind,
    nvr: String,
    task: i64,
    state: TaskState,
    fault: String,
}

/// Everything that is asked for, with the milliseconds after which it is cancelled, where it is.
pub(super) struct Load(Vec<(Kind, u64)>);

impl Load {
    /// So many builds.
    pub(super) fn draw(rng: &mut StdRng, builds: usize) -> Self {
        let mut kinds: Vec<Kind> = FIRST.into_iter().take(builds).collect();
        kinds.extend((kinds.len()..builds).map(|_| REST[rng.random_range(0..REST.len())]));
        kinds.shuffle(rng);
        Self(kinds.into_iter().map(|kind| (kind, rng.random_range(CANCELED_AFTER))).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Asks for all, some at once, and follows them to their ends.
    pub(super) async fn run(self, hub: Hub, folder: PathBuf) -> Vec<Ended> {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let each = (1..).zip(self.0).map(|(release, (kind, after))| {
            let (room, hub, folder) = (Arc::clone(&room), hub.clone(), folder.clone());
            tokio::spawn(async move {
                let _room = room.acquire_owned().await.expect("nobody closes it");
                Asked { hub, folder, kind, release, after: Duration::from_millis(after) }.run().await
            })
        });
        let ended = join_all(each.collect::<Vec<_>>()).await;
        ended.into_iter().flat_map(|ended| ended.expect("a submission is followed to its end")).collect()
    }
}

/// One submission, or two.
struct Asked {
    hub: Hub,
    folder: PathBuf,
    kind: Kind,
    release: u32,
    after: Duration,
}

impl Asked {
    async fn run(self) -> Vec<Ended> {
        let release = self.release;
        match self.kind {
            Kind::Good => vec![self.one(Golden::good(release), json!({})).await],
            Kind::Noarch => vec![self.one(Golden::noarch(release), json!({})).await],
            Kind::Sleeps => vec![self.one(Golden::sleeps(release, "2.5"), json!({})).await],
            Kind::Fails => vec![self.one(Golden::fails_in_build(release), json!({})).await],
            Kind::Lacks => vec![self.one(Golden::needs_what_nobody_has(release), json!({})).await],
            Kind::Scratch => vec![self.one(Golden::good(release), json!({"scratch": true})).await],
            Kind::Twice => {
                let both = [self.one(Golden::good(release), json!({})), self.one(Golden::good(release), json!({}))];
                join_all(both).await
            }
            Kind::Follows => {
                let first = Golden::good(release);
                let opts = json!({"wait_builds": [first.nvr()]});
                let (first, second) = tokio::join!(self.one(first, json!({})), self.one(Golden::noarch(release), opts));
                vec![first, second]
            }
            Kind::Canceled => {
                let golden = Golden::sleeps(release, "3600");
                let task = self.ask(&golden, json!({})).await;
                sleep(self.after).await;
                self.hub.call("cancelTask", json!([task])).await;
                vec![self.end(golden.nvr(), task).await]
            }
        }
    }

    async fn one(&self, golden: Golden, opts: Json) -> Ended {
        let task = self.ask(&golden, opts).await;
        self.end(golden.nvr(), task).await
    }

    async fn ask(&self, golden: &Golden, opts: Json) -> i64 {
        let folder = self.folder.join(format!("{:08x}", rand::random::<u32>()));
        std::fs::create_dir(&folder).expect("a new folder");
        self.hub.build(&golden.srpm(&folder), opts).await
    }

    async fn end(&self, nvr: String, task: i64) -> Ended {
        let begun = Instant::now();
        loop {
            let state = self.hub.task_state(task).await;
            if state.is_final() {
                let fault = if state == TaskState::Failed { self.hub.fault(task).await } else { String::new() };
                return Ended { kind: self.kind, nvr, task, state, fault };
            }
            assert!(begun.elapsed() < LIMIT, "task {task} ({:?}, {nvr}) is {state} after {LIMIT:?}", self.kind);
            sleep(LOOK).await;
        }
    }
}

/// Sees to it that each has ended as its kind ought to.
pub(super) async fn all_ended_rightly(system: &System, ended: &[Ended]) {
    let mut wrong = Vec::new();
    for one in ended {
        let others: Vec<&Ended> = ended.iter().filter(|other| other.nvr == one.nvr && other.task != one.task).collect();
        if !is_right(one, &others) && !was_given_up(system, one).await {
            wrong.push(one);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for one in ended.iter().filter(|one| one.state == TaskState::Closed && one.kind != Kind::Scratch) {
        assert_eq!(system.hub.build_state(&one.nvr).await, BuildState::Complete, "{one:?}");
    }
}

fn is_right(one: &Ended, others: &[&Ended]) -> bool {
    let failed_with = |text: &str| one.state == TaskState::Failed && one.fault.contains(text);
    match one.kind {
        Kind::Good | Kind::Noarch | Kind::Sleeps | Kind::Follows | Kind::Scratch => one.state == TaskState::Closed,
        Kind::Fails => failed_with("the yeast is dead"),
        Kind::Lacks => failed_with("could not install what the build requires"),
        Kind::Canceled => one.state == TaskState::Canceled,
        // the other one was faster: its build is under way, or done
        Kind::Twice => {
            let other_is_well = others.iter().any(|other| other.state == TaskState::Closed);
            one.state == TaskState::Closed && !other_is_well || failed_with(&one.nvr) && other_is_well
        }
    }
}

/// Whether a task below it has lost so many builders that it was given up, which is right, too.
async fn was_given_up(system: &System, one: &Ended) -> bool {
    let most =
        "SELECT coalesce(max(lost), 0) FROM (SELECT count(*) AS lost FROM task_run JOIN task ON task.id = task_id
        WHERE task.parent = $1 AND outcome = 'lost' GROUP BY task.id) AS counts";
    let lost: i64 = sqlx::query_scalar(most).bind(one.task).fetch_one(&system.database.pool).await.unwrap();
    let is_given_up = one.state == TaskState::Failed && one.fault.contains("giving up") && lost >= 4;
    if is_given_up {
        println!("given up: {one:?}");
    }
    is_given_up
}
