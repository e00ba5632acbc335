//! Changing a tag's package list.

use sqlx::PgConnection;
use toji_protocol::{
    id::{PackageId, Ref, TagId, UserId},
    method::package::{
        ListedPackage, PackageListAdd, PackageListBlock, PackageListRemove, PackageListSetArches, PackageListSetOwner,
        PackageListUnblock,
    },
    value::{Map, to_value},
};

use super::{Order, find, find_or_create, require, sql};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    callback::tell::{self, Entry, ListChange},
    policy, repo,
    tag::{self, Quirks},
    user,
};

/// Asks the policy `package_list`.
async fn allow(cx: &mut Cx, action: &str, tag: TagId, package: &Ref<PackageId>, force: bool) -> Result<()> {
    let mut data = Map::new();
    data.insert("tag", tag.0);
    data.insert("action", action);
    data.insert("package", to_value(package)?);
    data.insert("force", force);
    policy::assert(cx, "package_list", data, force).await
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

async fn state(conn: &mut PgConnection, quirks: Quirks, tag: TagId, package: PackageId) -> Result<State> {
    let order = Order::load(conn, quirks, tag, None, true).await?;
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

/// Writes a tag's own entry.
async fn write(cx: &mut Cx, tag: TagId, package: PackageId, says: (bool, Option<&str>), owner: UserId) -> Result<()> {
    let by = cx.caller.user()?.id;
    let event = cx.event().await?;
    let conn = cx.db().await?;
    sql::revoke(conn, tag, package, event, by).await?;
    sql::insert(conn, tag, package, says, event, by).await?;
    sql::revoke_owner(conn, tag, package, event, by).await?;
    sql::insert_owner(conn, tag, package, owner, event, by).await?;
    repo::tag_changed(cx, tag).await
}

/// Makes these the tag's own entries of their packages, without asking a policy. The tag is locked already.
///
/// # Errors
/// When the database is away.
pub(crate) async fn set_all(cx: &mut Cx, tag: TagId, entries: &[ListedPackage]) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let by = cx.caller.user()?.id;
    let event = cx.event().await?;
    sql::set_all(cx.db().await?, tag, entries, event, by).await?;
    repo::tag_changed(cx, tag).await
}

/// Removes a tag's own entry. Its owner stays on record, as in Koji: no list shows an owner without an entry.
async fn remove(cx: &mut Cx, tag: TagId, package: PackageId, action: &'static str) -> Result<()> {
    tell::package_list(cx, tag, package, ListChange { action, entry: None }).await?;
    let by = cx.caller.user()?.id;
    let event = cx.event().await?;
    sql::revoke(cx.db().await?, tag, package, event, by).await?;
    repo::tag_changed(cx, tag).await
}

/// What to change in an entry; None = stays.
#[derive(Clone, Default)]
struct Change {
    owner: Option<UserId>,
    block: Option<bool>,
    extra_arches: Option<String>,
    force: bool,
    /// Only change an entry that is there.
    update: bool,
}

impl Change {
    fn action(&self) -> &'static str {
        match (self.update, self.block) {
            (true, _) => "update",
            (false, Some(true)) => "block",
            (false, _) => "add",
        }
    }

    /// What callbacks are told of it.
    fn told(&self, owner: UserId) -> ListChange<'_> {
        let Self { block, force, update, .. } = *self;
        let extra_arches = self.extra_arches.as_deref();
        let entry = Entry { owner: Some(owner), block, extra_arches, force, update };
        ListChange { action: self.action(), entry: Some(entry) }
    }
}

/// Adds or changes an entry, without asking a policy.
///
/// # Errors
/// When it is blocked and not forced, when there is none to update, or when a new one has no owner.
async fn change(cx: &mut Cx, tag: (TagId, String), package: PackageId, asked: Change) -> Result<()> {
    let (tag, tag_name) = tag;
    let caller = cx.caller.user()?.id;
    let quirks = cx.hub.config.quirks;
    let conn = cx.db().await?;
    tag::lock(conn, &[tag]).await?;
    let State { effective, own, .. } = state(conn, quirks, tag, package).await?;
    let told = asked.clone();
    let Change { owner, block, extra_arches, force, update } = asked;
    let Some(before) = effective else {
        if update && !force {
            let name = require(conn, &Ref::Id(package)).await?.1;
            return Err(Error::missing(format!("cannot update: tag {tag_name} has no data for package {name}")));
        }
        let no_owner = || Error::invalid("owner not specified: a new entry needs one");
        let owner = owner.or(force.then_some(caller)).ok_or_else(no_owner)?;
        tell::package_list(cx, tag, package, told.told(owner)).await?;
        return write(cx, tag, package, (block.unwrap_or(false), extra_arches.as_deref()), owner).await;
    };
    let blocked = block.unwrap_or(before.blocked);
    let extra_arches = extra_arches.or_else(|| before.extra_arches.clone());
    let owner = owner.or(before.owner_id).unwrap_or(caller);
    let is_changed = blocked != before.blocked || extra_arches != before.extra_arches;
    let has_new_owner = before.owner_id != Some(owner);
    if before.blocked && !blocked && !force {
        let message = format!("package {} is blocked in tag {tag_name}; unblock it first", before.package_name);
        return Err(Error::invalid(message));
    }
    if is_changed || has_new_owner {
        tell::package_list(cx, tag, package, told.told(owner)).await?;
    }
    if is_changed || has_new_owner && own.is_none() {
        return write(cx, tag, package, (blocked, extra_arches.as_deref()), owner).await;
    }
    if has_new_owner {
        let event = cx.event().await?;
        let conn = cx.db().await?;
        sql::revoke_owner(conn, tag, package, event, caller).await?;
        sql::insert_owner(conn, tag, package, owner, event, caller).await?;
        repo::tag_changed(cx, tag).await?;
    }
    Ok(())
}

