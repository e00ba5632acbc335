//! `toji remove-pkg`

use toji_protocol::{
    id::{PackageId, Ref, TagId},
    method::package::PackageListRemove,
};

use crate::{argument, session::Session};

/// Remove packages from a tag's own list
#[derive(clap::Args)]
pub(crate) struct RemovePkg {
    /// The tag
    #[arg(value_parser = argument::named::<TagId>)]
    tag: Ref<TagId>,
    /// The packages
    #[arg(required = true, value_name = "PACKAGE", value_parser = argument::named::<PackageId>)]
    packages: Vec<Ref<PackageId>>,
    /// Do it although a policy says no
    #[arg(long)]
    force: bool,
}

impl RemovePkg {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for pkginfo in self.packages {
            session.call(&PackageListRemove { taginfo: self.tag.clone(), pkginfo, force: self.force }).await?;
        }
        Ok(())
    }
}
