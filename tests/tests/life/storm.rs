//! Two builders, a hub, and everything that may go wrong, in random order: no task runs twice at once, none is lost, no stale
//! write lands.
//!
//! `TOJI_SOAK=<rounds>` runs so many rounds instead of a few, `TOJI_SEED=<seed>` begins with another one; a failure names its
//! seed.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::error::Error;
use toji_protocol::{
    queue::{Listener, Message},
    queue_name::{Bin, QueueName},
};

use crate::world::{Held, Host, World, fault, new_id, response, seconds, start};

const ROUNDS: u64 = 4;
const STEPS: usize = 300;
const METHODS: [&str; 2] = ["m", "n"];

/// A builder, as far as it remembers.
struct Builder {
    host: Host,
    held: Vec<Held>,
    /// Claims that were sent and whose answers have not come.
    asked: Vec<String>,
    /// Bells that it has received and not dealt with.
    bells: Vec<Message>,
}

struct Storm<'a> {
    world: &'a World,
    rng: StdRng,
    now: DateTime<Utc>,
    builders: Vec<Builder>,
    bin: Bin,
    listener: Listener,
    made: Vec<i64>,
    /// Whose each attempt is: it is never another's.
    owners: HashMap<(i64, i32), usize>,
    /// Every attempt that anybody ever held.
    past: Vec<(usize, Held)>,
    /// Ends that were accepted.
    ended: BTreeMap<i64, usize>,
    log: Vec<String>,
}

