//! Packages, and tags' lists of them.
//!
//! - `order`: whose list counts first, and what filters let through; `edit`: changing a list
//! - `entries`: what lists say of many packages

mod edit;
mod entries;
mod order;
mod sql;

use std::collections::HashMap;

pub use edit::allow_in;
pub(crate) use edit::set_all;
pub(crate) use entries::{Entries, entries};
pub(crate) use order::{Filter, Order, Place};
use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, PackageId, Ref, TagId},
    method::{
        Listing,
        package::{
            CheckTagPackage, GetPackage, GetPackageConfig, GetPackageId, ListPackages, ListPackagesSimple,
            ListedPackage, NamedPackage, Package, PackageListAdd, PackageListBlock, PackageListRemove,
            PackageListSetArches, PackageListSetOwner, PackageListUnblock, PackageRow,
        },
    },
};

use crate::{
    Error, Result,
    call::{Cx, Handle, Table},
    listing, name,
    tag::{self, Quirks},
    user,
};

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<GetPackage>()
        .add::<GetPackageId>()
        .add::<ListPackages>()
        .add::<ListPackagesSimple>()
        .add::<CheckTagPackage>()
        .add::<GetPackageConfig>()
        .add::<PackageListAdd>()
        .add::<PackageListRemove>()
        .add::<PackageListBlock>()
        .add::<PackageListUnblock>()
        .add::<PackageListSetOwner>()
        .add::<PackageListSetArches>();
}

/// A package: its id and name.
///
/// # Errors
/// When the database is away.
pub async fn find(conn: &mut PgConnection, package: &Ref<PackageId>) -> Result<Option<(PackageId, String)>> {
    Ok(sql::find(conn, package).await?.map(|package| (package.id, package.name)))
}

/// The same; a fault when there is none.
///
/// # Errors
/// When there is no such package.
pub async fn require(conn: &mut PgConnection, package: &Ref<PackageId>) -> Result<(PackageId, String)> {
    find(conn, package).await?.ok_or_else(|| missing(package))
}

fn missing(package: &Ref<PackageId>) -> Error {
    Error::missing(format!("No such package: {package}"))
}

/// The package of a name, made when there is none.
///
/// # Errors
/// When the name breaks the rules.
pub async fn find_or_create(conn: &mut PgConnection, name: &str) -> Result<PackageId> {
    if let Some((id, _)) = find(conn, &name.into()).await? {
        return Ok(id);
    }
    name::check("package", name)?;
    sql::create(conn, name).await
}

/// A package's entry as it counts for a tag: the nearest one, blocked or not. None when it is in no list.
///
/// # Errors
/// When the walk through ancestors gets out of hand, or the database is away.
pub async fn config(
    conn: &mut PgConnection,
    quirks: Quirks,
    tag: TagId,
    package: PackageId,
    at: Option<EventId>,
) -> Result<Option<ListedPackage>> {
    let order = Order::load(conn, quirks, tag, at, true).await?;
    let tags = order.tags();
    let wanted = sql::Wanted { tags: Some(&tags), package: Some(package), with_owners: true, at, ..Default::default() };
    let entries = sql::entries(conn, &wanted).await?;
    Ok(effective(&order, entries, false).pop())
}

/// Every package's entry as it counts for a tag, blocked ones included. By name.
///
/// # Errors
/// When the walk through ancestors gets out of hand, or the database is away.
pub async fn list_for_tag(
    conn: &mut PgConnection,
    quirks: Quirks,
    tag: TagId,
    at: Option<EventId>,
) -> Result<Vec<ListedPackage>> {
    let order = Order::load(conn, quirks, tag, at, true).await?;
    let tags = order.tags();
    let entries = sql::entries(conn, &sql::Wanted { tags: Some(&tags), at, ..Default::default() }).await?;
    Ok(effective(&order, entries, false))
}

/// Every package's entry as it counts for a tag and has an owner, blocked ones included. By name.
///
/// # Errors
/// When the walk through ancestors gets out of hand, or the database is away.
pub(crate) async fn owned_of_tag(
    conn: &mut PgConnection,
    quirks: Quirks,
    tag: TagId,
    at: Option<EventId>,
) -> Result<Vec<ListedPackage>> {
    let order = Order::load(conn, quirks, tag, at, true).await?;
    let tags = order.tags();
    let wanted = sql::Wanted { tags: Some(&tags), with_owners: true, at, ..Default::default() };
    Ok(effective(&order, sql::entries(conn, &wanted).await?, false))
}

