//! Notifications: who is told by mail of builds and of what happens to them.
//!
//! The change itself only leaves a `Notice` in the outbox ([`build_ended`], [`tagged`]). The mail function makes a letter of it
//! ([`compose`]): who receives it is in `recipients`, what it says in `build_mail` and `tag_mail`.

mod block;
mod build_mail;
mod mail;
mod recipients;
mod sql;
mod subscription;
mod tag_mail;

use chrono::{DateTime, Utc};
pub use mail::Mail;
use toji_protocol::{
    id::{BuildId, TagId},
    method::build::Build,
    method::notification::{
        CreateNotification, CreateNotificationBlock, DeleteNotification, DeleteNotificationBlock, GetBuildNotification,
        GetBuildNotificationBlock, GetBuildNotificationBlocks, GetBuildNotifications, UpdateNotification,
    },
    queue_name::{Notice, QueueName},
    state::BuildState,
    time::Time,
};

use crate::{
    Error, Hub, Result, build,
    call::{Cx, Table},
};

/// The most characters of an error that a letter about a tag tells.
const LONGEST_FAILURE: usize = 4000;

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<GetBuildNotifications>()
        .add::<GetBuildNotification>()
        .add::<GetBuildNotificationBlocks>()
        .add::<GetBuildNotificationBlock>()
        .add::<CreateNotification>()
        .add::<UpdateNotification>()
        .add::<DeleteNotification>()
        .add::<CreateNotificationBlock>()
        .add::<DeleteNotificationBlock>();
}

/// Lets those who want to know know that a task's build has ended. In the transaction that ends it.
pub fn build_ended(cx: &mut Cx, build: BuildId, state: BuildState) {
    let by = cx.caller.user_id();
    post(cx, &Notice::Build { build, state, by });
}

/// Lets those who want to know know that a build was tagged (`into`), untagged (`from`), or moved (both); or, with `failure`, that it
/// could not be.
pub fn tagged(cx: &mut Cx, build: BuildId, into: Option<TagId>, from: Option<TagId>, failure: Option<String>) {
    let (by, at) = (cx.caller.user_id(), Time(cx.now).ts());
    // an SQS message has an end; what went wrong stands at its beginning
    let failure = failure.map(|text| text.chars().take(LONGEST_FAILURE).collect());
    post(cx, &Notice::Tag { build, into, from, by, failure, at });
}

fn post(cx: &mut Cx, notice: &Notice) {
    if !cx.hub.config.mail.is_off {
        cx.post(QueueName::Mail, notice);
    }
}

/// The letter that a notice becomes; None when nobody wants it, or what it is about is gone.
///
/// # Errors
/// When the database is away.
pub async fn compose(hub: &Hub, notice: &Notice, now: DateTime<Utc>) -> Result<Option<Mail>> {
    let mut cx = Cx::new(hub.clone(), now);
    match notice {
        Notice::Build { build, state, by } => build_mail::compose(&mut cx, *build, *state, *by).await,
        Notice::Tag { build, into, from, by, failure, at } => {
            let change = tag_mail::Change { into: *into, from: *from, by: *by, failure: failure.as_deref(), at: *at };
            tag_mail::compose(&mut cx, *build, &change).await
        }
    }
}

/// A build that may have been deleted since.
async fn known(cx: &mut Cx, id: BuildId) -> Result<Option<Build>> {
    match build::get(cx.db().await?, id).await {
        Ok(build) => Ok(Some(build)),
        Err(Error::NotFound(..)) => Ok(None),
        Err(error) => Err(error),
    }
}
