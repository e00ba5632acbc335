//! Many calls in one: one session check, one transaction, a savepoint and an event each.

use toji_protocol::{
    method::{Access, Effect},
    value::{Map, Value},
};

use super::{Auth, Cx, Entry, PLANNED_ONCE, ROUNDS, Request, allow, auth, rerun, run, table::Reply};
use crate::{Error, Hub, Result, callback};

/// A call within a multicall.
#[derive(Clone, Debug)]
pub struct InnerCall {
    /// The method's name.
    pub method: String,
    /// Arguments by position.
    pub positional: Vec<Value>,
    /// Arguments by name.
    pub named: Map,
}

/// Methods that change the session, or are a multicall themselves.
fn is_refused(method: &str) -> bool {
    matches!(
        method,
        "login"
            | "sslLogin"
            | "logout"
            | "subsession"
            | "logoutChild"
            | "exclusiveSession"
            | "sharedSession"
            | "multiCall"
            | "system.multicall"
            | "uploadFile"
            | "upload.start"
            | "upload.finish"
    )
}

impl Hub {
    /// Answers many calls. One that fails is undone alone; the others stand.
    ///
    /// # Errors
    /// When the caller is not who it says, or the transaction as a whole fails.
    pub async fn multicall(&self, auth: Auth, calls: Vec<InnerCall>, outer: &Request) -> Result<Vec<Result<Reply>>> {
        let is_elsewhere = |call: &InnerCall| self.table().get(&call.method).is_some_and(Entry::is_elsewhere);
        let is_mixed = calls.iter().any(is_elsewhere);
        let places: Vec<bool> = calls.iter().map(is_elsewhere).collect();
        let (elsewhere, ours): (Vec<InnerCall>, Vec<InnerCall>) = calls.into_iter().partition(is_elsewhere);
        // before the transaction, in which nobody may be called, and once, whatever becomes of it
        let answered = if is_mixed { self.call_elsewhere(&auth, elsewhere, outer).await? } else { Vec::new() };
        let (auth, ours) = (&auth, &ours);
        let replies = match ours.as_slice() {
            [] if is_mixed => Vec::new(),
            _ => rerun(self, |hub| async move { hub.multicall_once(auth, ours.clone(), outer).await }).await?,
        };
        let (mut answered, mut replies) = (answered.into_iter(), replies.into_iter());
        Ok(places
            .into_iter()
            .filter_map(|elsewhere| if elsewhere { answered.next() } else { replies.next() })
            .collect())
    }

    /// Answers those of the calls that others answer.
    async fn call_elsewhere(&self, auth: &Auth, calls: Vec<InnerCall>, outer: &Request) -> Result<Vec<Result<Reply>>> {
        let mut cx = Cx::new(self.clone(), outer.now);
        cx.caller = auth::authenticate(&mut cx, auth, "multiCall").await?;
        let mut replies = Vec::with_capacity(calls.len());
        for call in calls {
            replies.push(self.inner_call(&mut cx, call).await?);
        }
        cx.release();
        Ok(replies)
    }

    async fn multicall_once(&self, auth: &Auth, calls: Vec<InnerCall>, outer: &Request) -> Result<Vec<Result<Reply>>> {
        let mut cx = Cx::new(self.clone(), outer.now);
        if calls.iter().all(|call| PLANNED_ONCE.contains(&call.method.as_str())) {
            cx = cx.planned_once();
        }
        let writes = calls.iter().any(|call| self.table().get(&call.method).is_some_and(|e| e.effect == Effect::Write));
        if writes {
            cx.begin().await?;
        }
        cx.caller = auth::authenticate(&mut cx, auth, "multiCall").await?;
        let mut replies = Vec::with_capacity(calls.len());
        for call in calls {
            replies.push(self.inner_call(&mut cx, call).await?);
        }
        if writes {
            auth::count(&mut cx).await?;
        }
        cx.commit().await?;
        Ok(replies)
    }

    /// The outer result is the transaction's, the inner one the call's.
    async fn inner_call(&self, cx: &mut Cx, call: InnerCall) -> Result<Result<Reply>> {
        let entry = match self.entry(&call.method) {
            Ok(entry) if is_refused(entry.name) || entry.access == Access::Host && entry.effect == Effect::Outside => {
                let message = format!("{} cannot be called within a multicall; call it alone", entry.name);
                return Ok(Err(Error::invalid(message)));
            }
            Ok(entry) => entry,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = allow(entry, &cx.caller) {
            return Ok(Err(error));
        }
        if entry.effect == Effect::Outside && !cx.is_writing() {
            return self.outside_call(cx, entry, call).await;
        }
        let savepoint = if entry.effect == Effect::Read { None } else { Some(cx.savepoint().await?) };
        match run(entry, cx, call.positional, call.named).await {
            Ok(reply) => {
                if savepoint.is_some() {
                    cx.keep().await?;
                }
                Ok(Ok(reply))
            }
            // these end the whole transaction; after a deadlock it is run again
            Err(error @ (Error::Deadlock(_) | Error::Unavailable(_) | Error::Internal(_))) => Err(error),
            Err(error) => {
                if let Some(savepoint) = savepoint {
                    cx.undo(savepoint).await?;
                }
                Ok(Err(error))
            }
        }
    }

    /// A call that makes its own transactions, in none of ours: the hooks that it wants asked are asked at once, and only it is run again.
    async fn outside_call(&self, cx: &mut Cx, entry: &Entry, call: InnerCall) -> Result<Result<Reply>> {
        let mut rounds = 1;
        loop {
            match run(entry, cx, call.positional.clone(), call.named.clone()).await {
                Err(Error::Unasked(questions)) if rounds < ROUNDS => {
                    callback::ask(&cx.hub, questions).await;
                    rounds += 1;
                }
                Err(Error::Unasked(questions)) => return Ok(Err(callback::unsettled(&questions))),
                Err(error @ (Error::Deadlock(_) | Error::Unavailable(_) | Error::Internal(_))) => return Err(error),
                done => return Ok(done),
            }
        }
    }
}
