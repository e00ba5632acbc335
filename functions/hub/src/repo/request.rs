//! Requests for repos, by Koji's rules: one that fits is answered at once; an equal one is joined; else it waits in a queue that
//! makes newRepo tasks, a few at a time. Whoever changes something serves the queue: there is no poll.

use std::collections::HashSet;

use chrono::TimeDelta;
use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, TagId, TaskId, UserId},
    method::{
        Named,
        repo::{Repo, RepoRequest, Requested},
    },
    state::TaskState,
    task::{TaskMethod, new_repo::NewRepoTask},
    value::{Map, Value},
};

use super::{CHANNEL, TASK_PRIORITY, satisfies, sql};
use crate::{Error, Result, call::Cx, task};

/// Clients may ask so long what has become of a request.
const KEPT: TimeDelta = TimeDelta::days(1);
/// Serialises those who serve the queue.
const QUEUE_LOCK: i64 = 7070;

/// Which event is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Exactly that one.
    At(EventId),
    /// That one or a later one.
    Since(EventId),
}

impl Wanted {
    fn fits(self, event: EventId) -> bool {
        match self {
            Wanted::At(wanted) => event == wanted,
            Wanted::Since(wanted) => event >= wanted,
        }
    }
}

fn wanted(request: &RepoRequest) -> Option<Wanted> {
    request.at_event.map(Wanted::At).or_else(|| request.min_event.map(Wanted::Since))
}

fn as_map(value: &Value) -> Map {
    value.as_struct().cloned().unwrap_or_default()
}

/// The newest READY repo that fits; None when there is none.
///
/// # Errors
/// When the database is away.
pub async fn find(conn: &mut PgConnection, tag: TagId, wanted: Wanted, opts: &Named) -> Result<Option<Repo>> {
    let (from, to) = match wanted {
        Wanted::At(event) => (event, Some(event)),
        Wanted::Since(event) => (event, None),
    };
    let ready = sql::ready(conn, tag, from, to).await?;
    Ok(ready.into_iter().find(|repo| satisfies(repo, opts)))
}

/// Answers a repo that fits, or a request that waits for one.
///
/// # Errors
/// When an option is unknown.
pub async fn request(
    cx: &mut Cx,
    owner: UserId,
    tag: TagId,
    wanted: Wanted,
    opts: Named,
    priority: i32,
    force: bool,
) -> Result<Requested> {
    // checks the names
    super::options(&Map::new(), Some(&opts))?;
    if !force && let Some(repo) = find(cx.db().await?, tag, wanted, &opts).await? {
        return Ok(Requested { repo: Some(repo), request: None, duplicate: Some(false), task: None });
    }
    lock_queue(cx).await?;
    let active = sql::active_requests(cx.db().await?, Some(tag)).await?;
    if let Some(request) = joined(cx, active, &opts, wanted).await? {
        let now = cx.now;
        if priority < request.priority {
            sqlx::query!(
                "UPDATE repo_queue SET priority = $2, update_time = $3 WHERE id = $1",
                request.id.0,
                priority,
                now
            )
            .execute(cx.db().await?)
            .await?;
        }
        return Ok(Requested { repo: None, request: Some(request), duplicate: Some(true), task: None });
    }
    let (at, min) = match wanted {
        Wanted::At(event) => (Some(event.0), None),
        // an event that has never been is no reference
        Wanted::Since(event) => (None, Some(real_event(cx, event).await?)),
    };
    let (now, opts) = (cx.now, sql::json(&opts)?);
    let id = sqlx::query_scalar!(
        "INSERT INTO repo_queue (owner, tag_id, priority, at_event, min_event, opts, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING id",
        owner.0,
        tag.0,
        priority,
        at,
        min,
        opts,
        now
    )
    .fetch_one(cx.db().await?)
    .await?;
    serve(cx).await?;
    let request = sql::request(cx.db().await?, id.into()).await?;
    Ok(Requested { repo: None, request, duplicate: Some(false), task: None })
}

async fn real_event(cx: &mut Cx, event: EventId) -> Result<i64> {
    let found = sqlx::query_scalar!("SELECT id FROM events WHERE id >= $1 ORDER BY id LIMIT 1", event.0)
        .fetch_optional(cx.db().await?)
        .await?;
    found.ok_or_else(|| Error::missing(format!("No such event: {event}; it is still to come")))
}

