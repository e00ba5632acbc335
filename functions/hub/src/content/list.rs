//! The calls that ask what is in a tag.

use sqlx::PgConnection;
use toji_protocol::{
    id::{PackageId, Ref, TagId, UserId},
    method::{
        OneOrMany,
        content::{
            GetLatestBuilds, GetLatestMavenArchives, GetLatestRpms, Latest, ListTagged, ListTaggedArchives,
            ListTaggedRpms, TaggedBuild, TaggedRpm,
        },
    },
    value::Value,
};

use super::{Query, builds, rpms};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    package, tag, user,
};

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
