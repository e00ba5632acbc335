//! Calls: from a method's name and arguments to its answer.
//!
//! One call is one transaction if it writes. Before it commits, the session's call number is moved on, and messages are written to
//! the outbox; after it, they are sent. A call of which hooks must be asked is undone, and run again when they have answered. Two transactions that stood in each other's way (a deadlock) are both right: the one that
//! lost is run again from the start.

mod auth;
mod cx;
mod multi;
mod outside;
mod receipt;
mod table;

pub(crate) use auth::act_as;
pub(crate) use auth::authenticate;
pub use auth::{Auth, Caller, CallerSession, CallerUser, secret_hash};
use chrono::{DateTime, Utc};
pub use cx::Cx;
pub use multi::InnerCall;
pub use table::{Entry, Handle, Reply, Table};
use toji_protocol::{
    method::{Access, Effect, bind},
    value::{Map, Value, to_value},
};

use crate::{Error, Hub, Result, callback};

/// Methods whose answer holds a secret: no receipt is kept, so sent again they do it again.
const SECRET: [&str; 5] = ["CGInitBuild", "createToken", "enrolHost", "login", "subsession"];

/// Methods whose statements have one good plan for all values: planning them each time would take longer than running them. What
/// has optional filters (`$1 IS NULL OR …`) does not belong here, unless something that is always given narrows it down before.
const PLANNED_ONCE: [&str; 16] = [
    "getBuild",
    "getBuildConfig",
    "getLatestBuilds",
    "getLatestRPMS",
    "getTag",
    "getTaskInfo",
    "getTaskResult",
    "host.claim",
    "host.closeTask",
    "host.failTask",
    "host.heartbeat",
    "listBuilds",
    "listTagged",
    "listTaggedRPMS",
    "listTasks",
    "makeTask",
];

/// How often a request that lost a deadlock is run again.
const TRIES: usize = 5;

/// How often a request is run again because there is more to be asked of hooks: what one refuses within a multicall may change what the
/// calls after it do.
const ROUNDS: usize = 8;

/// One call, as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method's name.
    pub method: String,
    /// Arguments by position.
    pub positional: Vec<Value>,
    /// Arguments by name.
    pub named: Map,
    /// What the caller showed.
    pub auth: Auth,
    /// Chosen by the caller: a write sent again under the same key is answered as the first time.
    pub idempotency_key: Option<String>,
    /// When it arrived.
    pub now: DateTime<Utc>,
}

impl Hub {
    /// Answers one call.
    ///
    /// # Errors
    /// What the caller is to be told; internal errors are to be logged and answered with their fixed text.
    pub async fn call(&self, request: Request) -> Result<Reply> {
        let request = &request;
        rerun(self, |hub| async move { hub.call_once(request.clone()).await }).await
    }

    async fn call_once(&self, request: Request) -> Result<Reply> {
        let entry = self.entry(&request.method)?;
        let mut cx = Cx::new(self.clone(), request.now);
        if PLANNED_ONCE.contains(&entry.name) {
            cx = cx.planned_once();
        }
        let reply = self.call_in(&mut cx, entry, request).await;
        if reply.as_ref().err().is_none_or(Error::is_rule) {
            cx.undo_all().await;
        }
        reply
    }

    async fn call_in(&self, cx: &mut Cx, entry: &Entry, request: Request) -> Result<Reply> {
        if entry.effect == Effect::Write {
            cx.begin().await?;
        }
        cx.caller = auth::authenticate(cx, &request.auth, entry.name).await?;
        allow(entry, &cx.caller)?;
        // the arguments' digest tells a retry from a key that is used twice
        let receipt = match &request.idempotency_key {
            Some(key) if entry.effect == Effect::Write && !SECRET.contains(&entry.name) => {
                match receipt::take(cx, key, entry.name, &request.positional, &request.named).await? {
                    receipt::Taken::New(receipt) => Some(receipt),
                    receipt::Taken::Answered(reply) => return Ok(Box::new(reply)),
                }
            }
            _ => None,
        };
        let reply = run(entry, cx, request.positional, request.named).await?;
        if let Some(receipt) = receipt {
            let reply = serde_json::to_value(&*reply).map_err(Error::internal)?;
            receipt::keep(cx, receipt, reply).await?;
        }
        finish(cx, entry.effect).await?;
        Ok(reply)
    }

    fn entry(&self, method: &str) -> Result<&Entry> {
        self.table().get(method).ok_or_else(|| outside::missing(method))
    }
}

/// Runs a method that only reads within another call, if the caller may call it.
pub(crate) async fn read(cx: &mut Cx, method: &str, positional: Vec<Value>, named: Map) -> Result<Value> {
    let hub = cx.hub.clone();
    let Some(entry) = hub.table().get(method) else {
        return Err(Error::missing(format!("method {method} doesn't exist")));
    };
    // what speaks to S3 without a login only reads, too
    let reads = entry.effect == Effect::Read || entry.effect == Effect::Outside && entry.access == Access::Anonymous;
    if !reads {
        return Err(Error::invalid(format!("{method} does more than read: call it alone")));
    }
    allow(entry, &cx.caller)?;
    Ok(to_value(&*run(entry, cx, positional, named).await?)?)
}

/// Runs one method in `cx`.
async fn run(entry: &Entry, cx: &mut Cx, positional: Vec<Value>, named: Map) -> Result<Reply> {
    let bound = bind(entry.name, entry.params, positional, named);
    let bound = bound.map_err(|error| Error::parameter(error.to_string()))?;
    entry.run(cx, bound).await
}

/// Ends the transaction, if there is one, and sends what it has to say.
async fn finish(cx: &mut Cx, effect: Effect) -> Result<()> {
    if effect == Effect::Write {
        auth::count(cx).await?;
    }
    cx.commit().await
}

fn allow(entry: &Entry, caller: &Caller) -> Result<()> {
    match entry.access {
        Access::Anonymous => Ok(()),
        Access::LoggedIn => caller.user().map(|_| ()),
        Access::Permission(perm) => caller.require_perm(perm),
        Access::Host => caller.host().map(|_| ()),
    }
}

/// Whether a method of ours has this name.
pub(crate) fn is_ours(name: &str) -> bool {
    Table::new(&[]).get(name).is_some()
}

/// Runs again what has lost a deadlock, and what hooks must be asked about first: undone, asked, and run again with their answers. What
/// it is to do must be the same each time.
pub(crate) async fn rerun<T, F>(hub: &Hub, mut work: impl FnMut(Hub) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let hub = hub.asking();
    let (mut deadlocks, mut rounds) = (1, 1);
    loop {
        match work(hub.clone()).await {
            Err(Error::Deadlock(error)) if deadlocks < TRIES => {
                tracing::debug!(%error, "run again");
                deadlocks += 1;
            }
            Err(Error::Unasked(questions)) if rounds < ROUNDS => {
                callback::ask(&hub, questions).await;
                rounds += 1;
            }
            Err(Error::Unasked(questions)) => return Err(callback::unsettled(&questions)),
            done => return done,
        }
    }
}

/// Runs again what has lost a deadlock, and asks no hook.
pub(crate) async fn retry_deadlocks<T, F>(mut work: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    for _ in 1..TRIES {
        match work().await {
            Err(Error::Deadlock(error)) => tracing::debug!(%error, "run again"),
            done => return done,
        }
    }
    work().await
}
