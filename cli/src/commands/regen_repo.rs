//! `toji regen-repo`

use toji_protocol::{
    id::Ref,
    method::repo::{MinEvent, RequestRepo},
};

use crate::{
    repo_wait::{self, Deadline},
    session::Session,
};

/// Make a tag's repo anew, whether or not anything changed
#[derive(clap::Args)]
pub(crate) struct RegenRepo {
    /// The tag
    tag: String,
    /// TAG is the name of a target; its build tag is meant
    #[arg(long)]
    target: bool,
    /// With source RPMs
    #[arg(long)]
    source: bool,
    /// With debug RPMs
    #[arg(long)]
    debuginfo: bool,
    /// With source RPMs in a folder of their own
    #[arg(long)]
    separate_source: bool,
    /// Wait until it is there, which is the default
    #[arg(long, conflicts_with = "nowait")]
    wait: bool,
    /// Only ask for it
    #[arg(long)]
    nowait: bool,
    /// Give up after so many minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 120)]
    timeout: u64,
}

impl RegenRepo {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let deadline = Deadline::minutes(self.timeout);
        let tag = repo_wait::tag(session, &self.tag, self.target).await?;
        let request = RequestRepo {
            tag: Ref::Id(tag.id),
            min_event: Some(MinEvent::Last("last".to_owned())),
            at_event: None,
            opts: repo_wait::opts(self.source, self.debuginfo, self.separate_source),
            priority: None,
            force: true,
        };
        let requested = session.call(&request).await?;
        if let Some(request) = requested.request.as_ref().filter(|_| self.nowait) {
            return session.say(&format!("Request {} waits", request.id));
        }
        let repo = repo_wait::follow(session, &tag.name, requested, deadline).await?;
        if session.json {
            return session.say_json(&repo);
        }
        session.say(&format!("Regenerated repo {} of {}", repo.id, tag.name))
    }
}
