//! The groups that count for a tag: its own and its ancestors', nearest first.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, TagId},
    method::group::TagGroup,
};

use super::sql;
use crate::{
    Result,
    tag::{self, Quirks},
};

/// What is asked of a tag's groups.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) inherit: bool,
    pub(super) packages: bool,
    pub(super) reqs: bool,
    /// With blocked groups and entries.
    pub(super) blocked: bool,
}

/// Everything, blocked or not: what edits are measured against.
pub(super) const ALL: Wanted = Wanted { inherit: true, packages: true, reqs: true, blocked: true };

/// Of each key, the entry of the tag that is met first. The order of `entries` is kept.
fn nearest<T, K: Eq + Hash>(
    places: &HashMap<TagId, usize>,
    entries: Vec<T>,
    key: impl Fn(&T) -> K,
    tag: impl Fn(&T) -> TagId,
) -> Vec<T> {
    let place = |entry: &T| places.get(&tag(entry)).copied().unwrap_or(usize::MAX);
    let mut best: HashMap<K, usize> = HashMap::new();
    for entry in &entries {
        let at = best.entry(key(entry)).or_insert(usize::MAX);
        *at = place(entry).min(*at);
    }
    entries.into_iter().filter(|entry| best.get(&key(entry)) == Some(&place(entry))).collect()
}

/// The groups that count for a tag, by name. A group's settings come whole from the nearest tag that has it; its packages and needed
/// groups are merged, each entry from the nearest tag that has it.
///
/// # Errors
/// When the walk through ancestors gets out of hand, or the database is away.
pub(super) async fn read(
    conn: &mut PgConnection,
    quirks: Quirks,
    tag: TagId,
    at: Option<EventId>,
    wanted: Wanted,
) -> Result<Vec<TagGroup>> {
    let order = if wanted.inherit { tag::with_ancestors(conn, quirks, tag, at).await? } else { vec![tag] };
    let places: HashMap<TagId, usize> = order.iter().enumerate().map(|(place, tag)| (*tag, place)).collect();
    let groups = sql::groups(conn, &order, at).await?;
    let mut groups = nearest(&places, groups, |group| group.group_id, |group| group.tag_id);
    groups.retain(|group| wanted.blocked || !group.blocked);
    let mut at_of: BTreeMap<_, usize> = BTreeMap::new();
    for (place, group) in groups.iter_mut().enumerate() {
        at_of.insert(group.group_id, place);
        group.packagelist = wanted.packages.then(Vec::new);
        group.grouplist = wanted.reqs.then(Vec::new);
    }
    if wanted.packages {
        let entries = sql::packages(conn, &order, at).await?;
        for entry in nearest(&places, entries, |e| (e.group_id, e.package.clone()), |e| e.tag_id) {
            let group = at_of.get(&entry.group_id).and_then(|place| groups.get_mut(*place));
            if let Some(list) = group.and_then(|group| group.packagelist.as_mut())
                && (wanted.blocked || !entry.blocked)
            {
                list.push(entry);
            }
        }
    }
    if wanted.reqs {
        let entries = sql::reqs(conn, &order, at).await?;
        for entry in nearest(&places, entries, |e| (e.group_id, e.req_id), |e| e.tag_id) {
            let group = at_of.get(&entry.group_id).and_then(|place| groups.get_mut(*place));
            if let Some(list) = group.and_then(|group| group.grouplist.as_mut())
                && (wanted.blocked || !entry.blocked)
            {
                list.push(entry);
            }
        }
    }
    Ok(groups)
}