impl Storm<'_> {
    fn random(&mut self, below: usize) -> usize {
        self.rng.random_range(0..below)
    }

    async fn step(&mut self) {
        let who = self.random(2);
        let action = self.random(100);
        self.log.push(format!("{} builder {who} action {action}", (self.now - start()).num_seconds()));
        match action {
            0..12 => self.make().await,
            12..20 => self.ring(who).await,
            20..23 => self.lose_bell().await,
            23..26 => self.double_bell().await,
            26..38 => drop(self.claim(who).await),
            38..42 => self.claim_without_answer(who).await,
            42..47 => self.claim_again(who).await,
            47..58 => self.heartbeat(who).await,
            58..61 => self.crash(who),
            61..70 => self.now += seconds(self.rng.random_range(1..25)),
            70..77 => drop(self.world.rescue(self.now).await),
            77..79 => drop(self.world.sweep(self.now).await),
            79..87 => self.end(who).await,
            87..90 => self.hand_back(who).await,
            90..92 => self.cancel().await,
            92..94 => self.free().await,
            94..96 => self.assign().await,
            _ => self.write_late().await,
        }
        self.check().await;
    }

    async fn make(&mut self) {
        let method = METHODS[self.random(2)];
        let (priority, weight) = (self.random(30), 0.1 + self.rng.random::<f64>());
        let mut opts = json!({"priority": priority, "weight": weight});
        if self.random(8) == 0 {
            opts["assign"] = json!(if self.random(2) == 0 { "one" } else { "two" });
        }
        let task = self.world.make(method, opts, self.now).await;
        self.made.push(task);
    }

    /// A bell arrives, and the builder claims for it.
    async fn ring(&mut self, who: usize) {
        let messages = self.listener.receive(std::time::Duration::ZERO, 1).await.unwrap();
        self.builders[who].bells.extend(messages);
        let Some(bell) = self.builders[who].bells.pop() else { return };
        let left = self.claim(who).await;
        match left.as_str() {
            "nothing" => self.listener.delete(&bell).await.unwrap(),
            _ => self.listener.show_again(&bell, std::time::Duration::ZERO).await.unwrap(),
        }
    }

    async fn lose_bell(&mut self) {
        for bell in self.listener.receive(std::time::Duration::ZERO, 3).await.unwrap() {
            self.listener.delete(&bell).await.unwrap();
        }
    }

    async fn double_bell(&mut self) {
        for bell in self.listener.receive(std::time::Duration::ZERO, 1).await.unwrap() {
            self.world
                .hub
                .queues
                .send(&QueueName::Bin(self.bin.clone()), std::slice::from_ref(&bell.body))
                .await
                .unwrap();
            self.listener.show_again(&bell, std::time::Duration::ZERO).await.unwrap();
        }
    }

    /// Claims; answers what is left in the bin.
    async fn claim(&mut self, who: usize) -> String {
        let claimed = self.builders[who].host.claim(self.world, &new_id(), Some(&self.bin), self.now).await;
        if let Some(held) = claimed.task {
            self.hold(who, held);
        }
        claimed.left
    }

    fn hold(&mut self, who: usize, held: Held) {
        let owner = *self.owners.entry((held.id.0, held.attempt)).or_insert(who);
        assert_eq!(owner, who, "attempt {} at {} is two builders'", held.attempt, held.id);
        self.past.push((who, held.clone()));
        let mine = &mut self.builders[who].held;
        mine.retain(|had| had.id != held.id);
        mine.push(held);
    }

    /// The claim arrives, its answer does not.
    async fn claim_without_answer(&mut self, who: usize) {
        let id = new_id();
        self.builders[who].host.claim(self.world, &id, None, self.now).await;
        self.builders[who].asked.push(id);
    }

    async fn claim_again(&mut self, who: usize) {
        let Some(id) = self.builders[who].asked.pop() else { return };
        let claimed = self.builders[who].host.claim(self.world, &id, None, self.now).await;
        if let Some(held) = claimed.task {
            self.hold(who, held);
        }
    }

    async fn heartbeat(&mut self, who: usize) {
        let held = self.builders[who].held.clone();
        let orders = self.builders[who].host.heartbeat(self.world, &held, self.now).await;
        for (held, order) in held.iter().zip(&orders) {
            if order == "continue" {
                let newest =
                    self.owners.keys().filter(|(task, _)| *task == held.id.0).map(|(_, attempt)| *attempt).max();
                assert_eq!(newest, Some(held.attempt), "{} goes on although a newer attempt was taken", held.id);
            }
        }
        let goes_on: HashSet<i64> =
            held.iter().zip(&orders).filter(|(_, order)| *order == "continue").map(|(held, _)| held.id.0).collect();
        self.builders[who].held.retain(|held| goes_on.contains(&held.id.0));
    }

    /// It dies, and another process takes its place, which knows nothing.
    fn crash(&mut self, who: usize) {
        let builder = &mut self.builders[who];
        builder.held.clear();
        builder.asked.clear();
        builder.bells.clear();
    }

    async fn end(&mut self, who: usize) {
        if self.builders[who].held.is_empty() {
            return;
        }
        let at = self.random(self.builders[who].held.len());
        let held = self.builders[who].held.swap_remove(at);
        let host = self.builders[who].host.clone();
        let (is_well, is_told_twice) = (self.random(3) > 0, self.random(3) == 0);
        let is_held = self.is_held(who, &held).await;
        let told = tell_end(self.world, &host, &held, is_well, self.now).await;
        match told {
            Ok(_) => {
                assert!(is_held, "a stale end of {} was accepted", held.id);
                *self.ended.entry(held.id.0).or_default() += 1;
                if is_told_twice {
                    tell_end(self.world, &host, &held, is_well, self.now).await.unwrap();
                }
            }
            Err(Error::Conflict(_)) => assert!(!is_held, "the end of {} was refused", held.id),
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn hand_back(&mut self, who: usize) {
        let Some(held) = self.builders[who].held.pop() else { return };
        let is_held = self.is_held(who, &held).await;
        let arguments = held.with(json!({"reason": "storm", "refuse": self.random(2) == 0}));
        let told = self.builders[who].host.call(self.world, "host.handBack", arguments, self.now).await;
        assert_eq!(told.is_ok(), is_held, "{told:?}");
    }

    fn any_task(&mut self) -> Option<i64> {
        if self.made.is_empty() {
            return None;
        }
        let at = self.random(self.made.len());
        Some(self.made[at])
    }

    async fn cancel(&mut self) {
        let Some(task) = self.any_task() else { return };
        self.world.ok_at("cancelTask", json!({"task_id": task}), self.now).await;
    }

    async fn free(&mut self) {
        let Some(task) = self.any_task() else { return };
        let is_final = self.is_final(task).await;
        let freed = self.world.attempt("freeTask", json!({"task_id": task}), self.now).await;
        assert_eq!(freed.is_err(), is_final);
    }

    async fn assign(&mut self) {
        let Some(task) = self.any_task() else { return };
        let (host, force) = (["one", "two"][self.random(2)], self.random(2) == 0);
        let is_final = self.is_final(task).await;
        let arguments = json!({"task_id": task, "host": host, "force": force});
        assert_eq!(self.world.attempt("assignTask", arguments, self.now).await.is_err(), is_final);
    }

    /// Somebody who held a task once writes for it.
    async fn write_late(&mut self) {
        if self.past.is_empty() {
            return;
        }
        let at = self.random(self.past.len());
        let (who, held) = self.past[at].clone();
        if self.is_held(who, &held).await {
            return;
        }
        let (method, others) = match self.random(5) {
            0 => ("host.closeTask", json!({"response": response(&"late")})),
            1 => ("host.failTask", json!({"response": fault("late")})),
            2 => ("host.handBack", json!({"reason": "late", "refuse": true})),
            3 => ("host.setTaskWeight", json!({"weight": 3.0})),
            _ => ("host.startUpload", json!({"files": []})),
        };
        let before = self.rows(held.id.0).await;
        let told = self.builders[who].host.call(self.world, method, held.with(others), self.now).await;
        assert!(matches!(told, Err(Error::Conflict(_))), "{method} by a stale attempt: {told:?}");
        assert_eq!(self.rows(held.id.0).await, before, "{method} by a stale attempt has landed");
    }

    async fn rows(&self, task: i64) -> Value {
        sqlx::query_scalar(
            "SELECT jsonb_build_array((SELECT to_jsonb(t) FROM task t WHERE id = $1),
                 (SELECT jsonb_agg(to_jsonb(r) ORDER BY attempt) FROM task_run r WHERE task_id = $1),
                 (SELECT jsonb_agg(to_jsonb(r) ORDER BY host_id) FROM task_refusal r WHERE task_id = $1))",
        )
        .bind(task)
        .fetch_one(&self.world.pool)
        .await
        .unwrap()
    }

    async fn is_held(&self, who: usize, held: &Held) -> bool {
        let row = self.world.task(held.id.0).await;
        row["state"] == 1 && row["attempt"] == held.attempt && row["host_id"] == self.builders[who].host.id.0
    }

    async fn is_final(&self, task: i64) -> bool {
        matches!(self.world.state(task).await, 2 | 3 | 5)
    }

    /// What is true at any time.
    async fn check(&self) {
        let broken: Vec<String> = sqlx::query_scalar(
            "SELECT 'task ' || task.id || ' runs, and not once' FROM task WHERE task.id = ANY($1)
                 AND (state = 1)::int <> (SELECT count(*) FROM task_run WHERE task_id = task.id AND end_time IS NULL)
             UNION ALL
             SELECT 'task ' || task.id || ' has another attempt than its last run' FROM task WHERE task.id = ANY($1) AND attempt > 0
                 AND attempt <> (SELECT max(attempt) FROM task_run WHERE task_id = task.id)
             UNION ALL
             SELECT 'task ' || task.id || ' and its run are two hosts''' FROM task JOIN task_run ON task_id = task.id
                 AND task_run.attempt = task.attempt WHERE task.id = ANY($1) AND state = 1 AND task.host_id <> task_run.host_id",
        )
        .bind(&self.made)
        .fetch_all(&self.world.pool)
        .await
        .unwrap();
        assert_eq!(broken, [""; 0], "after {:?}", self.log.iter().rev().take(20).collect::<Vec<_>>());
        // two builders may believe in one task, but only one of them is told to go on
        for (task, count) in &self.ended {
            assert_eq!(*count, 1, "task {task} ended {count} times");
        }
    }

    /// The storm is over: one builder lives. Everything ends.
    async fn calm(&mut self) {
        self.crash(0);
        self.crash(1);
        for _ in 0..200 {
            self.now += seconds(10);
            self.world.rescue(self.now).await;
            self.world.sweep(self.now).await;
            self.claim(0).await;
            while !self.builders[0].held.is_empty() {
                self.end(0).await;
                self.claim(0).await;
            }
            self.check().await;
            let mut live = 0;
            for task in &self.made {
                live += usize::from(!self.is_final(*task).await);
            }
            if live == 0 {
                assert_eq!(self.world.count("SELECT count(*) FROM outbox").await, 0);
                return;
            }
        }
        panic!("tasks are lost: {:?}", self.world.dump().await["task"]);
    }
}

