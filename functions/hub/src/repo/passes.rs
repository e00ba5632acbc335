//! What becomes of repos: their end events, expiry, deletion.
//!
//! Koji's rules: a READY repo is kept while it is current with default options; else for its lifetime; else while it is the newest
//! of a tag that some target builds from. EXPIRED and PROBLEM repos go when their time is over and no live buildroot uses them.
//! Safe to run twice at once.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use toji_protocol::{
    id::{RepoId, TagId, TaskId},
    method::repo::Repo,
    object_key,
    queue_name::{MakeRepo, QueueName},
    state::{RepoState, TaskState},
};

use super::{auto, dist, request, set_state, sql};
use toji_repodata::external::Repomd;

use crate::{Error, Hub, Result, call::Cx, tag};

/// A repo that is still not made after this is given up.
const INIT_TIMEOUT: TimeDelta = TimeDelta::hours(2);
/// The repo function gets this long before its task is sent again.
const GRACE: TimeDelta = TimeDelta::seconds(30);
/// A data file that no repo names is kept so long: its repo may be being made.
const UNNAMED_FOR: TimeDelta = TimeDelta::days(1);

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Repos that are no longer current.
    pub ended: usize,
    /// Repos given up.
    pub problems: usize,
    /// Repos expired.
    pub expired: usize,
    /// Repos deleted, with their files.
    pub deleted: usize,
}

/// Runs the pass once.
///
/// # Errors
/// When something is away; what was done stands.
pub async fn run_once(hub: &Hub, now: DateTime<Utc>) -> Result<Passed> {
    let mut passed = Passed::default();
    let live = sql::live(&mut *hub.pool.acquire().await?).await?;
    for repo in live {
        match repo.state {
            RepoState::Init => passed.problems += usize::from(check_init(hub, &repo, now).await?),
            RepoState::Ready => {
                let repo = match repo.end_event {
                    None if end(hub, &repo).await? => {
                        passed.ended += 1;
                        Repo { end_event: Some(repo.create_event), ..repo }
                    }
                    _ => repo,
                };
                passed.expired += usize::from(expire(hub, &repo, now).await?);
            }
            RepoState::Expired | RepoState::Problem => passed.deleted += usize::from(delete(hub, &repo, now).await?),
            RepoState::Deleted => {}
        }
    }
    let mut cx = Cx::internal(hub, now).await?;
    auto::request_all(&mut cx, None).await?;
    request::check_queue(&mut cx).await?;
    request::clean(&mut cx).await?;
    cx.commit().await?;
    Ok(passed)
}

/// A repo that is not made: its task is sent again, or it is given up.
async fn check_init(hub: &Hub, repo: &Repo, now: DateTime<Utc>) -> Result<bool> {
    let age = now - repo.creation_time.0;
    let is_dead = repo.task_state.is_none_or(TaskState::is_final);
    if is_dead || age > INIT_TIMEOUT {
        let mut cx = Cx::internal(hub, now).await?;
        set_state(&mut cx, repo.id, RepoState::Problem).await?;
        cx.commit().await?;
        return Ok(true);
    }
    if let (true, Some(task)) = (age > GRACE, repo.task_id) {
        send(hub, task).await?;
    }
    Ok(false)
}

async fn send(hub: &Hub, task: TaskId) -> Result<()> {
    let body = toji_protocol::queue::body(&MakeRepo { task });
    let unavailable = |error: toji_protocol::queue::QueueError| crate::Error::Unavailable(error.into());
    if hub.queues.depth(&QueueName::Repo).await.map_err(unavailable)? == 0 {
        hub.queues.send(&QueueName::Repo, &[body]).await.map_err(unavailable)?;
    }
    Ok(())
}

/// Notes the tag's first change after the repo. Answers whether there was one.
async fn end(hub: &Hub, repo: &Repo) -> Result<bool> {
    let mut conn = hub.pool.acquire().await?;
    let Some(event) = tag::first_change(&mut conn, hub.config.quirks, repo.tag_id, repo.create_event, true).await?
    else {
        return Ok(false);
    };
    sqlx::query!("UPDATE repo SET end_event = $2 WHERE id = $1 AND end_event IS NULL", repo.id.0, event.0)
        .execute(&mut *conn)
        .await?;
    Ok(true)
}

