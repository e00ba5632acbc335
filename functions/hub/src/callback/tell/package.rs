//! Changes of a tag's package list.

use toji_protocol::{
    id::{PackageId, Ref, TagId, UserId},
    method::package::Package,
};

use super::{caller, is_wanted, tag_info};
use crate::{
    Result,
    call::Cx,
    callback::{Callback, Happening, around, message::of_tag},
    package,
};

/// A change of a tag's package list.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListChange<'a> {
    /// `add`, `update`, `block`, `unblock` or `remove`.
    pub(crate) action: &'static str,
    /// What the entry has from now on; None = the action has none.
    pub(crate) entry: Option<Entry<'a>>,
}

/// An entry as it is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) owner: Option<UserId>,
    pub(crate) block: Option<bool>,
    pub(crate) extra_arches: Option<&'a str>,
    pub(crate) force: bool,
    pub(crate) update: bool,
}

/// A tag's package list changes.
///
/// # Errors
/// When a hook refuses.
pub(crate) async fn package_list(cx: &mut Cx, tag: TagId, package: PackageId, change: ListChange<'_>) -> Result<()> {
    if !is_wanted(cx, Callback::PackageListChange) {
        return Ok(());
    }
    let tag = tag_info(cx, tag).await?;
    let (id, name) = package::require(cx.db().await?, &Ref::Id(package)).await?;
    let user = caller(cx).await?;
    let address = format!("package.{}", change.action);
    let mut happening = Happening::new(Callback::PackageListChange, address, of_tag(tag.id))
        .prop("tag", tag.name.as_str())
        .prop("package", name.as_str())
        .prop("action", change.action)
        .prop("user", user.as_ref().map(|user| user.name.clone()))
        .with("action", change.action)?
        .with("tag", tag)?
        .with("package", Package { id, name })?
        .fresh("package", &["id"]);
    if let Some(entry) = change.entry {
        happening = happening
            .with("owner", entry.owner)?
            .with("block", entry.block)?
            .with("extra_arches", entry.extra_arches)?
            .with("force", entry.force)?
            .with("update", entry.update)?;
    }
    around(cx, happening.with("user", user)?).await
}
