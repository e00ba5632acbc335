//! `toji add-pkg`

use anyhow::Context;
use toji_protocol::{
    id::{Ref, TagId, UserId},
    method::{
        package::{ListPackages, PackageListAdd},
        user::GetLoggedInUser,
    },
};

use crate::{argument, session::Session};

/// Add packages to a tag's list, so that they may be built and tagged there
#[derive(clap::Args)]
pub(crate) struct AddPkg {
    /// The tag
    #[arg(value_parser = argument::named::<TagId>)]
    tag: Ref<TagId>,
    /// The packages
    #[arg(required = true, value_name = "PACKAGE")]
    packages: Vec<String>,
    /// Who looks after them [default: you]
    #[arg(long, value_parser = argument::named::<UserId>)]
    owner: Option<Ref<UserId>>,
    /// Architectures beside the tag's, with blanks between
    #[arg(long)]
    extra_arches: Option<String>,
    /// Do it although a policy says no, and change entries that are there
    #[arg(long)]
    force: bool,
}

impl AddPkg {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let owner = match self.owner {
            Some(owner) => owner,
            None => Ref::Id(
                session.call(&GetLoggedInUser {}).await?.context("not logged in: name an --owner and a token")?.id,
            ),
        };
        let list = ListPackages {
            tag_id: Some(self.tag.clone()),
            user_id: None,
            pkg_id: None,
            prefix: None,
            inherited: false,
            with_dups: false,
            event: None,
            query_opts: None,
            with_owners: false,
            with_blocked: true,
        };
        let listed = session.call(&list).await?.into_rows();
        for package in self.packages {
            if !self.force && listed.iter().any(|entry| entry.name() == package) {
                session.tell(&format!(
                    "Package {package} already exists in tag {}",
                    self.tag.to_string().trim_matches('\'')
                ))?;
                continue;
            }
            let add = PackageListAdd {
                taginfo: self.tag.clone(),
                pkginfo: Ref::Name(package),
                owner: Some(owner.clone()),
                block: None,
                extra_arches: self.extra_arches.clone(),
                force: self.force,
                update: false,
            };
            session.call(&add).await?;
        }
        Ok(())
    }
}
