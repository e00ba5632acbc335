//! `toji list-tag-inheritance`

use anyhow::Context;
use toji_protocol::{
    id::{EventId, Ref, TagId},
    method::{
        Named,
        tag::{AtEvent, FullInheritanceLink, GetFullInheritance, GetTag},
    },
};

use crate::{argument, session::Session};

/// Show what a tag inherits from, as a tree
#[derive(clap::Args)]
pub(crate) struct ListTagInheritance {
    /// The tag
    #[arg(value_parser = argument::named::<TagId>)]
    tag: Ref<TagId>,
    /// Show what inherits from it instead
    #[arg(long)]
    reverse: bool,
    /// As it was at this event
    #[arg(long)]
    event: Option<EventId>,
}

impl ListTagInheritance {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let at = self.event.map(AtEvent::Id);
        let tag = GetTag { tag_info: self.tag.clone(), strict: true, event: at, blocked: false };
        let tag = session.call(&tag).await?.context("no such tag")?;
        let walk =
            GetFullInheritance { tag: Ref::Id(tag.id), event: self.event, reverse: self.reverse, others: Named::new() };
        session.show(&walk, |links| render(&format!("{} ({})", tag.name, tag.id), &links, self.reverse)).await
    }
}

/// The walk comes depth first, so a link's parent in the tree is the last one before it that is a level higher.
fn render(top: &str, links: &[FullInheritanceLink], reverse: bool) -> String {
    let mut text = format!("{top}\n");
    for (place, entry) in links.iter().enumerate() {
        let later = &links[place + 1..];
        // Whether a branch at this level goes on below: another entry of that level comes before a higher one.
        let goes_on =
            |level: i32| later.iter().find(|next| next.currdepth <= level).is_some_and(|next| next.currdepth == level);
        for level in 1..entry.currdepth {
            text.push_str(if goes_on(level) { "  │" } else { "   " });
        }
        text.push_str(if goes_on(entry.currdepth) { "  ├─" } else { "  └─" });
        let id = if reverse { entry.link.child_id } else { entry.link.parent_id };
        text.push_str(&format!("{} ({id}){}\n", entry.link.name, limits(entry)));
    }
    text
}

fn limits(entry: &FullInheritanceLink) -> String {
    let link = &entry.link;
    let mut limits = Vec::new();
    if let Some(depth) = link.maxdepth {
        limits.push(format!("maxdepth {depth}"));
    }
    if !link.pkg_filter.is_empty() {
        limits.push(format!("filter {}", link.pkg_filter));
    }
    if link.intransitive {
        limits.push("intransitive".to_owned());
    }
    if link.noconfig {
        limits.push("noconfig".to_owned());
    }
    if limits.is_empty() { String::new() } else { format!(" [{}]", limits.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(depth: i32, parent: i64, name: &str) -> FullInheritanceLink {
        let json = serde_json::json!({"intransitive": false, "maxdepth": if parent == 4 { Some(0) } else { None },
            "name": name, "noconfig": parent == 4, "parent_id": parent, "pkg_filter": "", "priority": 0, "child_id": 1,
            "currdepth": depth, "nextdepth": null, "filter": []});
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_tree() {
        let links =
            [link(1, 2, "updates"), link(2, 3, "base"), link(2, 4, "extra"), link(1, 5, "side"), link(2, 6, "old")];
        insta::assert_snapshot!(render("demo-build (1)", &links, false), @r"
        demo-build (1)
          ├─updates (2)
          │  ├─base (3)
          │  └─extra (4) [maxdepth 0, noconfig]
          └─side (5)
             └─old (6)
        ");
    }
}
