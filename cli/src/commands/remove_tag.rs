//! `toji remove-tag`

use toji_protocol::{
    id::{Ref, TagId},
    method::tag::DeleteTag,
};

use crate::{argument, session::Session};

/// Remove tags
#[derive(clap::Args)]
pub(crate) struct RemoveTag {
    /// The tags
    #[arg(required = true, value_name = "TAG", value_parser = argument::named::<TagId>)]
    tags: Vec<Ref<TagId>>,
}

impl RemoveTag {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for tag_info in self.tags {
            session.call(&DeleteTag { tag_info }).await?;
        }
        Ok(())
    }
}