async fn expire(hub: &Hub, repo: &Repo, now: DateTime<Utc>) -> Result<bool> {
    let is_custom = repo.custom_opts.as_struct().is_some_and(|custom| !custom.is_empty());
    if repo.end_event.is_none() && !is_custom || now - repo.state_time.0 < hub.config.repo_lifetime {
        return Ok(false);
    }
    if repo.dist && dist::is_newest(hub, repo).await? {
        return Ok(false);
    }
    if !is_custom && is_newest_of_build_tag(hub, repo.tag_id, repo.id).await? {
        return Ok(false);
    }
    let mut cx = Cx::internal(hub, now).await?;
    set_state(&mut cx, repo.id, RepoState::Expired).await?;
    cx.commit().await?;
    Ok(true)
}

async fn is_newest_of_build_tag(hub: &Hub, tag: TagId, repo: RepoId) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM build_target_config WHERE build_tag = $1 AND active)
               AND $2 = (SELECT id FROM repo WHERE tag_id = $1 AND state = 1 AND NOT dist AND custom_opts = '{}'
                         ORDER BY create_event DESC LIMIT 1) AS newest"#,
        tag.0,
        repo.0
    )
    .fetch_one(&hub.pool)
    .await?
    .unwrap_or(false))
}

/// Deletes a repo that nothing uses. In three steps, so that S3 is not waited for inside a transaction: the row becomes PROBLEM, which
/// no buildroot begins with; its files go; it becomes DELETED. A crash in between leaves a PROBLEM repo, and this begins again.
async fn delete(hub: &Hub, repo: &Repo, now: DateTime<Utc>) -> Result<bool> {
    if now - repo.state_time.0 < hub.config.expired_repo_lifetime {
        return Ok(false);
    }
    let mut cx = Cx::internal(hub, now).await?;
    sqlx::query!("SELECT id FROM repo WHERE id = $1 FOR UPDATE", repo.id.0).fetch_one(cx.db().await?).await?;
    if sql::live_buildroots(cx.db().await?, repo.id).await? > 0 {
        return Ok(false);
    }
    sqlx::query!("UPDATE repo SET state = 4 WHERE id = $1 AND state = 2", repo.id.0).execute(cx.db().await?).await?;
    cx.commit().await?;
    let (all, own) = match repo.dist {
        true => (object_key::dist_repos_of_tag(&repo.tag_name), object_key::dist_repo_dir(&repo.tag_name, repo.id)),
        false => (object_key::repos_of_tag(&repo.tag_name), object_key::repo_dir(&repo.tag_name, repo.id)),
    };
    hub.store.delete_prefix(&format!("{own}/")).await?;
    let mut cx = Cx::internal(hub, now).await?;
    set_state(&mut cx, repo.id, RepoState::Deleted).await?;
    cx.commit().await?;
    sweep_data(hub, &all, now).await?;
    Ok(true)
}

/// Deletes the tag's data files that no repo of it names any more. Young ones stay: a repo that is being made writes them first.
async fn sweep_data(hub: &Hub, repos: &str, now: DateTime<Utc>) -> Result<()> {
    let mut named = HashSet::new();
    let all = hub.store.list(&format!("{repos}/")).await?;
    for object in all.iter().filter(|object| object.key.ends_with("/repodata/repomd.xml")) {
        let index = hub.store.get(&object.key).await?;
        let index =
            Repomd::parse(&index).map_err(|error| Error::internal(anyhow::anyhow!("{}: {error}", object.key)))?;
        named.extend(index.records.iter().filter_map(|record| record.href.rsplit('/').next().map(str::to_owned)));
    }
    let data = format!("{repos}/data/");
    for object in all.iter().filter(|object| object.key.starts_with(&data)) {
        let name = &object.key[data.len()..];
        if !named.contains(name) && now - object.modified > UNNAMED_FOR {
            hub.store.delete(&object.key).await?;
        }
    }
    Ok(())
}
