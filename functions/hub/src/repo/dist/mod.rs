//! Dist repos: repos of signed RPMs. Here, `distRepo`, which asks for one.
//!
//! - `opts`: what it is to be; `contents`, `choose`: which RPMs it has, each with which signature; `make`: the repo function's work

mod choose;
mod contents;
mod make;
mod opts;

pub(super) use make::make;
use opts::Opts;
use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, RepoId, TagId, TaskId},
    method::{is_truthy, repo::DistRepo},
    task::{TaskMethod, dist_repo::DistRepoTask},
    value::{Map, from_value, to_value},
};

use super::{CHANNEL, TASK_PRIORITY};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    callback::tell::{self, Init},
    event, policy, tag, task,
};

impl Handle for DistRepo {
    async fn handle(self, cx: &mut Cx) -> Result<TaskId> {
        let owner = cx.caller.user()?.id;
        if !cx.caller.has_perm("dist-repo") && !cx.caller.has_perm("admin") {
            let data: Map = [("tag".to_owned(), to_value(&self.tag)?)].into_iter().collect();
            policy::assert(cx, "dist_repo", data, false).await?;
        }
        let (tag, _) = tag::require(cx.db().await?, &self.tag).await?;
        opts::keys(&self.keys)?;
        let mut task_opts = self.task_opts;
        let asked = check(cx.db().await?, &task_opts).await?;
        if cancels_others(cx, tag).await? {
            cancel_others(cx, tag).await?;
        }
        let event = match asked {
            Some(event) => event,
            None => cx.event().await?,
        };
        task_opts.insert("event", event.0);
        let repo = insert(cx, tag, event).await?;
        let keys = self.keys.clone();
        let request = DistRepoTask { tag: self.tag, repo_id: repo, keys: self.keys, task_opts }.to_request()?;
        let new = task::NewTask {
            channel: Some(CHANNEL.to_owned()),
            priority: TASK_PRIORITY,
            ..task::NewTask::top(DistRepoTask::METHOD, request, owner)
        };
        let made = task::make(cx, new).await?;
        let init = Init { tag, asked_event: asked, event, repo, task: Some(made), with: [false; 3], keys: Some(&keys) };
        tell::repo_init(cx, init).await?;
        sqlx::query!("UPDATE repo SET task_id = $2 WHERE id = $1", repo.0, made.0).execute(cx.db().await?).await?;
        Ok(made)
    }
}

/// Checks the options; answers the event that is asked for.
async fn check(conn: &mut PgConnection, opts: &Map) -> Result<Option<EventId>> {
    Opts::parse(opts)?;
    let given = |name: &str| opts.get(name).filter(|value| !value.is_nil());
    if let Some(volume) = given("volume") {
        let volume: String = from_value(volume.clone())?;
        let known = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM volume WHERE name = $1) AS "known!""#, volume);
        if !known.fetch_one(&mut *conn).await? {
            return Err(Error::missing(format!("No such volume: '{volume}'")));
        }
    }
    match given("event") {
        Some(event) => {
            let event: EventId = from_value(event.clone())?;
            event::require(conn, event).await?;
            Ok(Some(event))
        }
        None => Ok(None),
    }
}

async fn insert(cx: &mut Cx, tag: TagId, event: EventId) -> Result<RepoId> {
    let now = cx.now;
    let id = sqlx::query_scalar!(
        "INSERT INTO repo (tag_id, state, dist, create_event, creation_time, state_time, opts, custom_opts)
         VALUES ($1, 0, true, $2, $3, $3, 'null', 'null') RETURNING id",
        tag.0,
        event.0,
        now
    )
    .fetch_one(cx.db().await?)
    .await?;
    Ok(RepoId(id))
}

/// Whether a newer dist repo of the tag makes those under way useless.
async fn cancels_others(cx: &mut Cx, tag: TagId) -> Result<bool> {
    let quirks = cx.hub.config.quirks;
    let config = tag::build_config(cx.db().await?, quirks, tag, None).await?;
    Ok(config.is_some_and(|config| config.tag.extra.get("distrepo.cancel_others").is_some_and(is_truthy)))
}

async fn cancel_others(cx: &mut Cx, tag: TagId) -> Result<()> {
    let running = sqlx::query_scalar!(
        r#"SELECT task.id FROM repo JOIN task ON task.id = repo.task_id
           WHERE repo.tag_id = $1 AND repo.dist AND repo.state = 0 AND task.state IN (0, 1, 4) ORDER BY task.id"#,
        tag.0
    )
    .fetch_all(cx.db().await?)
    .await?;
    for id in running {
        task::cancel(cx, TaskId(id), true).await?;
    }
    Ok(())
}