/// A request that waits for a repo which will do for this one, too.
async fn joined(cx: &mut Cx, active: Vec<RepoRequest>, opts: &Named, wanted: Wanted) -> Result<Option<RepoRequest>> {
    for request in active.into_iter().filter(|request| as_map(&request.opts) == *opts) {
        let fits = match (request.at_event, request.min_event, wanted) {
            (Some(theirs), _, Wanted::At(ours)) => theirs == ours,
            (_, Some(theirs), Wanted::Since(ours)) => match begun(cx, &request).await? {
                Some(event) => event >= ours,
                None => theirs >= ours,
            },
            _ => false,
        };
        if fits {
            return Ok(Some(request));
        }
    }
    Ok(None)
}

/// The event of the repo that is being made for a request: it is fixed once the task runs.
async fn begun(cx: &mut Cx, request: &RepoRequest) -> Result<Option<EventId>> {
    match (request.task_id, request.task_state) {
        (Some(task), Some(TaskState::Open)) => {
            Ok(sql::of_task(cx.db().await?, task).await?.map(|repo| repo.create_event))
        }
        _ => Ok(None),
    }
}

async fn lock_queue(cx: &mut Cx) -> Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", QUEUE_LOCK).execute(cx.db().await?).await?;
    Ok(())
}

/// Serves the queue: makes newRepo tasks for requests that have none, as many as may run at once.
///
/// # Errors
/// When the database is away.
pub async fn check_queue(cx: &mut Cx) -> Result<()> {
    lock_queue(cx).await?;
    serve(cx).await
}

/// Forgets requests that were fulfilled or given up long ago.
///
/// # Errors
/// When the database is away.
pub(super) async fn clean(cx: &mut Cx) -> Result<()> {
    let old = cx.now - KEPT;
    sqlx::query!("DELETE FROM repo_queue WHERE NOT active AND update_time < $1", old).execute(cx.db().await?).await?;
    Ok(())
}

async fn serve(cx: &mut Cx) -> Result<()> {
    let active = sql::active_requests(cx.db().await?, None).await?;
    let lives = |request: &&RepoRequest| request.task_state.is_some_and(|state| !state.is_final());
    let tasks: HashSet<TaskId> = active.iter().filter(lives).filter_map(|request| request.task_id).collect();
    let mut room = cx.hub.config.max_repo_tasks - tasks.len() as i64;
    for request in active.iter().filter(|request| !lives(request)) {
        if request.tries >= cx.hub.config.repo_retries {
            give_up(cx, request).await?;
            continue;
        }
        if room <= 0 {
            continue;
        }
        let task = make_task(cx, request).await?;
        let now = cx.now;
        sqlx::query!(
            "UPDATE repo_queue SET task_id = $2, tries = tries + 1, update_time = $3 WHERE id = $1",
            request.id.0,
            task.0,
            now
        )
        .execute(cx.db().await?)
        .await?;
        room -= 1;
    }
    Ok(())
}

async fn give_up(cx: &mut Cx, request: &RepoRequest) -> Result<()> {
    let now = cx.now;
    tracing::warn!(request = %request.id, tag = request.tag_name, tries = request.tries, "no repo could be made");
    sqlx::query!("UPDATE repo_queue SET active = false, update_time = $2 WHERE id = $1", request.id.0, now)
        .execute(cx.db().await?)
        .await?;
    super::wake_waiters(cx).await
}

async fn make_task(cx: &mut Cx, request: &RepoRequest) -> Result<TaskId> {
    let opts = as_map(&request.opts);
    let arguments = NewRepoTask {
        tag: toji_protocol::id::Ref::Id(request.tag_id),
        event: request.at_event,
        src: false,
        debuginfo: false,
        separate_src: false,
        opts: Some(opts),
    };
    let new = task::NewTask {
        channel: Some(CHANNEL.to_owned()),
        priority: TASK_PRIORITY,
        ..task::NewTask::top(NewRepoTask::METHOD, arguments.to_request()?, request.owner)
    };
    task::make(cx, new).await
}

/// A repo is READY: every request that it satisfies is fulfilled, those who wait look again, and the queue moves on.
///
/// # Errors
/// When the database is away.
pub(super) async fn fulfil(cx: &mut Cx, repo: &Repo) -> Result<()> {
    lock_queue(cx).await?;
    let now = cx.now;
    let active = sql::active_requests(cx.db().await?, Some(repo.tag_id)).await?;
    let fulfilled: Vec<i64> = active
        .iter()
        .filter(|request| wanted(request).is_some_and(|wanted| wanted.fits(repo.create_event)))
        .filter(|request| satisfies(repo, &as_map(&request.opts)))
        .map(|request| request.id.0)
        .collect();
    sqlx::query!(
        "UPDATE repo_queue SET active = false, repo_id = $2, update_time = $3 WHERE id = ANY($1)",
        &fulfilled,
        repo.id.0,
        now
    )
    .execute(cx.db().await?)
    .await?;
    super::wake_waiters(cx).await?;
    serve(cx).await
}
