//! `toji untag-build`

use toji_protocol::{
    id::{Ref, TagId},
    method::{build::BuildRef, content::UntagBuild as Untag},
};

use crate::{argument, session::Session};

/// Take builds out of a tag
#[derive(clap::Args)]
pub(crate) struct UntagBuild {
    /// The tag
    #[arg(value_parser = argument::named::<TagId>)]
    tag: Ref<TagId>,
    /// The builds
    #[arg(required = true, value_name = "NVR", value_parser = argument::build)]
    builds: Vec<BuildRef>,
    /// Do it although a policy says no
    #[arg(long)]
    force: bool,
    /// Do not mind builds that are not there
    #[arg(long)]
    missing_ok: bool,
}

impl UntagBuild {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for build in self.builds {
            let untag = Untag { tag: self.tag.clone(), build, strict: !self.missing_ok, force: self.force };
            session.call(&untag).await?;
        }
        Ok(())
    }
}
