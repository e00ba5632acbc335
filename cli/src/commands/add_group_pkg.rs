//! `toji add-group-pkg`

use toji_protocol::{
    id::{GroupId, Ref, TagId},
    method::{Named, group::GroupPackageListAdd},
};

use crate::{argument, session::Session};

/// Add packages to a tag's comps group
#[derive(clap::Args)]
pub(crate) struct AddGroupPkg {
    /// The tag
    #[arg(value_parser = argument::named::<TagId>)]
    tag: Ref<TagId>,
    /// The group
    #[arg(value_parser = argument::named::<GroupId>)]
    group: Ref<GroupId>,
    /// The packages' names, which need not be packages that are built here
    #[arg(required = true, value_name = "PACKAGE")]
    packages: Vec<String>,
    /// Change entries that are there or blocked
    #[arg(long)]
    force: bool,
}

impl AddGroupPkg {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for pkg_name in self.packages {
            let add = GroupPackageListAdd {
                taginfo: self.tag.clone(),
                grpinfo: self.group.clone(),
                pkg_name,
                block: false,
                force: self.force,
                opts: Named::new(),
            };
            session.call(&add).await?;
        }
        Ok(())
    }
}
