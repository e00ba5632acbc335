//! Copying tags with what is in them: `snapshotTag` makes a new one, `snapshotTagModify` changes one that is there.
//!
//! All builds are tagged by events of their own, so that their order stays; everything else by one event before.

mod builds;

use std::collections::{BTreeMap, HashMap};

use toji_protocol::{
    id::{EventId, PackageId, Ref, TagId},
    method::{
        package::ListedPackage,
        tag::{SnapshotTag, SnapshotTagModify, Tag},
    },
    value::Map,
};

use super::{
    edit::{self, Changes},
    lock, missing, own, require, sql,
};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    content::{self, mass},
    group, package,
};

async fn tag_at(cx: &mut Cx, tag: &Ref<TagId>, at: Option<EventId>) -> Result<Tag> {
    own(cx.db().await?, tag, at, false).await?.ok_or_else(|| missing(tag))
}

fn check_parts(pkgs: bool, builds: bool) -> Result<()> {
    if builds && !pkgs {
        return Err(Error::parameter("builds can't be used without pkgs in snapshotTag"));
    }
    Ok(())
}

fn encoded(extra: &Map) -> Result<BTreeMap<String, Option<String>>> {
    extra.iter().map(|(key, value)| Ok((key.to_owned(), Some(edit::encode(value)?)))).collect()
}

impl Handle for SnapshotTag {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        check_parts(self.pkgs, self.builds)?;
        if super::find(cx.db().await?, &self.dst.as_str().into()).await?.is_some() {
            return Err(Error::invalid("Target tag already exists"));
        }
        let src = tag_at(cx, &self.src, self.event).await?;
        if src.locked && !self.force {
            return Err(Error::invalid("Source tag is locked, use force to copy"));
        }
        // read, and held, before the first event is taken
        let quirks = cx.hub.config.quirks;
        let conn = cx.db().await?;
        let packages =
            if self.pkgs { package::owned_of_tag(conn, quirks, src.id, self.event).await? } else { Vec::new() };
        let query = content::Query {
            event: self.event,
            inherit: self.inherit_builds,
            latest: self.latest_only.then_some(1),
            ..content::Query::default()
        };
        let builds = if self.builds { content::builds(conn, quirks, src.id, &query).await? } else { Vec::new() };
        let builds = builds::oldest_first(builds.iter().map(|build| build.build_id));
        mass::hold(conn, &builds).await?;

        let (config, extra) = match self.config {
            true => (config_of(&src), encoded(&src.extra)?.into_iter().collect()),
            false => (config_of_new(), Vec::new()),
        };
        let dst = edit::create(cx, &self.dst, &config, &extra, None).await?;
        package::set_all(cx, dst, &packages).await?;
        if self.groups {
            group::copy::copy(cx, src.id, self.event, dst).await?;
        }
        let moves: Vec<mass::Move> = builds.into_iter().map(mass::Move::In).collect();
        mass::make(cx, dst, &moves).await
    }
}

fn config_of(tag: &Tag) -> sql::Config {
    sql::Config {
        arches: tag.arches.clone(),
        perm_id: tag.perm_id,
        locked: tag.locked,
        maven_support: tag.maven_support,
        maven_include_all: tag.maven_include_all,
    }
}

fn config_of_new() -> sql::Config {
    sql::Config {
        arches: Some(String::new()),
        perm_id: None,
        locked: false,
        maven_support: false,
        maven_include_all: false,
    }
}

impl Handle for SnapshotTagModify {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        check_parts(self.pkgs, self.builds)?;
        let (dst, _) = require(cx.db().await?, &self.dst).await?;
        lock(cx.db().await?, &[dst]).await?;
        let src = tag_at(cx, &self.src, self.event).await?;
        let dst = tag_at(cx, &Ref::Id(dst), None).await?;
        if (src.locked || dst.locked) && !self.force {
            return Err(Error::invalid("Source or destination tag is locked, use force to copy"));
        }
        // read, and held, before the first event is taken
        let packages = if self.pkgs { changed_packages(cx, src.id, self.event, dst.id).await? } else { Vec::new() };
        let moves = if self.builds { builds::moves(cx, &src, &dst, &self).await? } else { Vec::new() };

        if self.config {
            edit::change(cx, &Ref::Id(dst.id), changes(&src, &dst)?).await?;
        }
        package::set_all(cx, dst.id, &packages).await?;
        if self.groups {
            group::copy::align(cx, src.id, self.event, dst.id, self.remove).await?;
        }
        mass::make(cx, dst.id, &moves).await
    }
}

fn changes(src: &Tag, dst: &Tag) -> Result<Changes> {
    let is_extra = |key: &str| src.extra.get(key).is_none();
    Ok(Changes {
        name: None,
        arches: Some(src.arches.clone()),
        locked: Some(src.locked),
        perm: Some(src.perm_id.map(Ref::Id)),
        maven_support: Some(src.maven_support),
        maven_include_all: Some(src.maven_include_all),
        extra: encoded(&src.extra)?,
        remove_extra: dst.extra.iter().map(|(key, _)| key.to_owned()).filter(|key| is_extra(key)).collect(),
    })
}

/// The entries that a tag needs to list what another lists: those it has not, and blocks for those that only it has. What both list
/// stays as it is, as in Koji.
async fn changed_packages(cx: &mut Cx, src: TagId, at: Option<EventId>, dst: TagId) -> Result<Vec<ListedPackage>> {
    let quirks = cx.hub.config.quirks;
    let conn = cx.db().await?;
    let by_id = |entries: Vec<ListedPackage>| -> HashMap<PackageId, ListedPackage> {
        entries.into_iter().map(|entry| (entry.package_id, entry)).collect()
    };
    let theirs = by_id(package::owned_of_tag(conn, quirks, src, at).await?);
    let ours = by_id(package::owned_of_tag(conn, quirks, dst, None).await?);
    let new = theirs.values().filter(|entry| !ours.contains_key(&entry.package_id)).cloned();
    let extra = ours.values().filter(|entry| !theirs.contains_key(&entry.package_id) && !entry.blocked);
    Ok(new.chain(extra.map(|entry| ListedPackage { blocked: true, ..entry.clone() })).collect())
}
