//! `toji add-group`

use toji_protocol::{
    id::{GroupId, Ref, TagId},
    method::{Named, group::GroupListAdd},
};

use crate::{argument, session::Session};

/// Add a comps group to a tag, such as build or srpm-build
#[derive(clap::Args)]
pub(crate) struct AddGroup {
    /// The tag
    #[arg(value_parser = argument::named::<TagId>)]
    tag: Ref<TagId>,
    /// The group
    #[arg(value_parser = argument::named::<GroupId>)]
    group: Ref<GroupId>,
    /// What people call it
    #[arg(long)]
    display_name: Option<String>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// Change it although it is there or blocked
    #[arg(long)]
    force: bool,
}

impl AddGroup {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let mut opts = Named::new();
        if let Some(name) = self.display_name {
            opts.insert("display_name", name);
        }
        if let Some(description) = self.description {
            opts.insert("description", description);
        }
        let add = GroupListAdd { taginfo: self.tag, grpinfo: self.group, block: false, force: self.force, opts };
        session.call(&add).await
    }
}
