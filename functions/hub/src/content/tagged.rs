//! Which builds a tag shows.
//!
//! "Latest" means tagged last in the nearest tag that has the package: version numbers are never compared. What is tagged and what
//! package lists say is read in few columns, the choice is made here, and only then is more read of what was chosen.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildId, EventId, PackageId, TagId, UserId},
    method::content::{TaggedBuild, TaggedRpm},
    state::BuildState,
};

use super::sql::listed::{self, Listed};
use crate::{
    Result,
    package::{self, Entries, Order, Place},
    tag::Quirks,
};

/// Which builds of a tag are asked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// As it was then; None = now.
    pub event: Option<EventId>,
    /// With those of ancestors.
    pub inherit: bool,
    /// Only the newest N of each package; None = all.
    pub latest: Option<u32>,
    /// Only this package.
    pub package: Option<PackageId>,
    /// Only this owner's. This and the next two are looked at before `latest` counts.
    pub owner: Option<UserId>,
    /// Only drafts, or only others.
    pub draft: Option<bool>,
    /// Only packages whose name begins so, in upper or lower case.
    pub prefix: Option<String>,
    /// Tell `extra`.
    pub extra: bool,
}

/// The builds in a tag, newest tagging first in each of the tags that are met, in a fixed number of statements. A build that two of the
/// tags have is told twice, unless `latest` counts it out.
///
/// # Errors
/// When the walk through ancestors gets out of hand, or the database is away.
pub async fn builds(conn: &mut PgConnection, quirks: Quirks, tag: TagId, query: &Query) -> Result<Vec<TaggedBuild>> {
    let (chosen, entries) = chosen(conn, quirks, tag, query).await?;
    listed::told(conn, &chosen, &entries, query.extra).await
}

/// The same builds by their ids, for which much less is read.
///
/// # Errors
/// As with [`builds`].
pub(crate) async fn build_ids(
    conn: &mut PgConnection,
    quirks: Quirks,
    tag: TagId,
    query: &Query,
) -> Result<HashSet<BuildId>> {
    let (chosen, _) = chosen(conn, quirks, tag, query).await?;
    Ok(chosen.into_iter().map(|build| build.build).collect())
}

async fn chosen(conn: &mut PgConnection, quirks: Quirks, tag: TagId, query: &Query) -> Result<(Vec<Listed>, Entries)> {
    // what may be shown is decided by the inherited package list, even where builds are not inherited
    let order = Order::load(conn, quirks, tag, query.event, true).await?;
    let lists = order.tags();
    let own = [tag];
    let tags = if query.inherit { lists.as_slice() } else { &own };
    let mut found = listed::builds(conn, tags, query.package, query.event).await?;
    if let Some(event) = query.event.filter(|_| !quirks.are_kept()) {
        // Q6
        listed::as_they_were(conn, &mut found, event).await?;
    }
    found.retain(|build| is_wanted(build, query));
    let packages: HashSet<PackageId> = found.iter().map(|build| build.package).collect();
    let entries = package::entries(conn, &lists, &packages, query.event).await?;
    Ok((choose(quirks, &order, &entries, found, query), entries))
}

fn is_wanted(build: &Listed, query: &Query) -> bool {
    build.state == BuildState::Complete
        && query.owner.is_none_or(|owner| build.owner == owner)
        && query.draft.is_none_or(|draft| build.draft == draft)
}

/// Of the builds that the tags have, those that are shown, in their order.
fn choose(quirks: Quirks, order: &Order, entries: &Entries, found: Vec<Listed>, query: &Query) -> Vec<Listed> {
    let mut shown: HashMap<PackageId, bool> = HashMap::new();
    let prefix = query.prefix.as_deref().map(str::to_lowercase);
    let mut by_tag: HashMap<TagId, Vec<Listed>> = HashMap::new();
    for build in found {
        let is_shown = *shown.entry(build.package).or_insert_with(|| {
            let has_prefix =
                |name: &str| prefix.as_deref().is_none_or(|prefix| name.to_lowercase().starts_with(prefix));
            entries.is_open(order, build.package) && entries.name(build.package).is_some_and(has_prefix)
        });
        if is_shown {
            by_tag.entry(build.tag).or_default().push(build);
        }
    }
    for builds in by_tag.values_mut() {
        // two that were tagged by one event: the later build is the newer
        builds.sort_unstable_by_key(|build| std::cmp::Reverse((build.event, build.build)));
    }
    let walk = order.walk().take(if query.inherit { usize::MAX } else { 1 });
    let mut counts: HashMap<PackageId, u32> = HashMap::new();
    let mut chosen = Vec::new();
    for place in walk {
        for build in by_tag.get(&place.tag).into_iter().flatten() {
            if is_let_through(quirks, place, entries, build) && is_counted_in(&mut counts, query.latest, build.package)
            {
                chosen.push(build.clone());
            }
        }
    }
    chosen
}

/// Q4: filters do not limit builds.
fn is_let_through(quirks: Quirks, place: &Place, entries: &Entries, build: &Listed) -> bool {
    quirks.are_kept() || entries.name(build.package).is_some_and(|name| place.lets_through(name))
}

fn is_counted_in(counts: &mut HashMap<PackageId, u32>, most: Option<u32>, package: PackageId) -> bool {
    let Some(most) = most else { return true };
    let count = counts.entry(package).or_default();
    *count += 1;
    *count <= most
}

/// The RPMs of those builds, each build's once and in the builds' order, and the builds.
///
/// # Errors
/// As with [`builds`].
pub async fn rpms(
    conn: &mut PgConnection,
    quirks: Quirks,
    tag: TagId,
    query: &Query,
    arches: Option<&[String]>,
    rpmsigs: bool,
) -> Result<(Vec<TaggedRpm>, Vec<TaggedBuild>)> {
    let builds = builds(conn, quirks, tag, &Query { extra: false, ..query.clone() }).await?;
    let mut places: HashMap<BuildId, usize> = HashMap::new();
    for (place, build) in builds.iter().enumerate() {
        places.entry(build.build_id).or_insert(place);
    }
    let ids: Vec<i64> = places.keys().map(|id| id.0).collect();
    let mut rpms = super::sql::rpms(conn, &ids, arches, rpmsigs, query.extra).await?;
    rpms.sort_by_key(|rpm| places.get(&rpm.build_id).copied());
    Ok((rpms, builds))
}