/// Puts a package into a tag's list, unblocked, as an admin who forces it.
///
/// # Errors
/// When the database is away.
pub async fn allow_in(cx: &mut Cx, tag: TagId, package: PackageId) -> Result<()> {
    let tag = tag::require(cx.db().await?, &Ref::Id(tag)).await?;
    let asked = Change { block: Some(false), force: true, ..Default::default() };
    change(cx, tag, package, asked).await
}

/// Adds or changes an entry for who may by the policy. A package that is named and not there is made.
async fn change_by_policy(
    cx: &mut Cx,
    tag: &Ref<TagId>,
    package: &Ref<PackageId>,
    owner: Option<&Ref<UserId>>,
    asked: Change,
) -> Result<()> {
    let conn = cx.db().await?;
    let tag = tag::require(conn, tag).await?;
    let found = find(conn, package).await?;
    if found.is_none() && package.name().is_none() {
        return Err(super::missing(package));
    }
    let owner = match owner {
        Some(owner) => Some(user::require(conn, owner).await?.id),
        None => None,
    };
    allow(cx, asked.action(), tag.0, package, asked.force).await?;
    let id = match (found, package.name()) {
        (Some((id, _)), _) => id,
        (None, Some(name)) => find_or_create(cx.db().await?, name).await?,
        (None, None) => return Err(super::missing(package)),
    };
    change(cx, tag, id, Change { owner, ..asked }).await
}

impl Handle for PackageListAdd {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let extra_arches = self.extra_arches.as_deref().map(tag::arches).transpose()?;
        let asked = Change { owner: None, block: self.block, extra_arches, force: self.force, update: self.update };
        change_by_policy(cx, &self.taginfo, &self.pkginfo, self.owner.as_ref(), asked).await
    }
}

impl Handle for PackageListBlock {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let quirks = cx.hub.config.quirks;
        let conn = cx.db().await?;
        let (tag, tag_name) = tag::require(conn, &self.taginfo).await?;
        let (package, name) = require(conn, &self.pkginfo).await?;
        if state(conn, quirks, tag, package).await?.effective.is_none() {
            return Err(Error::missing(format!("Package {name} is not in tag listing for {tag_name}")));
        }
        let asked = Change { block: Some(true), force: self.force, ..Default::default() };
        change_by_policy(cx, &self.taginfo, &self.pkginfo, None, asked).await
    }
}

impl Handle for PackageListSetOwner {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let asked = Change { force: self.force, update: true, ..Default::default() };
        change_by_policy(cx, &self.taginfo, &self.pkginfo, Some(&self.owner), asked).await
    }
}

impl Handle for PackageListSetArches {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let extra_arches = Some(tag::arches(self.arches.as_deref().unwrap_or_default())?);
        let asked = Change { extra_arches, force: self.force, update: true, ..Default::default() };
        change_by_policy(cx, &self.taginfo, &self.pkginfo, None, asked).await
    }
}

impl Handle for PackageListRemove {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let quirks = cx.hub.config.quirks;
        let conn = cx.db().await?;
        let (tag, _) = tag::require(conn, &self.taginfo).await?;
        let (package, _) = require(conn, &self.pkginfo).await?;
        allow(cx, "remove", tag, &Ref::Id(package), self.force).await?;
        let conn = cx.db().await?;
        tag::lock(conn, &[tag]).await?;
        // Koji says nothing when there is none
        match state(conn, quirks, tag, package).await?.own {
            Some(_) => remove(cx, tag, package, "remove").await,
            None => Ok(()),
        }
    }
}

impl Handle for PackageListUnblock {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let quirks = cx.hub.config.quirks;
        let conn = cx.db().await?;
        let (tag, tag_name) = tag::require(conn, &self.taginfo).await?;
        let (package, name) = require(conn, &self.pkginfo).await?;
        allow(cx, "unblock", tag, &Ref::Id(package), self.force).await?;
        let conn = cx.db().await?;
        tag::lock(conn, &[tag]).await?;
        let State { effective, own, inherited } = state(conn, quirks, tag, package).await?;
        let Some(blocked) = effective else {
            let message = format!("no data (blocked or otherwise) for package {name} in tag {tag_name}");
            return Err(Error::missing(message));
        };
        if !blocked.blocked {
            return Err(Error::invalid(format!("package {name} NOT blocked in tag {tag_name}")));
        }
        let shows_through = inherited.is_some_and(|entry| !entry.blocked);
        if own.is_some() && shows_through {
            return remove(cx, tag, package, "unblock").await;
        }
        tell::package_list(cx, tag, package, ListChange { action: "unblock", entry: None }).await?;
        // nothing unblocked would show, so an entry of the tag's own must say so
        let owner = blocked.owner_id.unwrap_or(by);
        write(cx, tag, package, (false, blocked.extra_arches.as_deref()), owner).await
    }
}
