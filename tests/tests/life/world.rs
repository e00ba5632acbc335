//! A hub with an admin, its queues and its bucket; and hosts that claim.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::{
    Hub,
    call::{Auth, InnerCall, Reply, Request},
    config::Config,
    error::Error,
    outbox,
    task::rescue,
    user,
};
use toji_keyring::Keyring;
use toji_local::cloud::Cloud;
use toji_protocol::{
    id::{HostId, TaskId},
    queue::Message,
    queue_name::{Bin, HostOrder, QueueName},
};
use toji_remote::Outside;

/// The admin's token.
pub(crate) const ADMIN: &str = "the admin's token";

/// A hub and what it stands on.
pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) pool: PgPool,
    _cloud: Cloud,
    _dir: tempfile::TempDir,
}

/// A host, with the token that its builder calls with.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) id: HostId,
    pub(crate) token: String,
}

/// A task that a host holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Held {
    pub(crate) id: TaskId,
    pub(crate) attempt: i32,
    pub(crate) method: String,
    pub(crate) request: Value,
}

/// The answer to a claim.
pub(crate) struct Claimed {
    pub(crate) task: Option<Held>,
    pub(crate) left: String,
}

impl Claimed {
    pub(crate) fn id(&self) -> Option<i64> {
        self.task.as_ref().map(|task| task.id.0)
    }
}

/// When every test begins. The outbox is stamped by the database's clock, which is far behind: so a sweep sees all of it.
pub(crate) fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000, 0).unwrap()
}

pub(crate) fn seconds(seconds: i64) -> TimeDelta {
    TimeDelta::seconds(seconds)
}

impl World {
    pub(crate) async fn new(pool: PgPool) -> Self {
        Self::with_hooks(pool, "").await
    }

    /// The same, with hooks, webhooks and added methods: their file.
    pub(crate) async fn with_hooks(pool: PgPool, hooks: &str) -> Self {
        Self::with(pool, hooks, Keyring::default()).await
    }

