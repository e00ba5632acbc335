//! Waiting for repos.

use std::time::Duration;

use anyhow::{Context, bail};
use toji_protocol::{
    id::{Ref, TagId, TargetId},
    method::{
        Named,
        content::{Latest, ListTagged},
        repo::{CheckRepoRequest, FindRepo, MinEvent, Repo, RequestRepo, Requested},
        tag::{GetTag, Tag},
        target::GetBuildTarget,
    },
    nvr::Nvr,
    state::TaskState,
};
use tokio::time::Instant;

use crate::{output::duration, poll::Pauses, session::Session};

/// Until when somebody waits.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    start: Instant,
    limit: Duration,
}

impl Deadline {
    pub(crate) fn minutes(minutes: u64) -> Self {
        Self { start: Instant::now(), limit: Duration::from_secs(minutes.saturating_mul(60)) }
    }

    /// `1:02`.
    pub(crate) fn waited(&self) -> String {
        duration(self.start.elapsed().as_secs())
    }

    /// # Errors
    /// When the time is over; `what` is what was waited for.
    fn check(&self, what: &str) -> anyhow::Result<()> {
        if self.start.elapsed() < self.limit {
            return Ok(());
        }
        bail!("unsuccessfully waited {} for {what}", self.waited())
    }
}

/// The tag that is named, or the build tag of the target that is.
pub(crate) async fn tag(session: &Session, name: &str, is_target: bool) -> anyhow::Result<Tag> {
    let tag_info = if is_target {
        let target = GetBuildTarget { info: Ref::<TargetId>::from(name), event: None, strict: true };
        Ref::Id(session.call(&target).await?.context("no such target")?.build_tag)
    } else {
        Ref::<TagId>::from(name)
    };
    let tag = GetTag { tag_info, strict: true, event: None, blocked: false };
    session.call(&tag).await?.context("no such tag")
}

/// A repo with everything that the tag has now.
///
/// Who may not ask for one (who is not logged in) can still wait until one is there.
pub(crate) async fn current(session: &Session, tag: &Tag, ask: bool, deadline: Deadline) -> anyhow::Result<Repo> {
    let last = || Some(MinEvent::Last("last".to_owned()));
    if ask && session.client.has_token() {
        let request = RequestRepo {
            tag: Ref::Id(tag.id),
            min_event: last(),
            at_event: None,
            opts: None,
            priority: None,
            force: false,
        };
        let requested = session.call(&request).await?;
        return follow(session, &tag.name, requested, deadline).await;
    }
    let mut pauses = Pauses::new();
    loop {
        let find = FindRepo { tag: Ref::Id(tag.id), min_event: last(), at_event: None, opts: None };
        if let Some(repo) = session.call(&find).await? {
            return Ok(repo);
        }
        deadline.check(&format!("a new {} repo", tag.name))?;
        pauses.pause().await;
    }
}

/// Waits until a request is fulfilled.
pub(crate) async fn follow(
    session: &Session,
    tag: &str,
    requested: Requested,
    deadline: Deadline,
) -> anyhow::Result<Repo> {
    let mut requested = requested;
    let mut pauses = Pauses::new();
    let mut told = None;
    loop {
        if let Some(repo) = requested.repo {
            return Ok(repo);
        }
        let request = requested.request.context("the hub answered neither a repo nor a request for one")?;
        if !request.active {
            let task = request.task_id.map(|task| format!(": see toji taskinfo {task}")).unwrap_or_default();
            bail!("the repo of {tag} could not be made{task}");
        }
        if request.task_id != told
            && let Some(task) = request.task_id
            && request.task_state != Some(TaskState::Free)
        {
            session.tell(&format!("Repo is made by task {task}"))?;
            told = request.task_id;
        }
        deadline.check(&format!("a new {tag} repo"))?;
        pauses.pause().await;
        requested = session.call(&CheckRepoRequest { req_id: request.id }).await?;
    }
}

/// Waits until builds are in a tag's repo, exactly these, as buildroots would see them.
pub(crate) async fn with_builds(
    session: &Session,
    tag: &Tag,
    builds: &[Nvr],
    ask: bool,
    deadline: Deadline,
) -> anyhow::Result<Repo> {
    let mut pauses = Pauses::new();
    let mut told = false;
    loop {
        let missing = missing(session, tag, builds, None).await?;
        if missing.is_empty() {
            let repo = current(session, tag, ask, deadline).await?;
            // What was tagged may be untagged again, or give way to a newer build, before the repo is made.
            if self::missing(session, tag, builds, Some(&repo)).await?.is_empty() {
                return Ok(repo);
            }
        } else if !told {
            told = true;
            session.tell(&format!("Waiting for {} to be the newest in {}", missing.join(", "), tag.name))?;
        }
        deadline.check(&format!("{} to appear in the {} repo", names(builds), tag.name))?;
        pauses.pause().await;
    }
}

/// `a-1-1, b-1-1`.
pub(crate) fn names(builds: &[Nvr]) -> String {
    builds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Which builds are not the newest of their package in the tag: now, or when the repo was made.
async fn missing(session: &Session, tag: &Tag, builds: &[Nvr], repo: Option<&Repo>) -> anyhow::Result<Vec<String>> {
    let mut missing = Vec::new();
    for build in builds {
        let list = ListTagged {
            tag: Ref::Id(tag.id),
            event: repo.map(|repo| repo.create_event),
            inherit: true,
            prefix: None,
            latest: Some(Latest::Flag(true)),
            package: Some(Ref::Name(build.name.clone())),
            owner: None,
            kind: None,
            strict: true,
            extra: false,
            draft: None,
        };
        let nvr = build.to_string();
        if !session.call(&list).await?.iter().any(|tagged| tagged.nvr == nvr) {
            missing.push(nvr);
        }
    }
    Ok(missing)
}

/// What differs from the tag's own in a repo that is asked for.
pub(crate) fn opts(src: bool, debuginfo: bool, separate_src: bool) -> Option<Named> {
    let mut opts = Named::new();
    for (name, wanted) in [("src", src), ("debuginfo", debuginfo), ("separate_src", separate_src)] {
        if wanted {
            opts.insert(name, true);
        }
    }
    (!opts.is_empty()).then_some(opts)
}
