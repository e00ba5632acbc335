//! Statements about tasks.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{ChannelId, HostId, TaskId, UserId},
    method::task::AttemptUsage,
    state::TaskState,
};

use crate::{Error, Result};

/// A task as its row has it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub id: TaskId,
    /// Its state.
    pub state: TaskState,
    /// What is to be done.
    pub method: String,
    /// The coordinator runs it.
    pub coordinated: bool,
    /// Its arguments, as XML-RPC.
    pub request: String,
    /// Its result, as XML-RPC.
    pub result: Option<String>,
    /// Whose it is.
    pub owner: UserId,
    /// Its channel.
    pub channel: ChannelId,
    /// The architecture it is for.
    pub arch: String,
    /// Lower runs first.
    pub priority: i32,
    /// Its share of a host's capacity.
    pub weight: f64,
    /// Who runs it.
    pub host: Option<HostId>,
    /// Its parent.
    pub parent: Option<TaskId>,
    /// Its name among its parent's children.
    pub label: Option<String>,
    /// It waits for its children.
    pub waiting: Option<bool>,
    /// Its parent waits for it.
    pub awaited: Option<bool>,
    /// When it was made.
    pub create_time: DateTime<Utc>,
    /// When it was opened.
    pub start_time: Option<DateTime<Utc>>,
    /// When it ended.
    pub completion_time: Option<DateTime<Utc>>,
    /// How often it was claimed.
    pub attempt: i32,
}

struct RawRow {
    id: i64,
    state: i16,
    method: String,
    coordinated: bool,
    request: String,
    result: Option<String>,
    owner: i64,
    channel_id: i64,
    arch: String,
    priority: i32,
    weight: f64,
    host_id: Option<i64>,
    parent: Option<i64>,
    label: Option<String>,
    waiting: Option<bool>,
    awaited: Option<bool>,
    create_time: DateTime<Utc>,
    start_time: Option<DateTime<Utc>>,
    completion_time: Option<DateTime<Utc>>,
    attempt: i32,
}

impl TryFrom<RawRow> for Row {
    type Error = Error;
    fn try_from(row: RawRow) -> Result<Self> {
        Ok(Self {
            id: TaskId(row.id),
            state: state(row.state)?,
            method: row.method,
            coordinated: row.coordinated,
            request: row.request,
            result: row.result,
            owner: UserId(row.owner),
            channel: ChannelId(row.channel_id),
            arch: row.arch,
            priority: row.priority,
            weight: row.weight,
            host: row.host_id.map(HostId),
            parent: row.parent.map(TaskId),
            label: row.label,
            waiting: row.waiting,
            awaited: row.awaited,
            create_time: row.create_time,
            start_time: row.start_time,
            completion_time: row.completion_time,
            attempt: row.attempt,
        })
    }
}

pub(super) fn state(number: i16) -> Result<TaskState> {
    TaskState::from_number(number.into())
        .ok_or_else(|| Error::internal(anyhow::anyhow!("no task state has the number {number}")))
}

pub(crate) async fn get(conn: &mut PgConnection, task: TaskId) -> Result<Option<Row>> {
    let row = sqlx::query_as!(
        RawRow,
        "SELECT id, state, method, coordinated, request, result, owner, channel_id, arch, priority, weight, host_id, parent,
             label, waiting, awaited, create_time, start_time, completion_time, attempt FROM task WHERE id = $1",
        task.0
    )
    .fetch_optional(conn)
    .await?;
    row.map(Row::try_from).transpose()
}

/// The same, with the row locked.
pub(crate) async fn lock(conn: &mut PgConnection, task: TaskId) -> Result<Option<Row>> {
    sqlx::query!("SELECT id FROM task WHERE id = $1 FOR UPDATE", task.0).fetch_optional(&mut *conn).await?;
    get(conn, task).await
}

/// Keeps a task in its state until the transaction ends.
pub(super) async fn keep(conn: &mut PgConnection, task: TaskId) -> Result<()> {
    sqlx::query!("SELECT id FROM task WHERE id = $1 FOR SHARE", task.0).fetch_optional(conn).await?;
    Ok(())
}

/// Those of these tasks that there are.
pub(crate) async fn several(conn: &mut PgConnection, tasks: &[i64]) -> Result<Vec<Row>> {
    let rows = sqlx::query_as!(
        RawRow,
        "SELECT id, state, method, coordinated, request, result, owner, channel_id, arch, priority, weight, host_id, parent,
             label, waiting, awaited, create_time, start_time, completion_time, attempt FROM task WHERE id = ANY($1)",
        tasks
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Row::try_from).collect()
}

/// A task's children, oldest first.
pub(crate) async fn children(conn: &mut PgConnection, task: TaskId) -> Result<Vec<Row>> {
    let rows = sqlx::query_as!(
        RawRow,
        "SELECT id, state, method, coordinated, request, result, owner, channel_id, arch, priority, weight, host_id, parent,
             label, waiting, awaited, create_time, start_time, completion_time, attempt FROM task WHERE parent = $1 ORDER BY id",
        task.0
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Row::try_from).collect()
}

/// The arguments of a method's tasks that have not ended.
pub(crate) async fn requests_under_way(conn: &mut PgConnection, method: &str) -> Result<Vec<(TaskId, String)>> {
    let rows =
        sqlx::query!("SELECT id, request FROM task WHERE coordinated AND state IN (0, 1) AND method = $1", method)
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|row| (TaskId(row.id), row.request)).collect())
}

