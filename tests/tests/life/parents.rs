//! Parent tasks as state machines: whoever advances them, however often, everything happens once.

use std::{future::Future, pin::pin, task::Poll, time::Duration};

use chrono::{DateTime, Utc};
use futures::future::{join, join_all, poll_fn};
use serde_json::{Value, json};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use toji_hub::coordinate;
use toji_protocol::{
    id::TaskId,
    queue_name::{ForCoordinator, HostOrder, QueueName},
};
use toji_repo::HttpFetch;

use crate::{
    builder::{self, Package, Trick},
    rpms,
    world::{Held, Host, World, new_id, seconds, start},
};

const METHODS: &[&str] = &["rebuildSRPM", "buildArch"];

/// A tag to build from and one to build into, and a package that may go there.
pub(crate) struct Farm {
    pub(crate) world: World,
    pub(crate) host: Host,
    pub(crate) hello: Package,
    fetch: HttpFetch,
}

impl Farm {
    pub(crate) async fn new(options: PgPoolOptions, connect: PgConnectOptions) -> Self {
        Self::with_hooks(options, connect, "").await
    }

    /// The same, with hooks, webhooks and added methods: their file.
    pub(crate) async fn with_hooks(options: PgPoolOptions, connect: PgConnectOptions, hooks: &str) -> Self {
        let pool: PgPool = options.max_connections(16).connect_with(connect).await.unwrap();
        let world = World::with_hooks(pool, hooks).await;
        let host = world.host("one", &["x86_64", "aarch64"], 90.0, METHODS).await;
        for tag in ["f", "f-build"] {
            world.ok("createTag", json!({"name": tag, "arches": "x86_64 aarch64"})).await;
        }
        world.ok("createBuildTarget", json!({"name": "f", "build_tag": "f-build", "dest_tag": "f"})).await;
        world.ok("packageListAdd", json!({"taginfo": "f", "pkginfo": "hello", "owner": "admin"})).await;
        Self { world, host, hello: rpms::hello(), fetch: HttpFetch::new().unwrap() }
    }

    /// Asks for a build of hello.
    pub(crate) async fn build(&self, now: DateTime<Utc>) -> i64 {
        let src = builder::client_upload(&self.world, &self.hello.source, now).await;
        self.world.ok_at("build", json!({"src": src, "target": "f"}), now).await.as_i64().unwrap()
    }

    /// Handles the coordinator's and the repo function's messages until there are none; each `times` at once.
    pub(crate) async fn pump(&self, times: usize, now: DateTime<Utc>) {
        loop {
            let advances = self.world.take(&QueueName::Coordinator).await;
            let repos = self.world.take(&QueueName::Repo).await;
            if advances.is_empty() && repos.is_empty() {
                return;
            }
            let advance = |body: &String| toji_coordinator_handle(&self.world, body.clone(), now);
            let steps = advances.iter().flat_map(|body| std::iter::repeat_n(body, times)).map(advance);
            let makes = repos.iter().flat_map(|body| std::iter::repeat_n(body, times));
            let makes = makes.map(|body| toji_repo::handle(&self.world.hub, body, now, &self.fetch));
            let (steps, makes) = join(join_all(steps), join_all(makes)).await;
            for done in steps {
                done.unwrap();
            }
            for done in makes {
                done.unwrap();
            }
        }
    }

    /// Does all of the builder's work, with messages handled `times` at once.
    pub(crate) async fn finish(&self, times: usize, trick: Trick, now: DateTime<Utc>) {
        loop {
            self.pump(times, now).await;
            let Some(held) = self.host.claim(&self.world, &new_id(), None, now).await.task else { return };
            let result = builder::work(&self.world, &self.host, &held, &self.hello, trick, now).await;
            builder::close(&self.world, &self.host, &held, &result, now).await;
        }
    }

    /// Goes on until the children for the architectures are claimed.
    pub(crate) async fn until_arches(&self, now: DateTime<Utc>) -> Vec<Held> {
        let mut arches = Vec::new();
        loop {
            self.pump(1, now).await;
            let Some(held) = self.host.claim(&self.world, &new_id(), None, now).await.task else { return arches };
            if held.method == "buildArch" {
                arches.push(held);
            } else {
                let result = builder::work(&self.world, &self.host, &held, &self.hello, Trick::None, now).await;
                builder::close(&self.world, &self.host, &held, &result, now).await;
            }
        }
    }