    /// The same, with hooks and signing keys.
    pub(crate) async fn with(pool: PgPool, hooks: &str, keyring: Keyring) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cloud = Cloud::serve(dir.path()).await.unwrap();
        let callbacks = Arc::new(hooks.parse().unwrap());
        let remote = Arc::new(Outside::new().await.unwrap());
        let config = Config { lease: seconds(30), callbacks, remote, keyring, ..Config::default() };
        let (store, queues) = (cloud.store().await.unwrap(), cloud.queues().await);
        let hub = Hub::new(pool.clone(), store, queues, cloud.queue_credentials(), config);
        user::bootstrap_admin(&hub, "admin", ADMIN, start()).await.unwrap();
        Self { hub, pool, _cloud: cloud, _dir: dir }
    }

    /// Calls a method with a token, at a time.
    pub(crate) async fn call(
        &self,
        token: &str,
        method: &str,
        arguments: Value,
        now: DateTime<Utc>,
    ) -> Result<Value, Error> {
        let request = Request {
            method: method.to_owned(),
            positional: Vec::new(),
            named: serde_json::from_value(arguments).unwrap(),
            auth: Auth::Bearer(token.to_owned()),
            idempotency_key: None,
            now,
        };
        // on the heap: the types of what awaits what grow too deep for the compiler otherwise
        let reply = Box::pin(self.hub.call(request)).await?;
        Ok(serde_json::to_value(&*reply).unwrap())
    }

    /// An admin's call that must succeed.
    pub(crate) async fn ok(&self, method: &str, arguments: Value) -> Value {
        self.ok_at(method, arguments, start()).await
    }

    pub(crate) async fn ok_at(&self, method: &str, arguments: Value, now: DateTime<Utc>) -> Value {
        match self.call(ADMIN, method, arguments.clone(), now).await {
            Ok(reply) => reply,
            Err(error) => panic!("{method}({arguments}) failed: {error:?}"),
        }
    }

    /// An admin's call that may fail by a rule, but not by our fault.
    pub(crate) async fn attempt(&self, method: &str, arguments: Value, now: DateTime<Utc>) -> Result<Value, Error> {
        let reply = self.call(ADMIN, method, arguments.clone(), now).await;
        if let Err(error @ (Error::Internal(_) | Error::Unavailable(_) | Error::Deadlock(_))) = &reply {
            panic!("{method}({arguments}): {error:?}");
        }
        reply
    }

    /// An admin's multicall: each call's answer, or its fault.
    pub(crate) async fn multicall(&self, calls: Vec<(&str, Value)>) -> Vec<Result<Value, (i32, String)>> {
        let inner = |(method, arguments): (&str, Value)| InnerCall {
            method: method.to_owned(),
            positional: Vec::new(),
            named: serde_json::from_value(arguments).unwrap(),
        };
        let auth = Auth::Bearer(ADMIN.to_owned());
        let outer = Request {
            method: "multiCall".to_owned(),
            positional: Vec::new(),
            named: serde_json::from_value(json!({})).unwrap(),
            auth: auth.clone(),
            idempotency_key: None,
            now: start(),
        };
        let replies = self.hub.multicall(auth, calls.into_iter().map(inner).collect(), &outer).await.unwrap();
        let shown = |reply: Result<Reply, Error>| match reply {
            Ok(reply) => Ok(serde_json::to_value(&*reply).unwrap()),
            Err(error) => Err((error.fault_code(), error.to_string())),
        };
        replies.into_iter().map(shown).collect()
    }

    /// Enrols a host and tells what it can do.
    pub(crate) async fn host(&self, name: &str, arches: &[&str], capacity: f64, methods: &[&str]) -> Host {
        let enrolled = self.ok("enrolHost", json!({"name": name, "arches": arches, "capacity": capacity})).await;
        let host = Host {
            id: HostId(enrolled["host_id"].as_i64().unwrap()),
            token: enrolled["token"].as_str().unwrap().to_owned(),
        };
        host.ok(self, "host.attach", json!({"methods": methods, "max_jobs": 10}), start()).await;
        host
    }

    /// Makes a task; `opts` are `makeTask`'s.
    pub(crate) async fn make(&self, method: &str, opts: Value, now: DateTime<Utc>) -> i64 {
        let mut arguments = json!({"method": method, "arglist": []});
        arguments.as_object_mut().unwrap().extend(opts.as_object().unwrap().clone());
        self.ok_at("makeTask", arguments, now).await.as_i64().unwrap()
    }

    /// A task's row.
    pub(crate) async fn task(&self, task: i64) -> Value {
        sqlx::query_scalar("SELECT to_jsonb(task) FROM task WHERE id = $1")
            .bind(task)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// A task's state, by its number.
    pub(crate) async fn state(&self, task: i64) -> i64 {
        self.task(task).await["state"].as_i64().unwrap()
    }

    /// One number out of the database.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    /// Every row that a builder's writes may touch.
    pub(crate) async fn dump(&self) -> Value {
        sqlx::query_scalar(
            "SELECT jsonb_build_object(
                 'task', (SELECT jsonb_agg(to_jsonb(t) ORDER BY id) FROM task t),
                 'run', (SELECT jsonb_agg(to_jsonb(t) ORDER BY task_id, attempt) FROM task_run t),
                 'refusal', (SELECT jsonb_agg(to_jsonb(t) ORDER BY task_id, host_id) FROM task_refusal t),
                 'file', (SELECT jsonb_agg(to_jsonb(t) ORDER BY task_id, attempt, name) FROM task_file t),
                 'buildroot', (SELECT jsonb_agg(to_jsonb(t) ORDER BY id) FROM buildroot t),
                 'listing', (SELECT jsonb_agg(to_jsonb(t) ORDER BY buildroot_id, rpm_id) FROM buildroot_listing t),
                 'rpm', (SELECT jsonb_agg(to_jsonb(t) ORDER BY id) FROM rpminfo t),
                 'event', (SELECT max(id) FROM events),
                 'outbox', (SELECT count(*) FROM outbox))",
        )
        .fetch_one(&self.pool)
        .await
        .unwrap()
    }

    /// Runs the rescue pass.
    pub(crate) async fn rescue(&self, now: DateTime<Utc>) -> rescue::Rescued {
        rescue::run_once(&self.hub, now).await.unwrap()
    }

    /// Runs the outbox pass.
    pub(crate) async fn sweep(&self, now: DateTime<Utc>) -> usize {
        outbox::run_once(&self.hub, now).await.unwrap()
    }

    /// The bin of ordinary tasks.
    pub(crate) async fn bin(&self, channel: &str, arch: &str) -> Bin {
        let id: i64 = sqlx::query_scalar("SELECT id FROM channels WHERE name = $1")
            .bind(channel)
            .fetch_one(&self.pool)
            .await
            .unwrap();
        Bin::new(id.into(), arch)
    }

    /// Takes the messages that are in a queue now, deleted.
    pub(crate) async fn take(&self, queue: &QueueName) -> Vec<String> {
        let listener = self.hub.queues.listener(queue).await.unwrap();
        let mut bodies = Vec::new();
        loop {
            let messages: Vec<Message> = listener.receive(std::time::Duration::ZERO, 10).await.unwrap();
            if messages.is_empty() {
                return bodies;
            }
            for message in messages {
                listener.delete(&message).await.unwrap();
                bodies.push(message.body);
            }
        }
    }

    /// Takes what was meant for one host alone.
    pub(crate) async fn orders(&self, host: &Host) -> Vec<HostOrder> {
        let bodies = self.take(&QueueName::Host(host.id)).await;
        bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect()
    }
}

