//! Repos that others serve, and the tags whose repos they are merged into.

mod attach;
mod data;
mod sql;
pub mod watch;

use std::collections::HashSet;

use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, ExternalRepoId, Ref, TagId},
    method::{
        Listing,
        external_repo::{
            AddExternalRepoToTag, CreateExternalRepo, DeleteExternalRepo, EditExternalRepo, EditTagExternalRepo,
            ExternalRepo, GetExternalRepo, GetExternalRepoData, GetExternalRepoList, GetTagExternalRepos,
            ListExternalRepos, RemoveExternalRepoFromTag, SetExternalRepoData, TagExternalRepo,
        },
    },
};

use crate::{
    Error, Result,
    call::{Cx, Handle, Table},
    listing, name, repo,
    tag::{self, Quirks},
};

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<CreateExternalRepo>()
        .add::<ListExternalRepos>()
        .add::<GetExternalRepo>()
        .add::<EditExternalRepo>()
        .add::<DeleteExternalRepo>()
        .add::<AddExternalRepoToTag>()
        .add::<RemoveExternalRepoFromTag>()
        .add::<EditTagExternalRepo>()
        .add::<GetTagExternalRepos>()
        .add::<GetExternalRepoList>()
        .add::<GetExternalRepoData>()
        .add::<SetExternalRepoData>();
}

async fn find(
    conn: &mut PgConnection,
    info: &Ref<ExternalRepoId>,
    at: Option<EventId>,
) -> Result<Option<ExternalRepo>> {
    Ok(sql::list(conn, Some(info), None, at).await?.pop())
}

pub(crate) async fn require(
    conn: &mut PgConnection,
    info: &Ref<ExternalRepoId>,
    at: Option<EventId>,
) -> Result<ExternalRepo> {
    find(conn, info, at).await?.ok_or_else(|| Error::missing(format!("No such external repo: {info}")))
}

fn taken(name: &str) -> Error {
    Error::invalid(format!("An external repo named \"{name}\" already exists"))
}

/// A base URL as it is stored: with a slash at its end.
fn base(url: &str) -> Result<String> {
    let is_url = url.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
    if !is_url || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Error::invalid(format!("'{url}' is no URL to read a repo from")));
    }
    Ok(if url.ends_with('/') { url.to_owned() } else { format!("{url}/") })
}

/// The external repos that count for a tag: its own by priority, then its ancestors', each repo once.
///
/// # Errors
/// When the walk through ancestors gets out of hand, or the database is away.
pub async fn for_tag(
    conn: &mut PgConnection,
    quirks: Quirks,
    tag: TagId,
    at: Option<EventId>,
) -> Result<Vec<TagExternalRepo>> {
    let order = tag::with_ancestors(conn, quirks, tag, at).await?;
    let attached = sql::attached(conn, Some(&order), None, at).await?;
    let mut seen = HashSet::new();
    let in_order = order.iter().flat_map(|tag| attached.iter().filter(move |repo| repo.tag_id == *tag));
    Ok(in_order.filter(|repo| seen.insert(repo.external_repo_id)).cloned().collect())
}

/// Tells those who wait for repos of tags that this external repo is attached to.
async fn changed(cx: &mut Cx, id: ExternalRepoId) -> Result<()> {
    let attached = sql::attached(cx.db().await?, None, Some(id), None).await?;
    let tags: Vec<TagId> = attached.into_iter().map(|attached| attached.tag_id).collect();
    repo::tags_changed(cx, &tags).await
}

impl Handle for CreateExternalRepo {
    async fn handle(self, cx: &mut Cx) -> Result<ExternalRepo> {
        let by = cx.caller.user()?.id;
        name::check("external repo", &self.name)?;
        let url = base(&self.url)?;
        let conn = cx.db().await?;
        let id = sql::take_name(conn, &self.name).await?;
        // id 0 stands for what is built here, and has no URL
        if id.0 == 0 || find(conn, &Ref::Id(id), None).await?.is_some() {
            return Err(taken(&self.name));
        }
        let event = cx.event().await?;
        sql::insert(cx.db().await?, id, &url, event, by).await?;
        Ok(ExternalRepo { id, name: self.name, url })
    }
}

impl Handle for ListExternalRepos {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<ExternalRepo>> {
        let repos = sql::list(cx.db().await?, self.info.as_ref(), self.url.as_deref(), self.event).await?;
        listing::in_memory(repos, self.query_opts.as_ref())
    }
}

impl Handle for GetExternalRepo {
    async fn handle(self, cx: &mut Cx) -> Result<Option<ExternalRepo>> {
        let conn = cx.db().await?;
        if self.strict {
            return require(conn, &self.info, self.event).await.map(Some);
        }
        find(conn, &self.info, self.event).await
    }
}

impl Handle for EditExternalRepo {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let url = self.url.as_deref().filter(|url| !url.is_empty()).map(base).transpose()?;
        let conn = cx.db().await?;
        let id = require(conn, &self.info, None).await?.id;
        sql::lock(conn, id).await?;
        let old = require(conn, &Ref::Id(id), None).await?;
        if let Some(name) = self.name.filter(|name| !name.is_empty() && *name != old.name) {
            name::check("external repo", &name)?;
            if !sql::rename(conn, id, &name).await? {
                return Err(taken(&name));
            }
        }
        let Some(url) = url.filter(|url| *url != old.url) else { return Ok(()) };
        let event = cx.event().await?;
        let conn = cx.db().await?;
        sql::revoke(conn, id, event, by).await?;
        sql::insert(conn, id, &url, event, by).await?;
        changed(cx, id).await
    }
}

impl Handle for DeleteExternalRepo {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let id = require(conn, &self.info, None).await?.id;
        sql::lock(conn, id).await?;
        require(conn, &Ref::Id(id), None).await?;
        let event = cx.event().await?;
        changed(cx, id).await?;
        let conn = cx.db().await?;
        sql::detach(conn, None, id, event, by).await?;
        sql::revoke_data(conn, id, event, by).await?;
        sql::revoke(conn, id, event, by).await
    }
}

impl Handle for GetTagExternalRepos {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<TagExternalRepo>> {
        let conn = cx.db().await?;
        let tags = match &self.tag_info {
            Some(tag) => Some(vec![tag::require_at(conn, tag, self.event).await?.0]),
            None => None,
        };
        let repo = match &self.repo_info {
            Some(repo) => Some(require(conn, repo, self.event).await?.id),
            None => None,
        };
        sql::attached(conn, tags.as_deref(), repo, self.event).await
    }
}

impl Handle for GetExternalRepoList {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<TagExternalRepo>> {
        let quirks = cx.hub.config.quirks;
        let conn = cx.db().await?;
        let (tag, _) = tag::require_at(conn, &self.tag_info, self.event).await?;
        for_tag(conn, quirks, tag, self.event).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        assert_eq!(base("https://example.com/$arch").unwrap(), "https://example.com/$arch/");
        assert_eq!(base("https://example.com/").unwrap(), "https://example.com/");
        for bad in ["", "example.com", "https://", "://x", "https://exa mple.com/"] {
            assert!(base(bad).is_err(), "{bad}");
        }
    }
}
