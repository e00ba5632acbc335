//! `toji add-tag-inheritance`

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

/// Make a tag inherit from another
#[derive(clap::Args)]
pub(crate) struct AddTagInheritance {
    /// The tag that inherits
    #[arg(value_parser = argument::named::<TagId>)]
    tag: Ref<TagId>,
    /// The tag that it inherits from
    #[arg(value_parser = argument::named::<TagId>)]
    parent: Ref<TagId>,
    /// Lower is first; unique among a tag's parents
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// Follow only so many levels behind the parent
    #[arg(long)]
    maxdepth: Option<u32>,
    /// Do not pass it on to those who inherit from the tag
    #[arg(long)]
    intransitive: bool,
    /// Do not inherit the parent's settings
    #[arg(long)]
    noconfig: bool,
    /// Only packages whose names match this regular expression
    #[arg(long, default_value = "")]
    pkg_filter: String,
    /// Add it although the tag inherits from the parent already
    #[arg(long)]
    force: bool,
}

impl AddTagInheritance {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let parent = GetTag { tag_info: self.parent, strict: true, event: None, blocked: false };
        let parent = session.call(&parent).await?.context("no such parent")?;
        let links = session.call(&GetInheritanceData { tag: self.tag.clone(), event: None }).await?;
        for link in links.iter().filter(|_| !self.force) {
            if link.parent_id == parent.id {
                bail!("the tag inherits from {} already; --force changes that link", parent.name);
            }
            if link.priority == self.priority {
                bail!(
                    "the tag inherits from {} at priority {}: give another with --priority",
                    link.name,
                    link.priority
                );
            }
        }
        let data = InheritanceEdit {
            parent_id: parent.id,
            priority: Some(Value::from(self.priority)),
            maxdepth: self.maxdepth.map(|depth| Value::Int(depth.into())),
            intransitive: self.intransitive,
            noconfig: self.noconfig,
            pkg_filter: Some(self.pkg_filter),
            delete: false,
        };
        session.call(&SetInheritanceData { tag: self.tag, data: OneOrMany::One(data), clear: false }).await
    }
}