    /// A task's children, by label, with their states.
    pub(crate) async fn children(&self, task: i64) -> Vec<(String, i16)> {
        sqlx::query_as("SELECT coalesce(label, ''), state FROM task WHERE parent = $1 ORDER BY id")
            .bind(task)
            .fetch_all(&self.world.pool)
            .await
            .unwrap()
    }

    /// The build's state, by its number.
    pub(crate) async fn build_state(&self) -> i64 {
        self.world.count("SELECT state::bigint FROM build").await
    }

    /// hello is there once, whole and tagged.
    pub(crate) async fn is_whole(&self, task: i64) {
        let world = &self.world;
        assert_eq!(world.state(task).await, 2, "{:?}", world.task(task).await["result"]);
        let labels = ["waitrepo", "srpm", "x86_64", "aarch64", "tag"];
        let children = self.children(task).await;
        assert!(children.iter().all(|(label, state)| *state == 2 && labels.contains(&label.as_str())), "{children:?}");
        assert_eq!(self.build_state().await, 1);
        for (what, sql, count) in [
            ("RPMs", "SELECT count(*) FROM rpminfo", 3),
            ("fragments", "SELECT count(*) FROM rpm_fragment", 3),
            ("listings", "SELECT count(*) FROM tag_listing", 1),
            ("pending imports", "SELECT count(*) FROM pending_import", 0),
            ("messages", "SELECT count(*) FROM outbox", 0),
        ] {
            assert_eq!(world.count(sql).await, count, "{what}");
        }
        let keys = world.hub.store.list("packages/hello/1.0/1/").await.unwrap();
        assert_eq!(keys.iter().filter(|object| object.key.ends_with(".rpm")).count(), 3);
        let listed = world.ok("listTagged", json!({"tag": "f"})).await;
        assert_eq!(listed[0]["nvr"], "hello-1.0-1");
    }

    /// Of an import that was refused nothing is there.
    pub(crate) async fn is_nothing(&self, task: i64) {
        assert_eq!(self.world.state(task).await, 5);
        assert_eq!(self.build_state().await, 3);
        for sql in
            ["SELECT count(*) FROM rpminfo", "SELECT count(*) FROM pending_import", "SELECT count(*) FROM tag_listing"]
        {
            assert_eq!(self.world.count(sql).await, 0, "{sql}");
        }
        assert!(self.world.hub.store.list("packages/").await.unwrap().is_empty());
    }
}

/// What the coordinator's function does with a message.
async fn toji_coordinator_handle(world: &World, body: String, now: DateTime<Utc>) -> anyhow::Result<()> {
    match serde_json::from_str(&body)? {
        ForCoordinator::Advance(told) => advance(world, told.task, now).await,
        ForCoordinator::TagsChanged(told) => Ok(toji_hub::repo::auto::changed(&world.hub, &told.tags, now).await?),
    }
}

pub(crate) async fn advance(world: &World, task: TaskId, now: DateTime<Utc>) -> anyhow::Result<()> {
    Ok(Box::pin(coordinate::advance(&world.hub, task, now)).await?)
}