impl Host {
    /// The builder's call.
    pub(crate) async fn call(
        &self,
        world: &World,
        method: &str,
        arguments: Value,
        now: DateTime<Utc>,
    ) -> Result<Value, Error> {
        world.call(&self.token, method, arguments, now).await
    }

    /// A call that must succeed.
    pub(crate) async fn ok(&self, world: &World, method: &str, arguments: Value, now: DateTime<Utc>) -> Value {
        match self.call(world, method, arguments.clone(), now).await {
            Ok(reply) => reply,
            Err(error) => panic!("{method}({arguments}) failed: {error:?}"),
        }
    }

    /// Claims; `bin` is the one that rang.
    pub(crate) async fn claim(&self, world: &World, claim_id: &str, bin: Option<&Bin>, now: DateTime<Utc>) -> Claimed {
        let arguments = json!({"claim_id": claim_id, "bin": bin.map(|bin| bin.0.clone())});
        let reply = self.ok(world, "host.claim", arguments, now).await;
        let task = reply["task"].is_object().then(|| Held {
            id: TaskId(reply["task"]["id"].as_i64().unwrap()),
            attempt: reply["task"]["attempt"].as_i64().unwrap() as i32,
            method: reply["task"]["method"].as_str().unwrap().to_owned(),
            request: reply["task"]["request"].clone(),
        });
        Claimed { task, left: reply["left"].as_str().unwrap().to_owned() }
    }

    /// Claims, with a claim id of its own, what must be there.
    pub(crate) async fn take(&self, world: &World, now: DateTime<Utc>) -> Held {
        let claimed = self.claim(world, &new_id(), None, now).await;
        claimed.task.unwrap_or_else(|| panic!("nothing to claim for {}", self.id))
    }

    /// Renews leases; answers the orders.
    pub(crate) async fn heartbeat(&self, world: &World, held: &[Held], now: DateTime<Utc>) -> Vec<String> {
        let leases: Vec<Value> = held.iter().map(|task| json!({"task_id": task.id, "attempt": task.attempt})).collect();
        let reply = self.ok(world, "host.heartbeat", json!({"leases": leases}), now).await;
        serde_json::from_value(reply["orders"].clone()).unwrap()
    }

    /// Ends a task well, with a text as its result.
    pub(crate) async fn close(
        &self,
        world: &World,
        held: &Held,
        result: &str,
        now: DateTime<Utc>,
    ) -> Result<Value, Error> {
        self.call(world, "host.closeTask", held.with(json!({"response": response(&result)})), now).await
    }

    /// Ends a task badly.
    pub(crate) async fn fail(
        &self,
        world: &World,
        held: &Held,
        message: &str,
        now: DateTime<Utc>,
    ) -> Result<Value, Error> {
        self.call(world, "host.failTask", held.with(json!({"response": fault(message)})), now).await
    }
}

impl Held {
    /// Arguments that name the task and the attempt, with others.
    pub(crate) fn with(&self, mut others: Value) -> Value {
        others["task_id"] = json!(self.id);
        others["attempt"] = json!(self.attempt);
        others
    }
}

/// A result as builders send it.
pub(crate) fn response<T: serde::Serialize>(result: &T) -> String {
    String::from_utf8(toji_protocol::xmlrpc::encode_response(result).unwrap()).unwrap()
}

/// A fault as builders send it.
pub(crate) fn fault(message: &str) -> String {
    String::from_utf8(toji_protocol::xmlrpc::encode_fault(1000, message)).unwrap()
}

/// A claim id that nobody else has.
pub(crate) fn new_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}
