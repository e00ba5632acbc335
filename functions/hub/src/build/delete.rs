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

impl Handle for DeleteBuild {
    async fn handle(self, cx: &mut Cx) -> Result<Option<bool>> {
        let age = TimeDelta::try_seconds(self.min_ref_age)
            .ok_or_else(|| Error::parameter("min_ref_age is out of range: give seconds"))?;
        let hub = cx.hub.clone();
        let mut tx = cx.transaction().await?;
        let build = super::require(tx.db().await?, &self.build).await?;
        let build = lock(&mut tx, build).await?;
        if build.state == BuildState::Deleted {
            return Ok(None);
        }
        let found = references::references(tx.db().await?, build.id, Some(TOLD), true).await?;
        let why = match references::why_needed(&found, age, tx.now) {
            None if build.state == BuildState::Building => Some("it is being built; cancel it first".to_owned()),
            why => why,
        };
        if let Some(why) = why {
            return if self.strict {
                Err(Error::invalid(format!("Cannot delete build, {why}")))
            } else {
                Ok(Some(false))
            };
        }
        let now = tx.now;
        let lease = files::lease(tx.db().await?, build.id, None, now).await?;
        deletion::forget_files(tx.db().await?, build.id).await?;
        deletion::set_deleted(tx.db().await?, build.id).await?;
        history::note(&mut tx, &[build.id]).await?;
        tx.commit().await?;
        tracing::warn!(nvr = build.nvr, user = ?cx.caller.user_id(), "build deleted");
        lease.empty(&hub, &nvr(&build)).await;
        Ok(Some(true))
    }
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
