//! What many packages' lists say, in one statement.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use toji_protocol::id::{EventId, PackageId, TagId};

use super::{Order, sql};
use crate::Result;

/// Entries of packages in several tags' lists.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    blocked: HashMap<(PackageId, TagId), bool>,
    names: HashMap<PackageId, String>,
}

impl Entries {
    /// Whether a package is listed and not blocked, by the nearest entry that filters let through.
    pub(crate) fn is_open(&self, order: &Order, package: PackageId) -> bool {
        let Some(name) = self.name(package) else { return false };
        order.places(name).find_map(|tag| self.blocked.get(&(package, tag))) == Some(&false)
    }

    /// The name of a package that is in one of the lists.
    pub(crate) fn name(&self, package: PackageId) -> Option<&str> {
        self.names.get(&package).map(String::as_str)
    }
}

/// The entries of some packages in some tags' lists.
///
/// # Errors
/// When the database is away.
pub(crate) async fn entries(
    conn: &mut PgConnection,
    tags: &[TagId],
    packages: &HashSet<PackageId>,
    at: Option<EventId>,
) -> Result<Entries> {
    let mut entries = Entries::default();
    if packages.is_empty() {
        return Ok(entries);
    }
    for row in sql::entries_of(conn, tags, packages, at).await? {
        entries.blocked.insert((row.package, row.tag), row.blocked);
        entries.names.entry(row.package).or_insert(row.name);
    }
    Ok(entries)
}
