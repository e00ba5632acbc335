//! Statements about repos and requests.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildrootId, EventId, HostId, RepoId, RepoRequestId, TagId, TaskId, UserId},
    method::repo::{Repo, RepoReference, RepoRequest},
    state::{BuildrootState, RepoState, TaskState},
    time::Time,
    value::Value,
};

use crate::{Error, Result};

struct RawRepo {
    id: i64,
    tag_id: i64,
    tag_name: String,
    state: i16,
    dist: bool,
    create_event: i64,
    event_time: DateTime<Utc>,
    creation_time: DateTime<Utc>,
    state_time: DateTime<Utc>,
    begin_event: Option<i64>,
    begin_time: Option<DateTime<Utc>>,
    end_event: Option<i64>,
    end_time: Option<DateTime<Utc>>,
    opts: serde_json::Value,
    custom_opts: serde_json::Value,
    task_id: Option<i64>,
    task_state: Option<i16>,
}

fn value(json: serde_json::Value) -> Result<Value> {
    serde_json::from_value(json).map_err(Error::internal)
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(value).map_err(Error::internal)
}

impl TryFrom<RawRepo> for Repo {
    type Error = Error;
    fn try_from(row: RawRepo) -> Result<Self> {
        let state = RepoState::from_number(row.state.into());
        Ok(Self {
            begin_event: row.begin_event.map(EventId),
            begin_ts: row.begin_time.map(|time| Time(time).ts()),
            create_event: EventId(row.create_event),
            create_ts: Time(row.event_time).ts(),
            creation_time: Time(row.creation_time),
            creation_ts: Time(row.creation_time).ts(),
            custom_opts: value(row.custom_opts)?,
            dist: row.dist,
            end_event: row.end_event.map(EventId),
            end_ts: row.end_time.map(|time| Time(time).ts()),
            id: RepoId(row.id),
            opts: value(row.opts)?,
            state: state.ok_or_else(|| Error::internal(anyhow::anyhow!("no repo state {}", row.state)))?,
            state_time: Time(row.state_time),
            state_ts: Time(row.state_time).ts(),
            tag_id: TagId(row.tag_id),
            tag_name: row.tag_name,
            task_id: row.task_id.map(TaskId),
            task_state: row.task_state.and_then(|state| TaskState::from_number(state.into())),
        })
    }
}

macro_rules! repos {
    ($condition:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            RawRepo,
            r#"SELECT repo.id, repo.tag_id, tag.name AS tag_name, repo.state, dist, repo.create_event,
                   made.time AS event_time, creation_time, state_time, begin_event, began.time AS "begin_time?", end_event,
                   ended.time AS "end_time?", opts, custom_opts, repo.task_id, task.state AS "task_state?"
               FROM repo JOIN tag ON tag.id = repo.tag_id JOIN events made ON made.id = repo.create_event
                   LEFT JOIN events began ON began.id = begin_event LEFT JOIN events ended ON ended.id = end_event
                   LEFT JOIN task ON task.id = repo.task_id
               WHERE "# + $condition,
            $($argument),*
        )
    };
}

/// A repo.
pub(crate) async fn get(conn: &mut PgConnection, repo: RepoId) -> Result<Option<Repo>> {
    let row = repos!("repo.id = $1", repo.0).fetch_optional(conn).await?;
    row.map(Repo::try_from).transpose()
}

/// The repo that a newRepo task makes.
pub(crate) async fn of_task(conn: &mut PgConnection, task: TaskId) -> Result<Option<Repo>> {
    let row = repos!("repo.task_id = $1", task.0).fetch_optional(conn).await?;
    row.map(Repo::try_from).transpose()
}

/// Holds a repo until the commit, if it is still to be made.
pub(super) async fn is_init(conn: &mut PgConnection, repo: RepoId) -> Result<bool> {
    let held = sqlx::query_scalar!("SELECT id FROM repo WHERE id = $1 AND state = 0 FOR UPDATE", repo.0);
    Ok(held.fetch_optional(conn).await?.is_some())
}

/// Repos that are not deleted.
pub(super) async fn live(conn: &mut PgConnection) -> Result<Vec<Repo>> {
    let rows = repos!("repo.state <> 3 ORDER BY repo.id",).fetch_all(conn).await?;
    rows.into_iter().map(Repo::try_from).collect()
}

/// READY repos of a tag between two events, newest first.
pub(super) async fn ready(
    conn: &mut PgConnection,
    tag: TagId,
    from: EventId,
    to: Option<EventId>,
) -> Result<Vec<Repo>> {
    let rows = repos!(
        "repo.tag_id = $1 AND repo.state = 1 AND NOT dist AND repo.create_event >= $2
             AND ($3::bigint IS NULL OR repo.create_event <= $3) ORDER BY repo.create_event DESC LIMIT 100",
        tag.0,
        from.0,
        to.map(|id| id.0)
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Repo::try_from).collect()
}

