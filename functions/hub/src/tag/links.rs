//! Setting what a tag inherits.

use std::collections::BTreeMap;

use toji_protocol::{
    id::TagId,
    method::tag::{GetInheritanceData, InheritanceEdit, InheritanceLink, SetInheritanceData},
    value::Value,
};

use super::{lock, require, require_at, sql};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    package, repo,
};

/// A number, or one in a text, as the stock client sends it; nil and an empty text are none.
fn number(name: &str, value: Option<&Value>) -> Result<Option<i32>> {
    let number = match value {
        None | Some(Value::Nil) => return Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(Value::Int(number)) => i32::try_from(*number).ok(),
        Some(_) => None,
    };
    number.map(Some).ok_or_else(|| Error::parameter(format!("{name} of an inheritance link must be a number")))
}

fn link(child: TagId, edit: InheritanceEdit) -> Result<InheritanceLink> {
    let priority = number("priority", edit.priority.as_ref())?;
    let maxdepth = number("maxdepth", edit.maxdepth.as_ref())?;
    if maxdepth.is_some_and(|depth| depth < 0) {
        return Err(Error::parameter("maxdepth of an inheritance link must not be negative"));
    }
    let pkg_filter = edit.pkg_filter.unwrap_or_default();
    package::Filter::new(&pkg_filter)?;
    Ok(InheritanceLink {
        intransitive: edit.intransitive,
        maxdepth,
        name: String::new(),
        noconfig: edit.noconfig,
        parent_id: edit.parent_id,
        pkg_filter,
        priority: priority.ok_or_else(|| Error::parameter("an inheritance link needs a priority"))?,
        child_id: child,
    })
}

fn is_same(a: &InheritanceLink, b: &InheritanceLink) -> bool {
    InheritanceLink { name: String::new(), ..a.clone() } == InheritanceLink { name: String::new(), ..b.clone() }
}

/// The links as they are to be, by parent.
fn apply(
    tag: TagId,
    current: &[InheritanceLink],
    edits: Vec<InheritanceEdit>,
    clear: bool,
) -> Result<BTreeMap<TagId, InheritanceLink>> {
    let kept = if clear { &[] } else { current };
    let mut links: BTreeMap<TagId, InheritanceLink> = kept.iter().map(|link| (link.parent_id, link.clone())).collect();
    for edit in edits {
        let parent = edit.parent_id;
        if edit.delete {
            links.remove(&parent);
        } else if parent == tag {
            return Err(Error::invalid("a tag cannot inherit from itself"));
        } else {
            links.insert(parent, link(tag, edit)?);
        }
    }
    let mut by_priority: BTreeMap<i32, TagId> = BTreeMap::new();
    for link in links.values() {
        if let Some(other) = by_priority.insert(link.priority, link.parent_id) {
            return Err(Error::invalid(format!(
                "Inheritance priorities not unique (priority {}: parents {other} and {})",
                link.priority, link.parent_id
            )));
        }
    }
    Ok(links)
}

/// Makes `tag` inherit from `parent` alone, by a plain link: what `createTag` begins with.
pub(super) fn plain(tag: TagId, parent: TagId) -> InheritanceLink {
    InheritanceLink {
        intransitive: false,
        maxdepth: None,
        name: String::new(),
        noconfig: false,
        parent_id: parent,
        pkg_filter: String::new(),
        priority: 0,
        child_id: tag,
    }
}

impl Handle for SetInheritanceData {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let (tag, _) = require(conn, &self.tag).await?;
        let edits = self.data.into_vec();
        let mut touched: Vec<TagId> = edits.iter().filter(|edit| !edit.delete).map(|edit| edit.parent_id).collect();
        touched.push(tag);
        lock(conn, &touched).await?;

        let current = sql::links(conn, tag, None).await?;
        let wanted = apply(tag, &current, edits, self.clear)?;
        let is_kept = |link: &InheritanceLink| wanted.get(&link.parent_id).is_some_and(|new| is_same(new, link));
        let gone: Vec<TagId> = current.iter().filter(|link| !is_kept(link)).map(|link| link.parent_id).collect();
        let new: Vec<InheritanceLink> =
            wanted.values().filter(|new| !current.iter().any(|link| is_same(new, link))).cloned().collect();
        if gone.is_empty() && new.is_empty() {
            return Ok(());
        }
        let event = cx.event().await?;
        let conn = cx.db().await?;
        sql::revoke_links(conn, tag, &gone, event, by).await?;
        sql::insert_links(conn, &new, event, by).await?;
        repo::tag_changed(cx, tag).await
    }
}

impl Handle for GetInheritanceData {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<InheritanceLink>> {
        let conn = cx.db().await?;
        let (tag, _) = require_at(conn, &self.tag, self.event).await?;
        sql::links(conn, tag, self.event).await
    }
}
