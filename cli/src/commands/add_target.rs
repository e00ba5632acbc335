//! `toji add-target`

use toji_protocol::{
    id::{Ref, TagId},
    method::target::CreateBuildTarget,
};

use crate::{argument, session::Session};

/// Add a build target
#[derive(clap::Args)]
pub(crate) struct AddTarget {
    /// Its name
    name: String,
    /// The tag whose repo fills buildroots
    #[arg(value_parser = argument::named::<TagId>)]
    build_tag: Ref<TagId>,
    /// The tag that builds go to [default: the one named as the target]
    #[arg(value_parser = argument::named::<TagId>)]
    dest_tag: Option<Ref<TagId>>,
}

impl AddTarget {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let dest_tag = self.dest_tag.unwrap_or_else(|| Ref::from(self.name.as_str()));
        session.call(&CreateBuildTarget { name: self.name, build_tag: self.build_tag, dest_tag }).await
    }
}
