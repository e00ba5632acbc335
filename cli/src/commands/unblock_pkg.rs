//! `toji unblock-pkg`

use toji_protocol::{
    id::{PackageId, Ref, TagId},
    method::package::PackageListUnblock,
};

use crate::{argument, session::Session};

/// Take back the block of packages in a tag
#[derive(clap::Args)]
pub(crate) struct UnblockPkg {
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

impl UnblockPkg {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for pkginfo in self.packages {
            session.call(&PackageListUnblock { taginfo: self.tag.clone(), pkginfo, force: self.force }).await?;
        }
        Ok(())
    }
}
