//! Tagging many builds at once, in a number of statements that does not grow with them.

use std::collections::HashSet;

use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildId, EventId, TagId},
    method::content::MassTag,
    state::BuildState,
};

use super::{sql, tag_error};
use crate::{
    Result, build,
    call::{Cx, Handle},
    callback::tell,
    repo, sign, tag,
};

/// A change of what is in a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// Tag it, anew if it is there already.
    In(BuildId),
    /// Untag it.
    Out(BuildId),
}

/// Holds builds as they are until the commit. To be called before the event is taken.
///
/// # Errors
/// When one is not there, or not complete.
pub(crate) async fn hold(conn: &mut PgConnection, builds: &[BuildId]) -> Result<()> {
    let held = sql::candidates(conn, builds).await?;
    match held.into_iter().find(|build| build.state != BuildState::Complete) {
        Some(build) => Err(tag_error(format!("build {} not complete: state {}", build.nvr, build.state))),
        None => Ok(()),
    }
}

/// Makes changes in their order, without any check: each has an event of its own, since the order of tagging decides which build is
/// the latest. A build may go out and in again, but not in and out. The tag and the builds are locked already.
///
/// # Errors
/// When the database is away.
pub(crate) async fn make(cx: &mut Cx, tag: TagId, moves: &[Move]) -> Result<()> {
    if moves.is_empty() {
        return Ok(());
    }
    let by = cx.caller.user()?.id;
    for change in moves {
        match change {
            Move::In(build) => tell::tagged(cx, tag, *build, true).await?,
            Move::Out(build) => tell::untagged(cx, tag, *build, true, true).await?,
        }
    }
    let events = cx.events(moves.len()).await?;
    let mut out: Vec<(BuildId, EventId)> = Vec::new();
    let mut into: Vec<(BuildId, EventId)> = Vec::new();
    for (change, event) in moves.iter().zip(events) {
        match change {
            Move::Out(build) => out.push((*build, event)),
            Move::In(build) => into.push((*build, event)),
        }
    }
    let conn = cx.db().await?;
    sql::revoke_all(conn, tag, &out, by).await?;
    // tagged anew where it is tagged already
    sql::revoke_all(conn, tag, &into, by).await?;
    sql::insert_all(conn, tag, &into, by).await?;
    let tagged: Vec<BuildId> = into.into_iter().map(|(build, _)| build).collect();
    sign::tagged(cx, tag, &tagged).await?;
    repo::tag_changed(cx, tag).await
}

impl Handle for MassTag {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let conn = cx.db().await?;
        let (tag, _) = tag::require(conn, &self.tag).await?;
        let mut builds = build::require_all(conn, &self.builds).await?;
        // named twice, it is tagged where it is named last
        let mut seen = HashSet::new();
        builds.reverse();
        builds.retain(|build| seen.insert(*build));
        builds.reverse();
        tag::lock(conn, &[tag]).await?;
        hold(conn, &builds).await?;
        let moves: Vec<Move> = builds.into_iter().map(Move::In).collect();
        make(cx, tag, &moves).await
    }
}
