//! Requests for repos, by Koji's rules: one that fits is answered at once; an equal one is joined; else it waits in a queue that
//! makes newRepo tasks, a few at a time. Whoever changes something serves the queue: there is no poll.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, RepoRequestId, TagId, TaskId, UserId},
    method::{
        Named,
        repo::{Repo, RepoRequest, Requested},
    },
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

/// A repo that is wanted.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) owner: UserId,
    pub(super) tag: TagId,
    pub(super) wanted: Wanted,
    pub(super) opts: Named,
    pub(super) priority: i32,
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
    let found = |repo| Requested { repo: Some(repo), request: None, duplicate: Some(false), task: None };
    if !force && let Some(repo) = find(cx.db().await?, tag, wanted, &opts).await? {
        return Ok(found(repo));
    }
    lock_queue(cx).await?;
    // it may have been made while we waited
    if !force && let Some(repo) = find(cx.db().await?, tag, wanted, &opts).await? {
        return Ok(found(repo));
    }
    let wish = Wish { owner, tag, wanted, opts, priority };
    if let Some(joined) = sql::waiting(cx.db().await?, &[tag]).await?.iter().find(|waiting| waiting.will_do(&wish)) {
        if priority < joined.priority {
            let now = cx.now;
            sql::set_priority(cx.db().await?, joined.id, priority, now).await?;
        }
        let request = sql::request(cx.db().await?, joined.id).await?;
        return Ok(Requested { repo: None, request, duplicate: Some(true), task: None });
    }
    if let Wanted::Since(event) = wanted {
        check_event(cx, event).await?;
    }
    let now = cx.now;
    let id = sql::insert(cx.db().await?, &[&wish], now).await?[0];
    serve(cx).await?;
    let request = sql::request(cx.db().await?, id).await?;
    Ok(Requested { repo: None, request, duplicate: Some(false), task: None })
}

/// The same for many, with a few statements for all of them. Answers how many wait that did not before.
///
/// # Errors
/// When the database is away.
pub(super) async fn enqueue(cx: &mut Cx, wishes: &[Wish]) -> Result<usize> {
    if wishes.is_empty() {
        return Ok(0);
    }
    lock_queue(cx).await?;
    let tags: Vec<TagId> = wishes.iter().map(|wish| wish.tag).collect();
    let waiting = sql::waiting(cx.db().await?, &tags).await?;
    // they may have been made while we waited
    let newest = sql::newest_ready(cx.db().await?, &tags).await?;
    let is_new = |wish: &&Wish| {
        let is_there = newest.get(&wish.tag).is_some_and(|newest| wish.wanted.fits(newest.event));
        !is_there && !waiting.iter().any(|waiting| waiting.will_do(wish))
    };
    let new: Vec<&Wish> = wishes.iter().filter(is_new).collect();
    if new.is_empty() {
        return Ok(0);
    }
    let now = cx.now;
    sql::insert(cx.db().await?, &new, now).await?;
    serve(cx).await?;
    Ok(new.len())
}

/// An event that has never been is no reference.
async fn check_event(cx: &mut Cx, event: EventId) -> Result<()> {
    match sql::has_event_since(cx.db().await?, event).await? {
        true => Ok(()),
        false => Err(Error::missing(format!("No such event: {event}; it is still to come"))),
    }
}

/// A request that waits, and what is being made for it.
pub(super) struct Waiting {
    pub(super) id: RepoRequestId,
    pub(super) tag: TagId,
    pub(super) wanted: Wanted,
    pub(super) opts: Value,
    pub(super) priority: i32,
    /// The event of the repo that is being made for it; None = none is begun.
    pub(super) begun: Option<EventId>,
}

impl Waiting {
    /// Whether its repo will do for this wish, too. One that is not begun takes its event when it begins, under the lock of all events: so
    /// it shows all that has happened by now, whatever the request asks for.
    fn will_do(&self, wish: &Wish) -> bool {
        let fits = match (self.wanted, wish.wanted, self.begun) {
            (Wanted::At(theirs), Wanted::At(ours), _) => theirs == ours,
            (Wanted::Since(_), Wanted::Since(ours), Some(event)) => event >= ours,
            (Wanted::Since(_), Wanted::Since(_), None) => true,
            _ => false,
        };
        fits && self.tag == wish.tag && as_map(&self.opts) == wish.opts
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

/// Whether [`check_queue`] would do anything.
pub(super) async fn is_served(conn: &mut PgConnection, retries: i32, room: i64) -> Result<bool> {
    if sql::is_hopeless(conn, retries).await? {
        return Ok(true);
    }
    let free = room - sql::tasks(conn).await?;
    Ok(!sql::next(conn, retries, free).await?.is_empty())
}

/// Forgets requests that were fulfilled or given up long ago.
///
/// # Errors
/// When the database is away.
pub(super) async fn clean(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
    let old = now - KEPT;
    sqlx::query!("DELETE FROM repo_queue WHERE NOT active AND update_time < $1", old).execute(conn).await?;
    Ok(())
}

/// Of equal requests one is served at a time: while its repo is made the others gather, and one more will do for them.
async fn serve(cx: &mut Cx) -> Result<()> {
    let (now, retries) = (cx.now, cx.hub.config.repo_retries);
    let given_up = sql::give_up(cx.db().await?, retries, now).await?;
    for request in &given_up {
        tracing::warn!(%request, retries, "no repo could be made");
    }
    if !given_up.is_empty() {
        super::wake_waiters(cx, None).await?;
    }
    let room = cx.hub.config.max_repo_tasks - sql::tasks(cx.db().await?).await?;
    for request in sql::next(cx.db().await?, retries, room).await? {
        let task = make_task(cx, &request).await?;
        sqlx::query!(
            "UPDATE repo_queue SET task_id = $2, tries = tries + 1, update_time = $3 WHERE id = $1",
            request.id.0,
            task.0,
            now
        )
        .execute(cx.db().await?)
        .await?;
    }
    Ok(())
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
    let active = sql::active_requests(cx.db().await?, repo.tag_id).await?;
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
    super::wake_waiters(cx, Some((repo.tag_id, &repo.tag_name))).await?;
    serve(cx).await
}
