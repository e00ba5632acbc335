//! `toji edit-tag`

use anyhow::bail;
use toji_protocol::{
    id::{Ref, TagId},
    method::{Named, tag::EditTag2},
    value::Value,
};

use crate::{argument, session::Session};

/// Change a tag
#[derive(clap::Args)]
pub(crate) struct EditTag {
    /// The tag
    #[arg(value_parser = argument::named::<TagId>)]
    tag: Ref<TagId>,
    /// Its new name
    #[arg(long)]
    rename: Option<String>,
    /// Architectures to build for, with blanks between
    #[arg(long)]
    arches: Option<String>,
    /// The permission that tagging into it takes
    #[arg(long, conflicts_with = "no_perm")]
    perm: Option<String>,
    /// Tagging into it takes no permission
    #[arg(long)]
    no_perm: bool,
    /// Let nothing be tagged into it
    #[arg(long, conflicts_with = "unlock")]
    lock: bool,
    /// Let builds be tagged into it again
    #[arg(long)]
    unlock: bool,
    /// Set a further setting; may be repeated
    #[arg(long, short = 'x', value_name = "KEY=VALUE", value_parser = argument::pair)]
    extra: Vec<(String, Value)>,
    /// Remove a further setting; may be repeated
    #[arg(long, short, value_name = "KEY")]
    remove_extra: Vec<String>,
    /// Do not inherit a further setting; may be repeated
    #[arg(long, short, value_name = "KEY")]
    block_extra: Vec<String>,
}

impl EditTag {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let tag_info = self.tag.clone();
        let changes = self.changes();
        if changes.is_empty() {
            bail!("nothing to change: see toji edit-tag --help");
        }
        session.call(&EditTag2 { tag_info, changes }).await
    }

    fn changes(self) -> Named {
        let mut changes = Named::new();
        if let Some(name) = self.rename {
            changes.insert("name", name);
        }
        if let Some(arches) = self.arches {
            changes.insert("arches", arches);
        }
        if self.perm.is_some() || self.no_perm {
            changes.insert("perm", self.perm);
        }
        if self.lock || self.unlock {
            changes.insert("locked", self.lock);
        }
        if !self.extra.is_empty() {
            changes.insert("extra", Named::from_iter(self.extra));
        }
        let list = |keys: Vec<String>| keys.into_iter().map(Value::from).collect::<Vec<_>>();
        if !self.remove_extra.is_empty() {
            changes.insert("remove_extra", list(self.remove_extra));
        }
        if !self.block_extra.is_empty() {
            changes.insert("block_extra", list(self.block_extra));
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        edit: EditTag,
    }

    #[test]
    fn only_what_is_named_changes() {
        let words = "x demo --no-perm --unlock -x a=1 -r b -b c --arches x86_64";
        let changes = Line::parse_from(words.split(' ')).edit.changes();
        insta::assert_compact_json_snapshot!(changes, @r#"{"arches": "x86_64", "perm": null, "locked": false, "extra": {"a": 1}, "remove_extra": ["b"], "block_extra": ["c"]}"#);
        assert!(Line::parse_from(["x", "demo"]).edit.changes().is_empty());
    }
}