async fn tell_end(world: &World, host: &Host, held: &Held, is_well: bool, now: DateTime<Utc>) -> Result<Value, Error> {
    let text = format!("attempt {}", held.attempt);
    if is_well { host.close(world, held, &text, now).await } else { host.fail(world, held, &text, now).await }
}

fn from_env(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |value| value.parse().unwrap())
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn nothing_is_lost_and_nothing_runs_twice(pool: PgPool) {
    let world = World::new(pool).await;
    let one = world.host("one", &["x86_64"], 6.0, &METHODS).await;
    let two = world.host("two", &["x86_64"], 6.0, &METHODS).await;
    let bin = world.bin("default", "noarch").await;
    let first = from_env("TOJI_SEED", 1);
    for seed in first..first + from_env("TOJI_SOAK", ROUNDS) {
        println!("TOJI_SEED={seed}");
        let builder =
            |host: &Host| Builder { host: host.clone(), held: Vec::new(), asked: Vec::new(), bells: Vec::new() };
        let mut storm = Storm {
            world: &world,
            rng: StdRng::seed_from_u64(seed),
            now: start() + seconds(100_000 * seed as i64),
            builders: vec![builder(&one), builder(&two)],
            bin: bin.clone(),
            listener: world.hub.queues.listener(&QueueName::Bin(bin.clone())).await.unwrap(),
            made: Vec::new(),
            owners: HashMap::new(),
            past: Vec::new(),
            ended: BTreeMap::new(),
            log: Vec::new(),
        };
        for _ in 0..STEPS {
            storm.step().await;
        }
        storm.calm().await;
        let ran = storm.ended.len();
        assert!(ran > 5, "only {ran} tasks came to an end by themselves: the storm proves little");
    }
}
