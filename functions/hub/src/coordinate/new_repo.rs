//! `newRepo`: the repo's row is made at its event; the repo function does the rest and closes the task.

use chrono::{DateTime, Utc};
use toji_protocol::{
    id::{RepoId, TaskId},
    method::is_truthy,
    queue_name::{MakeRepo, QueueName},
    task::new_repo::NewRepoTask,
    value::Map,
};

use super::{open, request};
use crate::{
    Error, Hub, Result,
    call::Cx,
    callback::tell::{self, Init},
    repo, tag,
};

pub(super) async fn step(hub: &Hub, task: TaskId, now: DateTime<Utc>) -> Result<()> {
    let mut cx = Cx::internal(hub, now).await?;
    let row = open(&mut cx, task).await?;
    if repo::sql::of_task(cx.db().await?, task).await?.is_some() {
        return Ok(());
    }
    let asked: NewRepoTask = request(&row)?;
    let (tag, _) = tag::require(cx.db().await?, &asked.tag).await?;
    let mut opts = asked.opts.unwrap_or_default();
    for (name, value) in [("src", asked.src), ("debuginfo", asked.debuginfo), ("separate_src", asked.separate_src)] {
        if value {
            opts.insert(name, true);
        }
    }
    let quirks = cx.hub.config.quirks;
    let config = tag::build_config(cx.db().await?, quirks, tag, asked.event).await?;
    let config =
        config.ok_or_else(|| Error::missing(format!("No such tag: {} at event {:?}", asked.tag, asked.event)))?;
    let (all, custom): (_, Map) = repo::options(&config.tag.extra, Some(&opts))?;
    let event = match asked.event {
        Some(event) => event,
        None => cx.event().await?,
    };
    // begun after the event was taken: what the event shows is committed
    let begin =
        tag::last_change(cx.db().await?, quirks, tag, Some(toji_protocol::id::EventId(event.0 + 1)), true).await?;
    let (all, custom) =
        (serde_json::to_value(all).map_err(Error::internal)?, serde_json::to_value(custom).map_err(Error::internal)?);
    let repo = sqlx::query_scalar!(
        "INSERT INTO repo (tag_id, state, create_event, creation_time, state_time, begin_event, opts, custom_opts, task_id)
         VALUES ($1, 0, $2, $3, $3, $4, $5, $6, $7) RETURNING id",
        tag.0,
        event.0,
        now,
        begin.map(|id| id.0),
        all,
        custom,
        task.0
    )
    .fetch_one(cx.db().await?)
    .await?;
    let init = Init {
        tag,
        asked_event: asked.event,
        event,
        repo: RepoId(repo),
        task: Some(task),
        with: ["src", "debuginfo", "separate_src"].map(|name| opts.get(name).is_some_and(is_truthy)),
        keys: None,
    };
    tell::repo_init(&mut cx, init).await?;
    cx.post(QueueName::Repo, &MakeRepo { task });
    cx.commit().await
}
