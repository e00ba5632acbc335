//! `toji edit-target`

use anyhow::Context;
use toji_protocol::{
    id::{Ref, TagId, TargetId},
    method::target::{EditBuildTarget, GetBuildTarget},
};

use crate::{argument, session::Session};

/// Change a build target
#[derive(clap::Args)]
pub(crate) struct EditTarget {
    /// The target
    #[arg(value_parser = argument::named::<TargetId>)]
    target: Ref<TargetId>,
    /// Its new name
    #[arg(long)]
    rename: Option<String>,
    /// The tag whose repo fills buildroots
    #[arg(long, value_parser = argument::named::<TagId>)]
    build_tag: Option<Ref<TagId>>,
    /// The tag that builds go to
    #[arg(long, value_parser = argument::named::<TagId>)]
    dest_tag: Option<Ref<TagId>>,
}

impl EditTarget {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let target = GetBuildTarget { info: self.target, event: None, strict: true };
        let target = session.call(&target).await?.context("no such target")?;
        let edit = EditBuildTarget {
            target_info: Ref::Id(target.id),
            name: self.rename.unwrap_or(target.name),
            build_tag: self.build_tag.unwrap_or(Ref::Id(target.build_tag)),
            dest_tag: self.dest_tag.unwrap_or(Ref::Id(target.dest_tag)),
        };
        session.call(&edit).await
    }
}
