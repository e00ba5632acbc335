//! `toji request-repo`

use toji_protocol::{
    id::{EventId, Ref},
    method::repo::{MinEvent, RequestRepo as Request},
};

use crate::{
    repo_wait::{self, Deadline},
    session::Session,
};

/// Ask for a tag's repo, and wait until it is there
#[derive(clap::Args)]
pub(crate) struct RequestRepo {
    /// The tag
    tag: String,
    /// TAG is the name of a target; its build tag is meant
    #[arg(long)]
    target: bool,
    /// Not older than this event [default: as old as the tag allows]
    #[arg(long, value_name = "EVENT", conflicts_with_all = ["at_event", "current"])]
    min_event: Option<EventId>,
    /// Exactly as it was at this event
    #[arg(long, value_name = "EVENT", conflicts_with = "current")]
    at_event: Option<EventId>,
    /// With everything that the tag has now
    #[arg(long)]
    current: bool,
    /// Make a new one although one fits
    #[arg(long)]
    force: bool,
    /// Added to 20; lower is first, below zero only for admins
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i32>,
    /// With source RPMs
    #[arg(long)]
    source: bool,
    /// With debug RPMs
    #[arg(long)]
    debuginfo: bool,
    /// With source RPMs in a folder of their own
    #[arg(long)]
    separate_source: bool,
    /// Only ask
    #[arg(long)]
    nowait: bool,
    /// Give up after so many minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 120)]
    timeout: u64,
}

impl RequestRepo {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let deadline = Deadline::minutes(self.timeout);
        let tag = repo_wait::tag(session, &self.tag, self.target).await?;
        let last = self.current.then(|| MinEvent::Last("last".to_owned()));
        let request = Request {
            tag: Ref::Id(tag.id),
            min_event: self.min_event.map(MinEvent::Id).or(last),
            at_event: self.at_event,
            opts: repo_wait::opts(self.source, self.debuginfo, self.separate_source),
            priority: self.priority,
            force: self.force,
        };
        let requested = session.call(&request).await?;
        if self.nowait {
            return match (&requested.repo, &requested.request) {
                _ if session.json => session.say_json(&requested),
                (Some(repo), _) => session.say(&format!("Repo {} fits", repo.id)),
                (None, Some(request)) => session.say(&format!("Request {} waits", request.id)),
                (None, None) => Ok(()),
            };
        }
        let repo = repo_wait::follow(session, &tag.name, requested, deadline).await?;
        if session.json {
            return session.say_json(&repo);
        }
        session.say(&format!("Got repo {}", repo.id))
    }
}
