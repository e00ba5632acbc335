//! What is in a tag.
//!
//! "Latest" means tagged last in the nearest tag that has the package: version numbers are never compared.

use std::collections::HashMap;

use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildId, EventId, PackageId, Ref, TagId, UserId},
    method::{
        OneOrMany,
        content::{
            GetLatestBuilds, GetLatestMavenArchives, GetLatestRpms, Latest, ListTagged, ListTaggedArchives,
            ListTaggedRpms, TaggedBuild, TaggedRpm,
        },
    },
    value::Value,
};

use super::sql;
use crate::{
    Error, Result,
    call::{Cx, Handle},
    package::{self, Order, Place},
    tag::{self, Quirks},
    user,
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
    /// Only packages whose name begins so.
    pub prefix: Option<String>,
    /// Tell `extra`.
    pub extra: bool,
}

/// The builds in a tag, in two statements. A build that two of the tags have is told twice, unless `latest` counts it out.
///
/// # Errors
/// When the walk through ancestors gets out of hand, or the database is away.
pub async fn builds(conn: &mut PgConnection, quirks: Quirks, tag: TagId, query: &Query) -> Result<Vec<TaggedBuild>> {
    // what may be shown is decided by the inherited package list, even where builds are not inherited
    let order = Order::load(conn, quirks, tag, query.event, true).await?;
    let lists = order.tags();
    let tags = if query.inherit { lists.clone() } else { vec![tag] };
    let rows = sql::builds(conn, &tags, &lists, query).await?;

    let mut shown: HashMap<PackageId, bool> = HashMap::new();
    let mut by_tag: HashMap<TagId, Vec<TaggedBuild>> = HashMap::new();
    for row in rows {
        let is_shown = *shown.entry(row.build.package_id).or_insert_with(|| {
            let says = |tag| row.entries.iter().find(|(entry, _)| *entry == tag).map(|(_, blocked)| *blocked);
            order.places(&row.build.package_name).find_map(says) == Some(false)
        });
        if is_shown {
            by_tag.entry(row.build.tag_id).or_default().push(row.build);
        }
    }
    let walk: Vec<&Place> = order.walk().take(if query.inherit { usize::MAX } else { 1 }).collect();
    let mut last: HashMap<TagId, usize> = HashMap::new();
    for (at, place) in walk.iter().enumerate() {
        last.insert(place.tag, at);
    }
    let mut found = Vec::new();
    let mut counts: HashMap<PackageId, u32> = HashMap::new();
    for (at, place) in walk.iter().enumerate() {
        // most tags are met once, so that their builds need no copy
        let is_last = last.get(&place.tag) == Some(&at);
        let builds = if is_last { by_tag.remove(&place.tag) } else { by_tag.get(&place.tag).cloned() };
        for build in builds.into_iter().flatten() {
            // Q4
            if !quirks.are_kept() && !place.lets_through(&build.package_name) {
                continue;
            }
            let count = counts.entry(build.package_id).or_default();
            if query.latest.is_some_and(|most| *count >= most) {
                continue;
            }
            *count += 1;
            found.push(build);
        }
    }
    Ok(found)
}

/// The RPMs of those builds, each build's once and in the builds' order, and the builds: in three statements.
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
    let mut rpms = sql::rpms(conn, &ids, arches, rpmsigs, query.extra).await?;
    rpms.sort_by_key(|rpm| places.get(&rpm.build_id).copied());
    Ok((rpms, builds))
}

/// What the calls below have in common; None where nothing can be found.
struct Asked<'a> {
    tag: &'a Ref<TagId>,
    package: Option<&'a Ref<PackageId>>,
    owner: Option<&'a Ref<UserId>>,
    kind: Option<&'a str>,
    strict: bool,
    query: Query,
}

impl Asked<'_> {
    async fn resolve(self, conn: &mut PgConnection) -> Result<Option<(TagId, Query)>> {
        let at = self.query.event;
        let tag = match tag::find_at(conn, self.tag, at).await? {
            Some((tag, _)) => tag,
            None if self.strict => tag::require_at(conn, self.tag, at).await?.0,
            None => return Ok(None),
        };
        let mut query = self.query;
        if let Some(package) = self.package {
            match package::find(conn, package).await? {
                Some((id, _)) => query.package = Some(id),
                None => return Ok(None),
            }
        }
        if let Some(owner) = self.owner {
            query.owner = Some(user::require(conn, owner).await?.id);
        }
        // only RPMs are built here
        Ok(self.kind.is_none_or(|kind| kind == "rpm").then_some((tag, query)))
    }
}

