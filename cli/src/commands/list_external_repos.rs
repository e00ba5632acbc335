//! `toji list-external-repos`

use toji_protocol::{
    id::{EventId, ExternalRepoId, Ref, TagId},
    method::external_repo::{
        ExternalRepo, GetExternalRepoList, GetTagExternalRepos, ListExternalRepos as List, TagExternalRepo,
    },
};

use crate::{argument, output::Table, session::Session};

/// List repos of others, and the tags that use them
#[derive(clap::Args)]
pub(crate) struct ListExternalRepos {
    /// Only this one
    #[arg(long, value_parser = argument::named::<ExternalRepoId>)]
    name: Option<Ref<ExternalRepoId>>,
    /// Only of this URL
    #[arg(long)]
    url: Option<String>,
    /// Those that this tag uses
    #[arg(long, value_parser = argument::named::<TagId>)]
    tag: Option<Ref<TagId>>,
    /// Show which tags use them
    #[arg(long)]
    used: bool,
    /// With --tag: also those that it inherits
    #[arg(long, requires = "tag")]
    inherit: bool,
    /// As it was at this event
    #[arg(long)]
    event: Option<EventId>,
}

impl ListExternalRepos {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let (event, quiet) = (self.event, session.quiet);
        match self.tag {
            Some(tag_info) if self.inherit => {
                let list = GetExternalRepoList { tag_info, event };
                session.show(&list, |repos| attached(repos, true, quiet)).await
            }
            tag_info if self.used || tag_info.is_some() => {
                let list = GetTagExternalRepos { tag_info, repo_info: self.name, event };
                session.show(&list, |repos| attached(repos, self.used, quiet)).await
            }
            _ => {
                let list = List { info: self.name, url: self.url, event, query_opts: None };
                session.show(&list, |repos| known(repos.into_rows(), quiet)).await
            }
        }
    }
}

fn known(repos: Vec<ExternalRepo>, quiet: bool) -> String {
    let mut table = Table::new([("External repo name", 25), ("URL", 40)]);
    for repo in repos {
        table.row([repo.name, repo.url]);
    }
    table.text(quiet)
}

fn attached(repos: Vec<TagExternalRepo>, with_tags: bool, quiet: bool) -> String {
    if with_tags {
        let mut table = Table::new([("Tag", 20), ("Pri", 3), ("External repo name", 25), ("Mode", 10), ("URL", 40)]);
        for repo in repos {
            table.row([repo.tag_name, repo.priority.to_string(), repo.external_repo_name, repo.merge_mode, repo.url]);
        }
        return table.text(quiet);
    }
    let mut table = Table::new([("Pri", 3), ("External repo name", 25), ("Mode", 10), ("URL", 40)]);
    for repo in repos {
        table.row([repo.priority.to_string(), repo.external_repo_name, repo.merge_mode, repo.url]);
    }
    table.text(quiet)
}
