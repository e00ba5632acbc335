//! Callback points: where a deployment is told of what happens, and where it may say no. Koji's 22 of the hub and 4 of the builder.
//!
//! `pre`: [`settings`] names hooks, each at a URL or a Lambda function. Nobody speaks to the network within a transaction: a change
//! that wants a hook asked only notes the question (`ask`). When the call would commit, it is undone instead, the hooks are asked,
//! and the call is run again from its start, preconditions included; this time the answers are there. A call of which no hook is
//! to be asked costs nothing more.
//!
//! `post`: what has happened goes into a log in the transaction of the change, with a row for each receiver, and from there to
//! webhooks and event buses ([`deliver`]): in order for each build, tag or task, again and again until it arrives. The log stays for
//! a while, so that an admin can have it told again (`log`).
//!
//! - `point`: the points' names; `topic`: the addresses of messages; `message`: what a message says
//! - `tell`: what is told of each kind of change; `settings`: who is asked and told
//! - [`remote`]: how anything outside is called; `signature`: how a receiver knows that it was us

mod ask;
pub mod deliver;
mod log;
mod message;
mod point;
pub mod remote;
pub mod settings;
mod signature;
mod sql;
pub(crate) mod tell;
mod topic;

pub use ask::Question;
pub(crate) use ask::{Answers, ask, unsettled};
pub(crate) use message::Happening;
pub use point::{Callback, Point, When};
pub use settings::Settings;
pub(crate) use signature::signed;
pub(crate) use sql::sweep;
use toji_protocol::{
    method::callback::{ListCallbackLog, ListReceivers, ReplayCallbacks, ReportCallback},
    queue_name::{QueueName, Told},
};

use crate::{
    Error, Result,
    call::{Cx, Table},
};

pub(crate) fn methods(table: &mut Table) {
    table.add::<ListCallbackLog>().add::<ListReceivers>().add::<ReplayCallbacks>().add::<ReportCallback>();
}

/// Asks the hooks, and tells what happens if the transaction is committed. Within the transaction of the change.
///
/// # Errors
/// When a hook refuses or cannot be asked.
pub(crate) async fn around(cx: &mut Cx, happening: Happening) -> Result<()> {
    before(cx, &happening).await?;
    after(cx, happening);
    Ok(())
}

/// Asks the hooks. Within a transaction a question that was not answered yet is only noted: the commit will see to it. What the hub
/// does by itself nobody is asked about: there is no request that could be run again, and nobody who could be told.
///
/// # Errors
/// When a hook refuses or cannot be asked.
pub(crate) async fn before(cx: &mut Cx, happening: &Happening) -> Result<()> {
    let hub = cx.hub.clone();
    if !hub.answers().is_kept() {
        return Ok(());
    }
    for question in ask::questions(cx, happening)? {
        if let Some(answer) = hub.answers().get(&question) {
            answer?;
        } else if cx.is_writing() {
            cx.questions.push(question);
        } else {
            cx.release();
            ask(&hub, vec![question.clone()]).await;
            hub.answers().get(&question).unwrap_or(Ok(()))?;
        }
    }
    Ok(())
}

/// Tells what happens if the transaction is committed. Without asking: for what cannot be refused, such as a builder's death.
pub(crate) fn after(cx: &mut Cx, happening: Happening) {
    if !cx.hub.config.callbacks.receivers_of(&happening).is_empty() {
        cx.happened.push(happening);
    }
}

/// The last thing before a commit: what hooks have to be asked, and the rows of what is told.
///
/// # Errors
/// [`Error::Unasked`], and nothing may be committed.
pub(crate) async fn settle(cx: &mut Cx) -> Result<()> {
    tell::commit(cx).await?;
    if !cx.questions.is_empty() {
        return Err(Error::Unasked(std::mem::take(&mut cx.questions)));
    }
    if !cx.happened.is_empty() {
        let happened = std::mem::take(&mut cx.happened);
        let settings = cx.hub.config.callbacks.clone();
        let now = cx.now;
        sql::record(cx.db().await?, &settings, happened, now).await?;
        cx.post(QueueName::Events, &Told {});
    }
    Ok(())
}