/// Everything below a task, parents before children.
pub(super) async fn descendants(conn: &mut PgConnection, task: TaskId) -> Result<Vec<Row>> {
    let rows = sqlx::query_as!(
        RawRow,
        r#"WITH RECURSIVE below AS (
               SELECT id FROM task WHERE parent = $1 UNION SELECT task.id FROM task JOIN below ON task.parent = below.id
           )
           SELECT id, state, method, coordinated, request, result, owner, channel_id, arch, priority, weight, host_id, parent,
               label, waiting, awaited, create_time, start_time, completion_time, attempt
           FROM task WHERE id IN (SELECT id FROM below) ORDER BY id"#,
        task.0
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Row::try_from).collect()
}

pub(super) struct Insert<'a> {
    pub(super) method: &'a str,
    pub(super) request: String,
    pub(super) coordinated: bool,
    pub(super) owner: UserId,
    pub(super) parent: Option<TaskId>,
    pub(super) label: Option<&'a str>,
    pub(super) arch: &'a str,
    pub(super) channel: Option<&'a str>,
    pub(super) priority: i32,
    pub(super) weight: f64,
    pub(super) assign: Option<HostId>,
    pub(super) now: DateTime<Utc>,
}

/// Inserts a task, all checks in one statement: the channel is there and enabled, the parent is OPEN, the label is free.
/// None when one fails.
pub(super) async fn insert(conn: &mut PgConnection, new: &Insert<'_>) -> Result<Option<(TaskId, ChannelId)>> {
    let state = if new.assign.is_some() { TaskState::Assigned } else { TaskState::Free };
    let row = sqlx::query!(
        "INSERT INTO task (state, method, coordinated, request, owner, channel_id, arch, priority, weight, host_id, parent,
             label, awaited, create_time, free_since)
         SELECT $1, $2, $3, $4, $5, channels.id, $7, $8, $9, $10, $11, $12, $11::bigint IS NOT NULL OR NULL, $13, $13
         FROM channels LEFT JOIN task parent ON parent.id = $11
         WHERE (CASE WHEN $6::text IS NOT NULL THEN channels.name = $6
                     WHEN $11::bigint IS NOT NULL THEN channels.id = parent.channel_id
                     ELSE channels.name = 'default' END)
             AND channels.enabled AND ($11::bigint IS NULL OR parent.state = 1)
         ON CONFLICT (parent, label) DO NOTHING RETURNING id, channel_id",
        state.number(),
        new.method,
        new.coordinated,
        new.request,
        new.owner.0,
        new.channel,
        new.arch,
        new.priority,
        new.weight,
        new.assign.map(|id| id.0),
        new.parent.map(|id| id.0),
        new.label,
        new.now
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (TaskId(row.id), ChannelId(row.channel_id))))
}

/// What a task's attempts took, in order.
pub(super) async fn usage(conn: &mut PgConnection, task: TaskId) -> Result<Vec<AttemptUsage>> {
    let rows = sqlx::query!(
        r#"SELECT attempt, host_id, outcome AS "outcome!", usage AS "usage!",
               extract(epoch FROM end_time - start_time)::float8 AS "seconds!"
           FROM task_run WHERE task_id = $1 AND usage IS NOT NULL AND end_time IS NOT NULL AND outcome IS NOT NULL
           ORDER BY attempt"#,
        task.0
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(AttemptUsage {
                attempt: row.attempt,
                host_id: HostId(row.host_id),
                outcome: row.outcome,
                seconds: row.seconds,
                usage: serde_json::from_value(row.usage).map_err(Error::internal)?,
            })
        })
        .collect()
}

/// Notes whether a task waits for its children, and which of them it has waited for.
pub(super) async fn set_waiting(conn: &mut PgConnection, task: TaskId, waits: bool, finished: &[TaskId]) -> Result<()> {
    let finished: Vec<i64> = finished.iter().map(|id| id.0).collect();
    sqlx::query!("UPDATE task SET waiting = $2 WHERE id = $1", task.0, waits).execute(&mut *conn).await?;
    sqlx::query!("UPDATE task SET awaited = false WHERE parent = $1 AND id = ANY($2) AND awaited", task.0, &finished)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn by_label(conn: &mut PgConnection, parent: TaskId, label: &str) -> Result<Option<TaskId>> {
    let id = sqlx::query_scalar!("SELECT id FROM task WHERE parent = $1 AND label = $2", parent.0, label)
        .fetch_optional(conn)
        .await?;
    Ok(id.map(TaskId))
}

/// Opens a task of the coordinator's own. Answers whether it was FREE.
pub(crate) async fn open_coordinated(conn: &mut PgConnection, task: TaskId, now: DateTime<Utc>) -> Result<bool> {
    let opened = sqlx::query!(
        "UPDATE task SET state = 1, start_time = $2, waiting = true WHERE id = $1 AND state = 0 AND coordinated",
        task.0,
        now
    )
    .execute(conn)
    .await?;
    Ok(opened.rows_affected() == 1)
}

/// Ends a task of the coordinator's own. Answers whether it was OPEN.
pub(crate) async fn end_coordinated(
    conn: &mut PgConnection,
    task: TaskId,
    state: TaskState,
    result: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let ended = sqlx::query!(
        "UPDATE task SET state = $2, result = $3, completion_time = $4, waiting = false
         WHERE id = $1 AND state IN (0, 1) AND coordinated",
        task.0,
        state.number(),
        result,
        now
    )
    .execute(conn)
    .await?;
    Ok(ended.rows_affected() == 1)
}