/// Runs `work` as a process that dies: it is dropped when it was polled so many times. Answers whether it ended before.
pub(crate) async fn crash_after<T>(polls: usize, work: impl Future<Output = T>) -> bool {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        work.as_mut().poll(cx).map(|_| true)
    })
    .await
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn advanced_by_many_at_once_it_happens_once(options: PgPoolOptions, connect: PgConnectOptions) {
    let farm = Farm::new(options, connect).await;
    let task = farm.build(start()).await;
    farm.finish(4, Trick::None, start()).await;
    farm.is_whole(task).await;
    assert_eq!(farm.world.count("SELECT count(*) FROM repo").await, 1);
    // and once it has ended, nothing brings it back
    let before = farm.world.dump().await;
    let again = (0..4).map(|_| advance(&farm.world, TaskId(task), start()));
    assert!(join_all(again).await.iter().all(Result::is_ok));
    assert_eq!(farm.world.dump().await, before);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn messages_lost_are_made_good_by_the_sweep(options: PgPoolOptions, connect: PgConnectOptions) {
    let farm = Farm::new(options, connect).await;
    let task = farm.build(start()).await;
    let mut now = start();
    for _ in 0..60 {
        now += seconds(11);
        // everything that was sent is lost
        for queue in [QueueName::Coordinator, QueueName::Repo] {
            farm.world.take(&queue).await;
        }
        farm.world.rescue(now).await;
        toji_hub::repo::passes::run_once(&farm.world.hub, now).await.unwrap();
        // and of what the sweeps send, only one round is handled
        let advances = farm.world.take(&QueueName::Coordinator).await;
        for body in advances {
            toji_coordinator_handle(&farm.world, body, now).await.unwrap();
        }
        for body in farm.world.take(&QueueName::Repo).await {
            toji_repo::handle(&farm.world.hub, &body, now, &farm.fetch).await.unwrap();
        }
        while let Some(held) = farm.host.claim(&farm.world, &new_id(), None, now).await.task {
            let result = builder::work(&farm.world, &farm.host, &held, &farm.hello, Trick::None, now).await;
            builder::close(&farm.world, &farm.host, &held, &result, now).await;
        }
        if farm.world.state(task).await == 2 {
            return farm.is_whole(task).await;
        }
    }
    panic!("the build does not end: {:?}", farm.children(task).await);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn two_children_that_end_at_once(options: PgPoolOptions, connect: PgConnectOptions) {
    let farm = Farm::new(options, connect).await;
    let task = farm.build(start()).await;
    let arches = farm.until_arches(start()).await;
    assert_eq!(arches.len(), 2);
    let mut results = Vec::new();
    for held in &arches {
        results.push(builder::work(&farm.world, &farm.host, held, &farm.hello, Trick::None, start()).await);
    }
    let closes = arches.iter().zip(&results).map(|(held, result)| async {
        builder::close(&farm.world, &farm.host, held, result, start()).await;
        // each end has the parent looked at, before any message is
        advance(&farm.world, TaskId(task), start()).await.unwrap();
    });
    // neither waits for the other for long
    tokio::time::timeout(Duration::from_secs(20), join_all(closes)).await.unwrap();
    farm.finish(1, Trick::None, start()).await;
    farm.is_whole(task).await;
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_child_that_fails_fails_the_build(options: PgPoolOptions, connect: PgConnectOptions) {
    let farm = Farm::new(options, connect).await;
    let world = &farm.world;
    let task = farm.build(start()).await;
    let arches = farm.until_arches(start()).await;
    world.orders(&farm.host).await;
    farm.host.fail(world, &arches[0], "cc1 was killed; see build.log", start()).await.unwrap();
    farm.pump(3, start()).await;
    assert_eq!((world.state(task).await, farm.build_state().await), (5, 3));
    assert_eq!(world.state(arches[1].id.0).await, 3);
    let order = HostOrder::Cancel { task_id: arches[1].id, attempt: arches[1].attempt };
    assert_eq!(world.orders(&farm.host).await, [order]);
    assert_eq!(farm.host.heartbeat(world, &arches[1..], start()).await, ["cancel"]);
    let error = world.attempt("getTaskResult", json!({"taskId": task}), start()).await.unwrap_err();
    assert_eq!(error.to_string(), "cc1 was killed; see build.log");

    // its name is free again, with the same id; complete, it is taken for ever
    let again = farm.build(start()).await;
    farm.finish(1, Trick::None, start()).await;
    farm.is_whole(again).await;
    let late = farm.build(start()).await;
    farm.finish(1, Trick::None, start()).await;
    assert_eq!(world.state(late).await, 5);
    let error = world.attempt("getTaskResult", json!({"taskId": late}), start()).await.unwrap_err();
    assert_eq!(error.to_string(), "Build already exists: hello-1.0-1 (it is complete; raise the release)");
    farm.is_whole(again).await;
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_cancel_goes_all_the_way_down(options: PgPoolOptions, connect: PgConnectOptions) {
    let farm = Farm::new(options, connect).await;
    let world = &farm.world;
    let task = farm.build(start()).await;
    let arches = farm.until_arches(start()).await;
    world.orders(&farm.host).await;
    // while it is being built, its name is taken
    let second = farm.build(start()).await;
    farm.finish(1, Trick::None, start()).await;
    assert_eq!((world.state(second).await, world.state(task).await), (5, 1));

    world.ok("cancelTask", json!({"task_id": task})).await;
    assert_eq!((world.state(task).await, farm.build_state().await), (3, 4));
    let orders = world.orders(&farm.host).await;
    for held in &arches {
        assert_eq!(world.state(held.id.0).await, 3);
        assert!(orders.contains(&HostOrder::Cancel { task_id: held.id, attempt: held.attempt }), "{orders:?}");
    }
    farm.pump(2, start()).await;
    assert_eq!(world.state(task).await, 3);
    let again = farm.build(start()).await;
    farm.finish(2, Trick::None, start()).await;
    farm.is_whole(again).await;
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_cancel_at_any_moment_leaves_nothing_running(options: PgPoolOptions, connect: PgConnectOptions) {
    let farm = Farm::new(options, connect).await;
    let world = &farm.world;
    for round in 0..12 {
        let task = farm.build(start()).await;
        for _ in 0..round % 4 {
            for body in world.take(&QueueName::Coordinator).await {
                toji_coordinator_handle(world, body, start()).await.unwrap();
            }
        }
        let steps = join_all((0..3).map(|_| advance(world, TaskId(task), start())));
        let (steps, _) = join(steps, world.attempt("cancelTask", json!({"task_id": task}), start())).await;
        assert!(steps.iter().all(Result::is_ok), "{steps:?}");
        assert_eq!(world.state(task).await, 3);
        let orphans = "SELECT count(*) FROM task JOIN task parent ON parent.id = task.parent
             WHERE task.state IN (0, 1, 4) AND parent.state IN (2, 3, 5)";
        assert_eq!(world.count(orphans).await, 0, "round {round}");
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_child_is_not_made_below_a_task_that_ends(options: PgPoolOptions, connect: PgConnectOptions) {
    let farm = Farm::new(options, connect).await;
    let world = &farm.world;
    let host = world.host("two", &["x86_64"], 90.0, &["m"]).await;
    for round in 0..25 {
        let parent = world.make("m", json!({"weight": 0.1}), start()).await;
        let held = host.take(world, start()).await;
        let child = json!({"method": "n", "arglist": [], "parent": parent, "label": "c"});
        let made = (0..3).map(|_| world.attempt("makeTask", child.clone(), start()));
        let cancel = async {
            if round % 2 == 0 {
                world.ok("cancelTask", json!({"task_id": parent})).await;
            }
        };
        let (made, ()) = join(join_all(made), cancel).await;
        let ids: Vec<&Value> = made.iter().flatten().collect();
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "one label, one child: {ids:?}");
        let orphans = "SELECT count(*) FROM task JOIN task parent ON parent.id = task.parent
             WHERE task.state IN (0, 1, 4) AND parent.state = 3";
        assert_eq!(world.count(orphans).await, 0, "round {round}");
        if round % 2 == 1 {
            host.close(world, &held, "done", start()).await.unwrap();
        }
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_coordinator_that_dies_anywhere(options: PgPoolOptions, connect: PgConnectOptions) {
    let farm = Farm::new(options, connect).await;
    let task = farm.build(start()).await;
    let mut polls = 1;
    loop {
        // each step dies later than the one before, until it gets through
        let tasks: Vec<i64> =
            sqlx::query_scalar("SELECT id FROM task WHERE coordinated AND state IN (0, 1) ORDER BY id")
                .fetch_all(&farm.world.pool)
                .await
                .unwrap();
        if tasks.is_empty() {
            break;
        }
        for parent in tasks {
            crash_after(polls, advance(&farm.world, TaskId(parent), start())).await;
        }
        polls += 1;
        for body in farm.world.take(&QueueName::Repo).await {
            toji_repo::handle(&farm.world.hub, &body, start(), &farm.fetch).await.unwrap();
        }
        farm.world.sweep(start()).await;
        if let Some(held) = farm.host.claim(&farm.world, &new_id(), None, start()).await.task {
            let result = builder::work(&farm.world, &farm.host, &held, &farm.hello, Trick::None, start()).await;
            builder::close(&farm.world, &farm.host, &held, &result, start()).await;
        }
        let half: i64 = farm
            .world
            .count("SELECT count(*) FROM rpminfo JOIN build ON build.id = build_id WHERE build.state <> 1")
            .await;
        assert_eq!(half, 0, "a build is whole or not there");
        assert!(polls < 3000, "the build does not end: {:?}", farm.children(task).await);
    }
    farm.world.sweep(start()).await;
    farm.is_whole(task).await;
}
