//! `toji add-external-repo`

use anyhow::Context;
use toji_protocol::{
    id::{ExternalRepoId, Ref, TagId},
    method::external_repo::{AddExternalRepoToTag, CreateExternalRepo, GetExternalRepo, GetTagExternalRepos},
};

use crate::session::Session;

/// The distance between priorities that are chosen here: it leaves room between two.
const STEP: i32 = 5;
const MODES: [&str; 3] = ["koji", "simple", "bare"];

/// Make a repo of others known, and merge it into tags' repos
///
///   toji add-external-repo -t f42-build base 'https://mirror.example.com/f42/$arch/'
///   toji add-external-repo -t f43-build::10::bare base
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct AddExternalRepo {
    /// Its name
    name: String,
    /// Its base URL; $arch stands for the architecture. Left out for a repo that is known
    url: Option<String>,
    /// Merge it into this tag's repos; may be repeated
    #[arg(short = 't', long = "tag", value_name = "TAG[::PRIORITY[::MODE]]", value_parser = place)]
    tags: Vec<Place>,
    /// Lower is first [default: after the tag's others]
    #[arg(short = 'p', long)]
    priority: Option<i32>,
    /// How it is merged
    #[arg(short = 'm', long, value_parser = MODES)]
    mode: Option<String>,
    /// Only for these architectures, with blanks between
    #[arg(short = 'a', long)]
    arches: Option<String>,
}

/// A tag, and how the repo is merged there.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    tag: Ref<TagId>,
    priority: Option<i32>,
    mode: Option<String>,
}

fn place(text: &str) -> Result<Place, String> {
    let mut parts = text.split("::");
    let tag = crate::argument::named(parts.next().unwrap_or_default())?;
    let priority = parts.next().map(|number| number.parse().map_err(|_| format!("'{number}' is no priority")));
    let mode = parts.next().map(str::to_owned);
    if let Some(mode) = mode.as_deref().filter(|mode| !MODES.contains(mode)) {
        return Err(format!("'{mode}' is no merge mode: there are {}", MODES.join(", ")));
    }
    if parts.next().is_some() {
        return Err("it is not of the form TAG[::PRIORITY[::MODE]]".to_owned());
    }
    Ok(Place { tag, priority: priority.transpose()?, mode })
}

impl AddExternalRepo {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let repo = match self.url {
            Some(url) => {
                let repo = session.call(&CreateExternalRepo { name: self.name, url }).await?;
                session.tell(&format!("Created external repo {}", repo.id))?;
                repo
            }
            None => {
                let known = GetExternalRepo { info: Ref::Name(self.name), strict: true, event: None };
                session.call(&known).await?.context("no such external repo: give its URL, too")?
            }
        };
        for place in self.tags {
            let priority = match place.priority.or(self.priority) {
                Some(priority) => priority,
                None => next_priority(session, &place.tag).await?,
            };
            let merge_mode = place.mode.or_else(|| self.mode.clone()).unwrap_or_else(|| "koji".to_owned());
            let shown = place.tag.to_string();
            let add = AddExternalRepoToTag {
                tag_info: place.tag,
                repo_info: Ref::<ExternalRepoId>::Id(repo.id),
                priority,
                merge_mode,
                arches: self.arches.clone(),
            };
            session.call(&add).await?;
            let tag = shown.trim_matches('\'');
            session.tell(&format!("Added external repo {} to tag {tag} (priority {priority})", repo.name))?;
        }
        Ok(())
    }
}

/// The next multiple of five behind all the tag has.
async fn next_priority(session: &Session, tag: &Ref<TagId>) -> anyhow::Result<i32> {
    let attached = GetTagExternalRepos { tag_info: Some(tag.clone()), repo_info: None, event: None };
    let last = session.call(&attached).await?.iter().map(|repo| repo.priority).max();
    Ok(last.map_or(STEP, |last| (last.div_euclid(STEP) + 1) * STEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let full = Place { tag: Ref::from("demo"), priority: Some(5), mode: Some("bare".to_owned()) };
        assert_eq!(place("demo::5::bare").unwrap(), full);
        assert_eq!(place("demo").unwrap(), Place { priority: None, mode: None, ..full });
        for bad in ["", "demo::x", "demo::5::fancy", "demo::5::bare::x"] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }
}
