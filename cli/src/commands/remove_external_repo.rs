//! `toji remove-external-repo`

use anyhow::bail;
use toji_protocol::{
    id::{ExternalRepoId, Ref, TagId},
    method::external_repo::{DeleteExternalRepo, GetTagExternalRepos, RemoveExternalRepoFromTag},
};

use crate::{argument, session::Session};

/// Take a repo of others out of tags, or forget it altogether
#[derive(clap::Args)]
pub(crate) struct RemoveExternalRepo {
    /// The repo
    #[arg(value_parser = argument::named::<ExternalRepoId>)]
    repo: Ref<ExternalRepoId>,
    /// Only take it out of these tags
    #[arg(value_name = "TAG", value_parser = argument::named::<TagId>)]
    tags: Vec<Ref<TagId>>,
    /// Take it out of all tags, but keep it known
    #[arg(long, conflicts_with_all = ["tags", "force"])]
    alltags: bool,
    /// Forget it although tags use it
    #[arg(long)]
    force: bool,
}

impl RemoveExternalRepo {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let attached = GetTagExternalRepos { tag_info: None, repo_info: Some(self.repo.clone()), event: None };
        let users = if self.tags.is_empty() { session.call(&attached).await? } else { Vec::new() };
        let tags = if self.alltags { users.iter().map(|user| Ref::Id(user.tag_id)).collect() } else { self.tags };
        if tags.is_empty() && !self.alltags {
            if !users.is_empty() && !self.force {
                let names: Vec<_> = users.iter().map(|user| user.tag_name.as_str()).collect();
                bail!("tags use it: {}; --force removes it there, too", names.join(", "));
            }
            return session.call(&DeleteExternalRepo { info: self.repo }).await;
        }
        for tag_info in tags {
            session.call(&RemoveExternalRepoFromTag { tag_info, repo_info: self.repo.clone() }).await?;
        }
        Ok(())
    }
}
