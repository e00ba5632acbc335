//! Deleting builds, and resetting them. Rows first, then files: a crash in between leaves files that no row speaks of, and the sweep
//! pass deletes them.

use chrono::TimeDelta;
use toji_protocol::{
    id::BuildId,
    method::build::{Build, DeleteBuild, ResetBuild},
    state::BuildState,
};

use super::{deletion, files, history, nvr, references, sql};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    tag,
};

/// How many references of a kind are told when they are in the way.
const TOLD: i64 = 10;

/// What came of an attempt to delete a build.
enum Outcome {
    /// It was deleted before.
    WasDeleted,
    /// Something needs it.
    Needed(String),
    /// Its rows are gone, its files not yet.
    Deleted(Box<Build>, files::Lease),
}

impl Handle for DeleteBuild {
    async fn handle(self, cx: &mut Cx) -> Result<Option<bool>> {
        let hub = cx.hub.clone();
        let outcome = if cx.is_writing() {
            // a multicall's, as koji-gc sends it: the sweep pass empties the folder
            delete(cx, &self).await?
        } else {
            let mut tx = cx.transaction().await?;
            let outcome = delete(&mut tx, &self).await?;
            tx.commit().await?;
            outcome
        };
        match outcome {
            Outcome::WasDeleted => Ok(None),
            Outcome::Needed(why) if self.strict => Err(Error::invalid(format!("Cannot delete build, {why}"))),
            Outcome::Needed(_) => Ok(Some(false)),
            Outcome::Deleted(build, lease) => {
                tracing::warn!(nvr = build.nvr, user = ?cx.caller.user_id(), "build deleted");
                if !cx.is_writing() {
                    lease.empty(&hub, &nvr(&build)).await;
                }
                Ok(Some(true))
            }
        }
    }
}

async fn delete(cx: &mut Cx, call: &DeleteBuild) -> Result<Outcome> {
    let age = TimeDelta::try_seconds(call.min_ref_age)
        .ok_or_else(|| Error::parameter("min_ref_age is out of range: give seconds"))?;
    let build = super::require(cx.db().await?, &call.build).await?;
    let build = lock(cx, build).await?;
    if build.state == BuildState::Deleted {
        return Ok(Outcome::WasDeleted);
    }
    if build.state == BuildState::Building {
        return Ok(Outcome::Needed("it is being built; cancel it first".to_owned()));
    }
    let found = references::references(cx.db().await?, build.id, Some(TOLD), true).await?;
    if let Some(why) = references::why_needed(&found, age, cx.now) {
        return Ok(Outcome::Needed(why));
    }
    let now = cx.now;
    let lease = files::lease(cx.db().await?, build.id, None, now).await?;
    deletion::forget_files(cx.db().await?, build.id).await?;
    deletion::set_deleted(cx.db().await?, build.id).await?;
    history::note(cx, &[build.id]).await?;
    Ok(Outcome::Deleted(Box::new(build), lease))
}

impl Handle for ResetBuild {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let hub = cx.hub.clone();
        let mut tx = cx.transaction().await?;
        let Some(build) = super::find(tx.db().await?, &self.build).await? else { return Ok(()) };
        let build = lock(&mut tx, build).await?;
        let now = tx.now;
        let lease = files::lease(tx.db().await?, build.id, None, now).await?;
        // its tags lose it without a trace, so that their repos must be told
        tag::note_update(&mut tx, build.id, tag::Update::Manual).await?;
        deletion::wipe(tx.db().await?, build.id, now).await?;
        history::note(&mut tx, &[build.id]).await?;
        tx.commit().await?;
        tracing::warn!(nvr = build.nvr, user = ?cx.caller.user_id(), "build reset");
        lease.empty(&hub, &nvr(&build)).await;
        Ok(())
    }
}

/// A build, which nobody tags or ends until the transaction does.
pub(super) async fn lock(cx: &mut Cx, build: BuildId) -> Result<Build> {
    sql::lock(cx.db().await?, build).await?;
    super::get(cx.db().await?, build).await
}
