//! Changing a tag's package list.

use sqlx::PgConnection;
use toji_protocol::{
    id::{PackageId, TagId, UserId},
    method::package::{
        ListedPackage, PackageListAdd, PackageListBlock, PackageListRemove, PackageListSetArches, PackageListSetOwner,
        PackageListUnblock,
    },
};

use super::{Order, find, find_or_create, require, sql};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    repo, tag, user,
};

/// Who may change package lists: the default of the policy `package_list`.
fn allow(cx: &Cx) -> Result<()> {
    cx.caller.require_perm("tag")
}

/// What counts for a package in a tag, and the tag's own entry.
struct State {
    /// What counts now.
    effective: Option<ListedPackage>,
    /// The tag's own entry.
    own: Option<ListedPackage>,
    /// What would count without the tag's own entry.
    inherited: Option<ListedPackage>,
}

async fn state(conn: &mut PgConnection, tag: TagId, package: PackageId) -> Result<State> {
    let order = Order::load(conn, tag, None, true).await?;
    let tags = order.tags();
    let wanted = sql::Wanted { tags: Some(&tags), package: Some(package), ..Default::default() };
    let entries = sql::entries(conn, &wanted).await?;
    let name = entries.first().map(|entry| entry.package_name.clone()).unwrap_or_default();
    let entry_of = |tag| entries.iter().find(|entry| entry.tag_id == Some(tag)).cloned();
    Ok(State {
        effective: order.places(&name).find_map(entry_of),
        own: entry_of(tag),
        inherited: order.places(&name).filter(|place| *place != tag).find_map(entry_of),
    })
}

/// What a tag's own entry is to say.
struct Entry {
    blocked: bool,
    extra_arches: Option<String>,
    owner: UserId,
}

/// Writes a tag's own entry; with `again`, although it says so already.
async fn write(
    cx: &mut Cx,
    tag: TagId,
    package: PackageId,
    own: Option<&ListedPackage>,
    entry: Entry,
    again: bool,
) -> Result<()> {
    let by = cx.caller.user()?.id;
    let is_same =
        own.is_some_and(|own| own.blocked == entry.blocked && is_same_list(&own.extra_arches, &entry.extra_arches));
    let has_owner = own.is_some_and(|own| own.owner_id == Some(entry.owner));
    let event = cx.event().await?;
    let conn = cx.db().await?;
    if !is_same || again {
        sql::revoke(conn, tag, package, event, by).await?;
        let says = (entry.blocked, entry.extra_arches.as_deref());
        sql::insert(conn, tag, package, says, event, by).await?;
    }
    if !has_owner || again {
        sql::revoke_owner(conn, tag, package, event, by).await?;
        sql::insert_owner(conn, tag, package, entry.owner, event, by).await?;
    }
    repo::tag_changed(cx, tag).await
}

fn is_same_list(a: &Option<String>, b: &Option<String>) -> bool {
    a.as_deref().unwrap_or_default() == b.as_deref().unwrap_or_default()
}

/// What to change in an entry; None = stays.
#[derive(Default)]
struct Change {
    owner: Option<UserId>,
    block: Option<bool>,
    extra_arches: Option<String>,
    force: bool,
    /// Only change an entry that is there.
    update: bool,
}

async fn change(cx: &mut Cx, (tag, tag_name): (TagId, String), package: PackageId, change: Change) -> Result<()> {
    let caller = cx.caller.user()?.id;
    let conn = cx.db().await?;
    tag::lock(conn, &[tag]).await?;
    let state = state(conn, tag, package).await?;
    let Change { owner, block, extra_arches, force, update } = change;
    let entry = match &state.effective {
        None => {
            if update && !force {
                let message = format!("cannot update: tag {tag_name} has no data for package {package}");
                return Err(Error::missing(message));
            }
            let owner = match owner {
                Some(owner) => owner,
                None if force => caller,
                None => return Err(Error::invalid("owner not specified: a new entry needs one")),
            };
            Entry { blocked: block.unwrap_or(false), extra_arches, owner }
        }
        Some(before) => {
            let entry = Entry {
                blocked: block.unwrap_or(before.blocked),
                extra_arches: extra_arches.or_else(|| before.extra_arches.clone()),
                owner: owner.or(before.owner_id).unwrap_or(caller),
            };
            if before.blocked && !entry.blocked && !force {
                let message = format!("package {} is blocked in tag {tag_name}; unblock it first", before.package_name);
                return Err(Error::invalid(message));
            }
            let is_same = before.blocked == entry.blocked
                && before.owner_id == Some(entry.owner)
                && is_same_list(&before.extra_arches, &entry.extra_arches);
            if is_same && !force {
                return Ok(());
            }
            entry
        }
    };
    write(cx, tag, package, state.own.as_ref(), entry, force).await
}

