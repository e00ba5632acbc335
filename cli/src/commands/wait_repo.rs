//! `toji wait-repo`

use toji_protocol::nvr::Nvr;

use crate::{
    repo_wait::{self, Deadline},
    session::Session,
};

/// Wait until a tag's repo has certain builds, or all that the tag has now
///
///   toji wait-repo f42-build --build foo-1.0-1
///   toji wait-repo --target f42 --build foo-1.0-1
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct WaitRepo {
    /// The tag
    tag: String,
    /// The repo must have this build, exactly; may be repeated
    #[arg(long = "build", value_name = "NVR", value_parser = nvr)]
    builds: Vec<Nvr>,
    /// TAG is the name of a target; its build tag is meant
    #[arg(long)]
    target: bool,
    /// Give up after so many minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 120)]
    timeout: u64,
    /// Only wait, do not ask for a new repo
    #[arg(long)]
    no_request: bool,
}

fn nvr(text: &str) -> Result<Nvr, String> {
    Nvr::parse(text).map_err(|error| error.to_string())
}

impl WaitRepo {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let deadline = Deadline::minutes(self.timeout);
        let tag = repo_wait::tag(session, &self.tag, self.target).await?;
        let (repo, what) = if self.builds.is_empty() {
            let repo = repo_wait::current(session, &tag, !self.no_request, deadline).await?;
            (repo, format!("a new {} repo", tag.name))
        } else {
            let repo = repo_wait::with_builds(session, &tag, &self.builds, !self.no_request, deadline).await?;
            (repo, format!("{} to appear in the {} repo", repo_wait::names(&self.builds), tag.name))
        };
        if session.json {
            return session.say_json(&repo);
        }
        session.tell(&format!("Successfully waited {} for {what} (repo {})", deadline.waited(), repo.id))
    }
}