async fn list_builds(cx: &mut Cx, asked: Asked<'_>) -> Result<Vec<TaggedBuild>> {
    let quirks = cx.hub.config.quirks;
    let conn = cx.db().await?;
    match asked.resolve(conn).await? {
        Some((tag, query)) => builds(conn, quirks, tag, &query).await,
        None => Ok(Vec::new()),
    }
}

async fn list_rpms(
    cx: &mut Cx,
    asked: Asked<'_>,
    arches: Option<OneOrMany<String>>,
    rpmsigs: bool,
) -> Result<(Vec<TaggedRpm>, Vec<TaggedBuild>)> {
    let arches = arches.map(OneOrMany::into_vec);
    let quirks = cx.hub.config.quirks;
    let conn = cx.db().await?;
    match asked.resolve(conn).await? {
        Some((tag, query)) => rpms(conn, quirks, tag, &query, arches.as_deref(), rpmsigs).await,
        None => Ok((Vec::new(), Vec::new())),
    }
}

impl Handle for ListTagged {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<TaggedBuild>> {
        let query = Query {
            event: self.event,
            inherit: self.inherit,
            latest: self.latest.and_then(Latest::count),
            draft: self.draft,
            prefix: self.prefix,
            extra: self.extra,
            ..Query::default()
        };
        let asked = Asked {
            tag: &self.tag,
            package: self.package.as_ref(),
            owner: self.owner.as_ref(),
            kind: self.kind.as_deref(),
            strict: self.strict,
            query,
        };
        list_builds(cx, asked).await
    }
}

impl Handle for ListTaggedRpms {
    async fn handle(self, cx: &mut Cx) -> Result<(Vec<TaggedRpm>, Vec<TaggedBuild>)> {
        let query = Query {
            event: self.event,
            inherit: self.inherit,
            latest: self.latest.and_then(Latest::count),
            draft: self.draft,
            extra: self.extra,
            ..Query::default()
        };
        let asked = Asked {
            tag: &self.tag,
            package: self.package.as_ref(),
            owner: self.owner.as_ref(),
            kind: self.kind.as_deref(),
            strict: self.strict,
            query,
        };
        list_rpms(cx, asked, self.arch, self.rpmsigs).await
    }
}

impl Handle for GetLatestBuilds {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<TaggedBuild>> {
        let query = Query { event: self.event, inherit: true, latest: Some(1), draft: self.draft, ..Query::default() };
        let package = self.package.as_ref();
        let asked = Asked { tag: &self.tag, package, owner: None, kind: self.kind.as_deref(), strict: true, query };
        list_builds(cx, asked).await
    }
}

impl Handle for GetLatestRpms {
    async fn handle(self, cx: &mut Cx) -> Result<(Vec<TaggedRpm>, Vec<TaggedBuild>)> {
        let query = Query {
            event: self.event,
            inherit: true,
            latest: Some(1),
            draft: self.draft,
            extra: true,
            ..Query::default()
        };
        let package = self.package.as_ref();
        let asked = Asked { tag: &self.tag, package, owner: None, kind: self.kind.as_deref(), strict: true, query };
        list_rpms(cx, asked, self.arch, self.rpmsigs).await
    }
}

impl Handle for ListTaggedArchives {
    async fn handle(self, cx: &mut Cx) -> Result<(Vec<Value>, Vec<TaggedBuild>)> {
        if let Some(kind) = self.kind.as_deref().filter(|kind| !["maven", "win"].contains(kind)) {
            return Err(Error::invalid(format!("unsupported archive type: {kind}")));
        }
        let query = Query {
            event: self.event,
            inherit: self.inherit,
            latest: self.latest.and_then(Latest::count),
            ..Query::default()
        };
        let asked = Asked {
            tag: &self.tag,
            package: self.package.as_ref(),
            owner: None,
            kind: self.kind.as_deref(),
            strict: self.strict,
            query,
        };
        // no build here has archives
        Ok((Vec::new(), list_builds(cx, asked).await?))
    }
}

impl Handle for GetLatestMavenArchives {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<Value>> {
        tag::require_at(cx.db().await?, &self.tag, self.event).await?;
        Ok(Vec::new())
    }
}
