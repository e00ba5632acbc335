//! `toji remove-tag-inheritance`

use anyhow::{Context, bail};
use toji_protocol::{
    id::{Ref, TagId},
    method::{
        OneOrMany,
        tag::{GetInheritanceData, GetTag, InheritanceEdit, SetInheritanceData},
    },
    value::Value,
};

use crate::{argument, session::Session};

/// Make a tag inherit from another no longer
#[derive(clap::Args)]
pub(crate) struct RemoveTagInheritance {
    /// The tag that inherits
    #[arg(value_parser = argument::named::<TagId>)]
    tag: Ref<TagId>,
    /// The tag that it inherits from
    #[arg(value_parser = argument::named::<TagId>)]
    parent: Ref<TagId>,
    /// Only the link of this priority
    #[arg(allow_negative_numbers = true)]
    priority: Option<i32>,
}

impl RemoveTagInheritance {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let parent = GetTag { tag_info: self.parent, strict: true, event: None, blocked: false };
        let parent = session.call(&parent).await?.context("no such parent")?;
        let mut links = session.call(&GetInheritanceData { tag: self.tag.clone(), event: None }).await?;
        links.retain(|link| link.parent_id == parent.id);
        links.retain(|link| self.priority.is_none_or(|priority| link.priority == priority));
        if links.is_empty() {
            bail!("the tag does not inherit from {} that way: see toji taginfo", parent.name);
        }
        let removal = |link: toji_protocol::method::tag::InheritanceLink| InheritanceEdit {
            parent_id: link.parent_id,
            priority: Some(Value::from(link.priority)),
            maxdepth: link.maxdepth.map(Value::from),
            intransitive: link.intransitive,
            noconfig: link.noconfig,
            pkg_filter: Some(link.pkg_filter),
            delete: true,
        };
        let data = OneOrMany::Many(links.into_iter().map(removal).collect());
        session.call(&SetInheritanceData { tag: self.tag, data, clear: false }).await
    }
}
