//! Repos that begin, and repos that are ready.

use toji_protocol::{
    id::{EventId, RepoId, TagId, TaskId},
    method::repo::Repo,
    value::Value,
};

use super::{is_asked, is_wanted, tag_info};
use crate::{
    Result,
    call::Cx,
    callback::{Callback, Happening, after, around, before, message::of_tag},
};

/// A repo that begins.
#[derive(Clone, Debug)]
pub(crate) struct Init<'a> {
    /// The tag.
    pub(crate) tag: TagId,
    /// The event that somebody asked for; None = the newest.
    pub(crate) asked_event: Option<EventId>,
    /// The event that it shows.
    pub(crate) event: EventId,
    /// The repo.
    pub(crate) repo: RepoId,
    /// The task that makes it.
    pub(crate) task: Option<TaskId>,
    /// Whether it has source RPMs, debuginfo RPMs, and source RPMs in a repo of their own.
    pub(crate) with: [bool; 3],
    /// Of a dist repo: the keys.
    pub(crate) keys: Option<&'a [Value]>,
}

/// A repo begins.
///
/// # Errors
/// When a hook refuses.
pub(crate) async fn init(cx: &mut Cx, init: Init<'_>) -> Result<()> {
    if !is_wanted(cx, Callback::RepoInit) {
        return Ok(());
    }
    let tag = tag_info(cx, init.tag).await?;
    let [with_src, with_debuginfo, with_separate_src] = init.with;
    let happening = |event: Option<EventId>, repo: Option<RepoId>| {
        let happening = Happening::new(Callback::RepoInit, "repo.init", of_tag(tag.id))
            .prop("tag", tag.name.as_str())
            .prop("repo_id", repo.map(|repo| repo.0))
            .prop("task_id", init.task.map(|task| task.0))
            .with("tag", &tag)?;
        let happening = match init.keys {
            Some(keys) => happening.with("keys", keys)?.with("dist", true)?,
            None => happening
                .with("with_src", with_src)?
                .with("with_debuginfo", with_debuginfo)?
                .with("with_separate_src", with_separate_src)?,
        };
        happening.with("event", event)?.with("repo_id", repo)?.with("task_id", init.task)
    };
    if is_asked(cx, Callback::RepoInit) {
        let mut asked = happening(init.asked_event, None)?;
        if init.keys.is_some() {
            // the call that begins it makes its task, too
            asked.body.shift_remove("task_id");
            asked.props.shift_remove("task_id");
        }
        before(cx, &asked).await?;
    }
    after(cx, happening(Some(init.event), Some(init.repo))?);
    Ok(())
}

/// A repo is ready. `expire`: an older one of the tag is not wanted any more.
///
/// # Errors
/// When a hook refuses.
pub(crate) async fn done(cx: &mut Cx, repo: &Repo, expire: bool) -> Result<()> {
    if !is_wanted(cx, Callback::RepoDone) {
        return Ok(());
    }
    let happening = Happening::new(Callback::RepoDone, "repo.done", of_tag(repo.tag_id))
        .prop("tag", repo.tag_name.as_str())
        .prop("repo_id", repo.id.0)
        .prop("task_id", repo.task_id.map(|task| task.0))
        .prop("expire", expire)
        .with("repo", repo)?
        .with("expire", expire)?;
    around(cx, happening).await
}