/// How many buildroots that are still in use a repo fills.
pub(super) async fn live_buildroots(conn: &mut PgConnection, repo: RepoId) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM buildroot WHERE repo_id = $1 AND retire_event IS NULL"#,
        repo.0
    )
    .fetch_one(conn)
    .await?)
}

/// The buildroots that are still in use and that a repo fills.
pub(super) async fn references(conn: &mut PgConnection, repo: RepoId) -> Result<Vec<RepoReference>> {
    let rows = sqlx::query!(
        r#"SELECT id, host_id, task_id, create_event AS "create_event!", state AS "state!" FROM buildroot
           WHERE repo_id = $1 AND retire_event IS NULL ORDER BY id"#,
        repo.0
    )
    .fetch_all(conn)
    .await?;
    let state = |number: i16| {
        let state = BuildrootState::from_number(number.into());
        state.ok_or_else(|| Error::internal(anyhow::anyhow!("no buildroot state {number}")))
    };
    rows.into_iter()
        .map(|row| {
            Ok(RepoReference {
                create_event: EventId(row.create_event),
                host_id: row.host_id.map(HostId),
                id: BuildrootId(row.id),
                state: state(row.state)?,
                task_id: row.task_id.map(TaskId),
            })
        })
        .collect()
}

/// READY repos that no change of their tag has made old.
pub(super) async fn current(conn: &mut PgConnection) -> Result<Vec<(RepoId, TagId, EventId)>> {
    let rows =
        sqlx::query!("SELECT id, tag_id, create_event FROM repo WHERE state = 1 AND end_event IS NULL ORDER BY id");
    let rows = rows.fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (RepoId(row.id), TagId(row.tag_id), EventId(row.create_event))).collect())
}

struct RawRequest {
    id: i64,
    owner: i64,
    owner_name: String,
    tag_id: i64,
    tag_name: String,
    priority: i32,
    at_event: Option<i64>,
    min_event: Option<i64>,
    opts: serde_json::Value,
    create_time: DateTime<Utc>,
    update_time: DateTime<Utc>,
    active: bool,
    task_id: Option<i64>,
    task_state: Option<i16>,
    tries: i32,
    repo_id: Option<i64>,
}

impl TryFrom<RawRequest> for RepoRequest {
    type Error = Error;
    fn try_from(row: RawRequest) -> Result<Self> {
        Ok(Self {
            active: row.active,
            at_event: row.at_event.map(EventId),
            create_time: Time(row.create_time),
            create_ts: Time(row.create_time).ts(),
            id: RepoRequestId(row.id),
            min_event: row.min_event.map(EventId),
            opts: value(row.opts)?,
            owner: UserId(row.owner),
            owner_name: row.owner_name,
            priority: row.priority,
            repo_id: row.repo_id.map(RepoId),
            tag_id: TagId(row.tag_id),
            tag_name: row.tag_name,
            task_id: row.task_id.map(TaskId),
            task_state: row.task_state.and_then(|state| TaskState::from_number(state.into())),
            tries: row.tries,
            update_time: Time(row.update_time),
            update_ts: Time(row.update_time).ts(),
        })
    }
}

macro_rules! requests {
    ($condition:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            RawRequest,
            r#"SELECT repo_queue.id, repo_queue.owner, users.name AS owner_name, repo_queue.tag_id, tag.name AS tag_name,
                   repo_queue.priority, at_event, min_event, opts, repo_queue.create_time, update_time, active,
                   repo_queue.task_id, task.state AS "task_state?", tries, repo_id
               FROM repo_queue JOIN users ON users.id = repo_queue.owner JOIN tag ON tag.id = repo_queue.tag_id
                   LEFT JOIN task ON task.id = repo_queue.task_id
               WHERE "# + $condition,
            $($argument),*
        )
    };
}

pub(super) async fn request(conn: &mut PgConnection, request: RepoRequestId) -> Result<Option<RepoRequest>> {
    let row = requests!("repo_queue.id = $1", request.0).fetch_optional(conn).await?;
    row.map(RepoRequest::try_from).transpose()
}

/// Requests that wait: a tag's, or all, in the order in which they are served.
pub(super) async fn active_requests(conn: &mut PgConnection, tag: Option<TagId>) -> Result<Vec<RepoRequest>> {
    let rows = requests!(
        "active AND ($1::bigint IS NULL OR repo_queue.tag_id = $1) ORDER BY repo_queue.priority, repo_queue.id",
        tag.map(|id| id.0)
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(RepoRequest::try_from).collect()
}
