//! `toji block-group-pkg`

use toji_protocol::{
    id::{GroupId, Ref, TagId},
    method::group::GroupPackageListBlock,
};

use crate::{argument, session::Session};

/// Hide packages of a comps group that a tag inherits
#[derive(clap::Args)]
pub(crate) struct BlockGroupPkg {
    /// The tag
    #[arg(value_parser = argument::named::<TagId>)]
    tag: Ref<TagId>,
    /// The group
    #[arg(value_parser = argument::named::<GroupId>)]
    group: Ref<GroupId>,
    /// The packages' names
    #[arg(required = true, value_name = "PACKAGE")]
    packages: Vec<String>,
}

impl BlockGroupPkg {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for pkg_name in self.packages {
            let block = GroupPackageListBlock { taginfo: self.tag.clone(), grpinfo: self.group.clone(), pkg_name };
            session.call(&block).await?;
        }
        Ok(())
    }
}
