//! Statements about repos; about requests for them: [`requests`].

mod requests;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use futures::Stream;
use sqlx::{PgConnection, PgPool};
use toji_protocol::{
    id::{BuildrootId, EventId, HostId, RepoId, TagId, TaskId},
    method::repo::{Repo, RepoReference},
    state::{BuildrootState, RepoState, TaskState},
    time::Time,
    value::Value,
};

use crate::{Error, Result};
pub(super) use requests::{
    active_requests, give_up, has_event_since, insert, is_hopeless, next, request, set_priority, tasks, waiting,
};

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

/// An RPM as far as a repo's list goes.
pub(super) struct ListedRpm {
    pub(super) id: i64,
    pub(super) package: String,
    pub(super) build_version: String,
    pub(super) build_release: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) release: String,
    pub(super) epoch: Option<i64>,
    pub(super) arch: String,
    pub(super) mtime: i64,
}

/// The RPMs of builds, but for those that have no metadata; those of sources only if they are wanted.
pub(super) fn rpms<'a>(
    conn: &'a mut PgConnection,
    builds: &'a [i64],
    sources: bool,
) -> impl Stream<Item = sqlx::Result<ListedRpm>> + 'a {
    sqlx::query_as!(
        ListedRpm,
        "SELECT r.id, p.name AS package, b.version AS build_version, b.release AS build_release, r.name, r.version, r.release,
             r.epoch, r.arch, f.mtime
         FROM rpminfo r JOIN rpm_fragment f ON f.rpm_id = r.id JOIN build b ON b.id = r.build_id
             JOIN package p ON p.id = b.pkg_id
         WHERE r.build_id = ANY($1) AND ($2 OR r.arch NOT IN ('src', 'nosrc'))",
        builds,
        sources
    )
    .fetch(conn)
}

/// What is stored of RPMs' metadata, by their ids.
pub(super) async fn fragments(pool: &PgPool, rpms: &[i64]) -> Result<HashMap<i64, Vec<u8>>> {
    let rows = sqlx::query!("SELECT rpm_id, fragment FROM rpm_fragment WHERE rpm_id = ANY($1)", rpms);
    let rows = rows.fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (row.rpm_id, row.fragment)).collect())
}

/// A tag's newest READY repo.
pub(super) struct Newest {
    pub(super) event: EventId,
    /// When the first event after it was.
    pub(super) next_time: Option<DateTime<Utc>>,
}

/// The newest READY repo of each tag, with default options.
pub(super) async fn newest_ready(conn: &mut PgConnection, tags: &[TagId]) -> Result<HashMap<TagId, Newest>> {
    let tags: Vec<i64> = tags.iter().map(|tag| tag.0).collect();
    let rows = sqlx::query!(
        r#"SELECT tag_id, event AS "event!", (SELECT time FROM events WHERE id > event ORDER BY id LIMIT 1) AS next_time
           FROM (SELECT tag_id, max(create_event) AS event FROM repo
               WHERE tag_id = ANY($1) AND state = 1 AND NOT dist AND custom_opts = '{}' GROUP BY tag_id) AS newest"#,
        &tags
    )
    .fetch_all(conn)
    .await?;
    let newest = rows.into_iter().map(|row| {
        let newest = Newest { event: EventId(row.event), next_time: row.next_time };
        (TagId(row.tag_id), newest)
    });
    Ok(newest.collect())
}

/// Whether any tag wants repos by itself.
pub(super) async fn any_auto(conn: &mut PgConnection) -> Result<bool> {
    let any = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM tag_extra WHERE active AND key = 'repo.auto' AND value IS NOT NULL) AS "any!""#
    );
    Ok(any.fetch_one(conn).await?)
}