impl Handle for PackageListAdd {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        allow(cx)?;
        let conn = cx.db().await?;
        let tag = tag::require(conn, &self.taginfo).await?;
        let owner = match &self.owner {
            Some(owner) => Some(user::require(conn, owner).await?.id),
            None => None,
        };
        let extra_arches = self.extra_arches.as_deref().map(tag::arches).transpose()?;
        let package = match (find(conn, &self.pkginfo).await?, self.pkginfo.name()) {
            (Some((id, _)), _) => id,
            (None, Some(name)) => find_or_create(conn, name).await?,
            (None, None) => return Err(super::missing(&self.pkginfo)),
        };
        let asked = Change { owner, block: self.block, extra_arches, force: self.force, update: self.update };
        change(cx, tag, package, asked).await
    }
}

impl Handle for PackageListBlock {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        allow(cx)?;
        let conn = cx.db().await?;
        let tag = tag::require(conn, &self.taginfo).await?;
        let (package, name) = require(conn, &self.pkginfo).await?;
        tag::lock(conn, &[tag.0]).await?;
        if state(conn, tag.0, package).await?.effective.is_none() {
            return Err(Error::missing(format!("package {name} is not in the list of tag {}", tag.1)));
        }
        let asked = Change { block: Some(true), force: self.force, ..Default::default() };
        change(cx, tag, package, asked).await
    }
}

impl Handle for PackageListSetOwner {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        allow(cx)?;
        let conn = cx.db().await?;
        let tag = tag::require(conn, &self.taginfo).await?;
        let (package, _) = require(conn, &self.pkginfo).await?;
        let owner = user::require(conn, &self.owner).await?.id;
        let asked = Change { owner: Some(owner), force: self.force, update: true, ..Default::default() };
        change(cx, tag, package, asked).await
    }
}

impl Handle for PackageListSetArches {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        allow(cx)?;
        let conn = cx.db().await?;
        let tag = tag::require(conn, &self.taginfo).await?;
        let (package, _) = require(conn, &self.pkginfo).await?;
        let arches = tag::arches(self.arches.as_deref().unwrap_or_default())?;
        let asked = Change { extra_arches: Some(arches), force: self.force, update: true, ..Default::default() };
        change(cx, tag, package, asked).await
    }
}

impl Handle for PackageListRemove {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        allow(cx)?;
        let by = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let (tag, tag_name) = tag::require(conn, &self.taginfo).await?;
        let (package, name) = require(conn, &self.pkginfo).await?;
        tag::lock(conn, &[tag]).await?;
        if state(conn, tag, package).await?.own.is_none() {
            if self.force {
                return Ok(());
            }
            return Err(Error::missing(format!("tag {tag_name} has no entry of its own for package {name}")));
        }
        let event = cx.event().await?;
        let conn = cx.db().await?;
        sql::revoke(conn, tag, package, event, by).await?;
        sql::revoke_owner(conn, tag, package, event, by).await?;
        repo::tag_changed(cx, tag).await
    }
}

impl Handle for PackageListUnblock {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        allow(cx)?;
        let by = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let (tag, tag_name) = tag::require(conn, &self.taginfo).await?;
        let (package, name) = require(conn, &self.pkginfo).await?;
        tag::lock(conn, &[tag]).await?;
        let State { effective, own, inherited } = state(conn, tag, package).await?;
        let Some(blocked) = effective else {
            let message = format!("no data (blocked or otherwise) for package {name} in tag {tag_name}");
            return Err(Error::missing(message));
        };
        if !blocked.blocked {
            return Err(Error::invalid(format!("package {name} NOT blocked in tag {tag_name}")));
        }
        let shows_through = inherited.is_some_and(|entry| !entry.blocked);
        if own.is_some() && shows_through {
            let event = cx.event().await?;
            let conn = cx.db().await?;
            sql::revoke(conn, tag, package, event, by).await?;
            sql::revoke_owner(conn, tag, package, event, by).await?;
            return repo::tag_changed(cx, tag).await;
        }
        // nothing unblocked would show, so an entry of the tag's own must say so
        let entry = Entry { blocked: false, extra_arches: blocked.extra_arches, owner: blocked.owner_id.unwrap_or(by) };
        write(cx, tag, package, own.as_ref(), entry, false).await
    }
}
