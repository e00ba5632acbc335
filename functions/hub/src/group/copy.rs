//! Copying the groups that count for one tag to another.

use std::collections::HashMap;

use toji_protocol::{
    id::{EventId, TagId},
    method::group::TagGroup,
};

use super::{
    merge::{self, ALL, Wanted},
    sql::{self, Entries},
};
use crate::{Result, call::Cx, repo};

/// Gives a new tag the groups that count for another, with their entries; nothing that is blocked.
///
/// # Errors
/// When the walk through ancestors gets out of hand, or the database is away.
pub(crate) async fn copy(cx: &mut Cx, from: TagId, at: Option<EventId>, to: TagId) -> Result<()> {
    let quirks = cx.hub.config.quirks;
    let groups = merge::read(cx.db().await?, quirks, from, at, Wanted { blocked: false, ..ALL }).await?;
    let mut new = Entries::default();
    for mut group in groups {
        new.packages.extend(group.packagelist.take().into_iter().flatten());
        new.reqs.extend(group.grouplist.take().into_iter().flatten());
        new.groups.push(group);
    }
    write(cx, to, Entries::default(), new).await
}

/// Gives a tag the groups that count for another where it has them not, or blocks them otherwise. With `remove`, it loses what the other
/// has not. The tag is locked already.
///
/// # Errors
/// When the walk through ancestors gets out of hand, or the database is away.
pub(crate) async fn align(cx: &mut Cx, from: TagId, at: Option<EventId>, to: TagId, remove: bool) -> Result<()> {
    let quirks = cx.hub.config.quirks;
    let conn = cx.db().await?;
    let theirs = merge::read(conn, quirks, from, at, ALL).await?;
    let ours = merge::read(conn, quirks, to, None, ALL).await?;
    let (mut gone, mut new) = (Entries::default(), Entries::default());
    for group in &theirs {
        let own = ours.iter().find(|own| own.group_id == group.group_id);
        if own.is_none_or(|own| own.blocked != group.blocked) {
            new.groups.push(TagGroup { packagelist: None, grouplist: None, ..group.clone() });
        }
        align_packages(to, group, own, remove, &mut gone, &mut new);
        align_reqs(to, group, own, remove, &mut gone, &mut new);
    }
    let is_extra = |own: &&TagGroup| !theirs.iter().any(|group| group.group_id == own.group_id);
    for extra in ours.iter().filter(is_extra).filter(|_| remove) {
        let group = TagGroup { packagelist: None, grouplist: None, blocked: true, ..extra.clone() };
        match extra.tag_id == to {
            true => gone.groups.push(group),
            // what is inherited can only be hidden
            false => new.groups.push(group),
        }
    }
    write(cx, to, gone, new).await
}

fn align_packages(
    to: TagId,
    theirs: &TagGroup,
    ours: Option<&TagGroup>,
    remove: bool,
    gone: &mut Entries,
    new: &mut Entries,
) {
    let list = |group: &TagGroup| group.packagelist.clone().unwrap_or_default();
    let theirs: HashMap<String, _> = list(theirs).into_iter().map(|entry| (entry.package.clone(), entry)).collect();
    let ours: HashMap<String, _> =
        ours.map(list).unwrap_or_default().into_iter().map(|entry| (entry.package.clone(), entry)).collect();
    new.packages.extend(theirs.values().filter(|entry| !ours.contains_key(&entry.package)).cloned());
    for entry in ours.values().filter(|entry| remove && !entry.blocked) {
        match theirs.get(&entry.package) {
            Some(blocked) if blocked.blocked => new.packages.push(blocked.clone()),
            None if entry.tag_id == to => gone.packages.push(entry.clone()),
            _ => {}
        }
    }
}

fn align_reqs(
    to: TagId,
    theirs: &TagGroup,
    ours: Option<&TagGroup>,
    remove: bool,
    gone: &mut Entries,
    new: &mut Entries,
) {
    let list = |group: &TagGroup| group.grouplist.clone().unwrap_or_default();
    let theirs: HashMap<_, _> = list(theirs).into_iter().map(|entry| (entry.req_id, entry)).collect();
    let ours: HashMap<_, _> =
        ours.map(list).unwrap_or_default().into_iter().map(|entry| (entry.req_id, entry)).collect();
    new.reqs.extend(theirs.values().filter(|entry| !ours.contains_key(&entry.req_id)).cloned());
    for entry in ours.values().filter(|entry| remove && !entry.blocked && !theirs.contains_key(&entry.req_id)) {
        match entry.tag_id == to {
            true => gone.reqs.push(entry.clone()),
            false => {
                let mut hidden = entry.clone();
                hidden.blocked = true;
                new.reqs.push(hidden);
            }
        }
    }
}

async fn write(cx: &mut Cx, tag: TagId, mut gone: Entries, new: Entries) -> Result<()> {
    let is_empty =
        |entries: &Entries| entries.groups.is_empty() && entries.packages.is_empty() && entries.reqs.is_empty();
    if is_empty(&gone) && is_empty(&new) {
        return Ok(());
    }
    let by = cx.caller.user()?.id;
    let event = cx.event().await?;
    // what is written anew takes the place of what is there
    gone.groups.extend(new.groups.iter().cloned());
    gone.packages.extend(new.packages.iter().cloned());
    gone.reqs.extend(new.reqs.iter().cloned());
    let conn = cx.db().await?;
    sql::revoke_all(conn, tag, &gone, event, by).await?;
    sql::insert_all(conn, tag, &new, event, by).await?;
    repo::tag_changed(cx, tag).await
}