/// The entries that count, of those of all tags in `order`: for each package the nearest that the filters let through, or with
/// `with_dups` all of them. By name.
fn effective(order: &Order, entries: Vec<ListedPackage>, with_dups: bool) -> Vec<ListedPackage> {
    let mut by_package: HashMap<PackageId, Vec<ListedPackage>> = HashMap::new();
    let mut packages: Vec<(PackageId, String)> = Vec::new();
    for entry in entries {
        let of_package = by_package.entry(entry.package_id).or_default();
        if of_package.is_empty() {
            packages.push((entry.package_id, entry.package_name.clone()));
        }
        of_package.push(entry);
    }
    let mut counted = Vec::new();
    for (package, name) in packages {
        let entries = by_package.remove(&package).unwrap_or_default();
        for tag in order.places(&name) {
            let Some(entry) = entries.iter().find(|entry| entry.tag_id == Some(tag)) else { continue };
            counted.push(entry.clone());
            if !with_dups {
                break;
            }
        }
    }
    counted
}

impl Handle for GetPackage {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Package>> {
        if let Some(package) = sql::find(cx.db().await?, &self.info).await? {
            return Ok(Some(package));
        }
        match self.info.name() {
            Some(name) if self.create => {
                if !cx.caller.has_perm("tag") {
                    cx.caller.require_perm("admin")?;
                }
                let id = find_or_create(cx.db().await?, name).await?;
                Ok(Some(Package { id, name: name.to_owned() }))
            }
            _ if self.strict => Err(missing(&self.info)),
            _ => Ok(None),
        }
    }
}

impl Handle for GetPackageId {
    async fn handle(self, cx: &mut Cx) -> Result<Option<PackageId>> {
        let conn = cx.db().await?;
        match find(conn, &self.name).await? {
            Some((id, _)) => Ok(Some(id)),
            None if self.strict => Err(Error::missing(format!("No such package name: {}", self.name))),
            None => Ok(None),
        }
    }
}

impl Handle for ListPackages {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<PackageRow>> {
        let quirks = cx.hub.config.quirks;
        let conn = cx.db().await?;
        let prefix = self.prefix.as_deref();
        if self.tag_id.is_none() && self.user_id.is_none() && self.pkg_id.is_none() {
            let names = sql::all(conn, prefix, &self.query_opts.unwrap_or_default()).await?;
            return Ok(names.map(PackageRow::Named));
        }
        if self.user_id.is_some() && !self.with_owners {
            return Err(Error::invalid("userID and with_owners=False can't be used together"));
        }
        let owner = match &self.user_id {
            Some(user) => Some(user::require(conn, user).await?.id),
            None => None,
        };
        let package = match &self.pkg_id {
            Some(package) => Some(require(conn, package).await?.0),
            None => None,
        };
        let at = self.event;
        let wanted = sql::Wanted { tags: None, package, prefix, with_owners: self.with_owners, at };
        let mut packages = match &self.tag_id {
            Some(tag) => {
                let (tag, _) = tag::require_at(conn, tag, at).await?;
                let order = Order::load(conn, quirks, tag, at, self.inherited).await?;
                let tags = order.tags();
                let entries = sql::entries(conn, &sql::Wanted { tags: Some(&tags), ..wanted }).await?;
                effective(&order, entries, self.with_dups)
            }
            None => sql::entries(conn, &wanted).await?,
        };
        packages.retain(|entry| (self.with_blocked || !entry.blocked) && (owner.is_none() || entry.owner_id == owner));
        if !self.with_owners {
            for entry in &mut packages {
                (entry.owner_id, entry.owner_name) = (None, None);
            }
        }
        Ok(listing::in_memory(packages, self.query_opts.as_ref())?.map(PackageRow::Listed))
    }
}

impl Handle for ListPackagesSimple {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<NamedPackage>> {
        sql::all(cx.db().await?, self.prefix.as_deref(), &self.query_opts.unwrap_or_default()).await
    }
}

impl Handle for CheckTagPackage {
    async fn handle(self, cx: &mut Cx) -> Result<bool> {
        let quirks = cx.hub.config.quirks;
        let conn = cx.db().await?;
        let (Some((tag, _)), Some((package, _))) = (tag::find(conn, &self.tag).await?, find(conn, &self.pkg).await?)
        else {
            return Ok(false);
        };
        Ok(config(conn, quirks, tag, package, None).await?.is_some_and(|entry| !entry.blocked))
    }
}

impl Handle for GetPackageConfig {
    async fn handle(self, cx: &mut Cx) -> Result<Option<ListedPackage>> {
        let quirks = cx.hub.config.quirks;
        let conn = cx.db().await?;
        let (tag, _) = tag::require_at(conn, &self.tag, self.event).await?;
        match find(conn, &self.pkg).await? {
            Some((package, _)) => config(conn, quirks, tag, package, self.event).await,
            None => Ok(None),
        }
    }
}
