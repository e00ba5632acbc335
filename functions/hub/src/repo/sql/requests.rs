//! Statements about requests for repos.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, RepoId, RepoRequestId, TagId, TaskId, UserId},
    method::repo::RepoRequest,
    state::TaskState,
    time::Time,
};

use super::{json, value};
use crate::{
    Error, Result,
    repo::request::{Waiting, Wanted, Wish},
};

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

/// A request.
pub(in crate::repo) async fn request(conn: &mut PgConnection, request: RepoRequestId) -> Result<Option<RepoRequest>> {
    let row = requests!("repo_queue.id = $1", request.0).fetch_optional(conn).await?;
    row.map(RepoRequest::try_from).transpose()
}

/// A tag's requests that wait, in the order in which they are served.
pub(in crate::repo) async fn active_requests(conn: &mut PgConnection, tag: TagId) -> Result<Vec<RepoRequest>> {
    let rows = requests!("active AND repo_queue.tag_id = $1 ORDER BY repo_queue.priority, repo_queue.id", tag.0)
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(RepoRequest::try_from).collect()
}

/// The next requests to be served. Of equal ones only one at a time, unless they name their event.
pub(in crate::repo) async fn next(conn: &mut PgConnection, retries: i32, room: i64) -> Result<Vec<RepoRequest>> {
    if room <= 0 {
        return Ok(Vec::new());
    }
    let rows = requests!(
        "active AND tries < $1 AND (repo_queue.task_id IS NULL OR task.state IN (2, 3, 5))
             AND NOT (min_event IS NOT NULL AND EXISTS (
                 SELECT 1 FROM repo_queue other LEFT JOIN task making ON making.id = other.task_id
                 WHERE other.active AND other.tag_id = repo_queue.tag_id AND other.opts = repo_queue.opts
                     AND other.min_event IS NOT NULL AND other.id <> repo_queue.id
                     AND (making.state IN (0, 1, 4)
                         OR other.tries < $1 AND (other.priority, other.id) < (repo_queue.priority, repo_queue.id))))
         ORDER BY repo_queue.priority, repo_queue.id LIMIT $2",
        retries,
        room
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(RepoRequest::try_from).collect()
}

/// How many tasks are making repos for requests.
pub(in crate::repo) async fn tasks(conn: &mut PgConnection) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(DISTINCT task.id) AS "count!" FROM repo_queue JOIN task ON task.id = task_id
           WHERE active AND task.state IN (0, 1, 4)"#
    );
    Ok(count.fetch_one(conn).await?)
}

/// Whether a request has been tried as often as it may.
pub(in crate::repo) async fn is_hopeless(conn: &mut PgConnection, retries: i32) -> Result<bool> {
    let any = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM repo_queue LEFT JOIN task ON task.id = task_id
               WHERE active AND tries >= $1 AND (task_id IS NULL OR task.state IN (2, 3, 5))) AS "any!""#,
        retries
    );
    Ok(any.fetch_one(conn).await?)
}

/// Gives up requests that have been tried as often as they may.
pub(in crate::repo) async fn give_up(
    conn: &mut PgConnection,
    retries: i32,
    now: DateTime<Utc>,
) -> Result<Vec<RepoRequestId>> {
    let ids = sqlx::query_scalar!(
        "UPDATE repo_queue SET active = false, update_time = $2 WHERE id IN (
             SELECT repo_queue.id FROM repo_queue LEFT JOIN task ON task.id = task_id
             WHERE active AND tries >= $1 AND (task_id IS NULL OR task.state IN (2, 3, 5)))
         RETURNING id",
        retries,
        now
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(RepoRequestId).collect())
}

/// Requests of these tags that wait, and what is being made for them.
pub(in crate::repo) async fn waiting(conn: &mut PgConnection, tags: &[TagId]) -> Result<Vec<Waiting>> {
    let tags: Vec<i64> = tags.iter().map(|tag| tag.0).collect();
    let rows = sqlx::query!(
        r#"SELECT repo_queue.id, repo_queue.tag_id, repo_queue.priority, at_event, min_event, repo_queue.opts,
               repo.create_event AS "begun?"
           FROM repo_queue LEFT JOIN task ON task.id = repo_queue.task_id AND task.state IN (0, 1, 4)
               LEFT JOIN repo ON repo.task_id = task.id AND repo.state = 0
           WHERE active AND repo_queue.tag_id = ANY($1) ORDER BY repo_queue.priority, repo_queue.id"#,
        &tags
    )
    .fetch_all(conn)
    .await?;
    let waiting = rows.into_iter().map(|row| {
        let wanted = match (row.at_event, row.min_event) {
            (Some(at), _) => Wanted::At(EventId(at)),
            (None, min) => Wanted::Since(EventId(min.unwrap_or_default())),
        };
        Ok(Waiting {
            id: RepoRequestId(row.id),
            tag: TagId(row.tag_id),
            wanted,
            opts: value(row.opts)?,
            priority: row.priority,
            begun: row.begun.map(EventId),
        })
    });
    waiting.collect()
}

/// Whether there is an event that is not older.
pub(in crate::repo) async fn has_event_since(conn: &mut PgConnection, event: EventId) -> Result<bool> {
    let any = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM events WHERE id >= $1) AS "any!""#, event.0);
    Ok(any.fetch_one(conn).await?)
}

pub(in crate::repo) async fn set_priority(
    conn: &mut PgConnection,
    request: RepoRequestId,
    priority: i32,
    now: DateTime<Utc>,
) -> Result<bool> {
    let set =
        sqlx::query!("UPDATE repo_queue SET priority = $2, update_time = $3 WHERE id = $1", request.0, priority, now);
    Ok(set.execute(conn).await?.rows_affected() > 0)
}

/// Writes requests down. An event that is no reference is followed by one that is.
pub(in crate::repo) async fn insert(
    conn: &mut PgConnection,
    wishes: &[&Wish],
    now: DateTime<Utc>,
) -> Result<Vec<RepoRequestId>> {
    let (mut at, mut min, mut opts) = (Vec::new(), Vec::new(), Vec::new());
    for wish in wishes {
        let (exactly, since) = match wish.wanted {
            Wanted::At(event) => (Some(event.0), None),
            Wanted::Since(event) => (None, Some(event.0)),
        };
        at.push(exactly);
        min.push(since);
        opts.push(json(&wish.opts)?);
    }
    let owners: Vec<i64> = wishes.iter().map(|wish| wish.owner.0).collect();
    let tags: Vec<i64> = wishes.iter().map(|wish| wish.tag.0).collect();
    let priorities: Vec<i32> = wishes.iter().map(|wish| wish.priority).collect();
    let ids = sqlx::query_scalar!(
        "INSERT INTO repo_queue (owner, tag_id, priority, at_event, min_event, opts, create_time, update_time)
         SELECT owner, tag, priority, at, (SELECT id FROM events WHERE id >= min ORDER BY id LIMIT 1), opts, $7, $7
         FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::bigint[], $5::bigint[], $6::jsonb[])
             AS wish (owner, tag, priority, at, min, opts)
         RETURNING id",
        &owners,
        &tags,
        &priorities,
        &at as &[Option<i64>],
        &min as &[Option<i64>],
        &opts,
        now
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(RepoRequestId).collect())
}
