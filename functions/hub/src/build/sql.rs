//! Statements about builds.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildId, EventId, PackageId, TaskId, UserId, VolumeId},
    method::build::Build,
    nvr::Nvr,
    state::BuildState,
    time::Time,
    value::Value,
};

use crate::{Error, Result};

pub(super) async fn exists(conn: &mut PgConnection, build: BuildId) -> Result<Option<BuildId>> {
    let id = sqlx::query_scalar!("SELECT id FROM build WHERE id = $1", build.0).fetch_optional(conn).await?;
    Ok(id.map(BuildId))
}

pub(super) async fn of_task(conn: &mut PgConnection, task: TaskId) -> Result<Option<BuildId>> {
    let id = sqlx::query_scalar!("SELECT id FROM build WHERE task_id = $1 ORDER BY id DESC LIMIT 1", task.0)
        .fetch_optional(conn)
        .await?;
    Ok(id.map(BuildId))
}

pub(super) async fn by_nvr(conn: &mut PgConnection, nvr: &Nvr) -> Result<Option<BuildId>> {
    let id = sqlx::query_scalar!(
        "SELECT build.id FROM build JOIN package ON package.id = pkg_id
         WHERE package.name = $1 AND version = $2 AND release = $3",
        nvr.name,
        nvr.version,
        nvr.release
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(BuildId))
}

pub(super) async fn get(conn: &mut PgConnection, build: BuildId) -> Result<Option<Build>> {
    let row = sqlx::query!(
        r#"SELECT build.id, pkg_id, package.name AS package_name, version, release, epoch, draft, state, task_id,
               build.owner, users.name AS owner_name, promoter, promoter_user.name AS "promoter_name?", promotion_time,
               volume_id, volume.name AS volume_name, source, extra, create_event, events.time AS creation_time,
               start_time, completion_time
           FROM build JOIN package ON package.id = pkg_id JOIN users ON users.id = build.owner
               JOIN volume ON volume.id = volume_id JOIN events ON events.id = create_event
               LEFT JOIN users promoter_user ON promoter_user.id = promoter
           WHERE build.id = $1"#,
        build.0
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let ts = |time: Option<DateTime<Utc>>| time.map(|time| Time(time).ts());
    Ok(Some(Build {
        build_id: build,
        cg_id: None,
        cg_name: None,
        completion_time: row.completion_time.map(Time),
        completion_ts: ts(row.completion_time),
        creation_event_id: EventId(row.create_event),
        creation_time: Time(row.creation_time),
        creation_ts: Time(row.creation_time).ts(),
        draft: row.draft,
        epoch: row.epoch,
        extra: row.extra.map(json_value).transpose()?,
        id: build,
        name: row.package_name.clone(),
        nvr: format!("{}-{}-{}", row.package_name, row.version, row.release),
        owner_id: UserId(row.owner),
        owner_name: row.owner_name,
        package_id: PackageId(row.pkg_id),
        package_name: row.package_name,
        promoter_id: row.promoter.map(UserId),
        promoter_name: row.promoter_name,
        promotion_time: row.promotion_time.map(Time),
        promotion_ts: ts(row.promotion_time),
        release: row.release,
        source: row.source,
        start_time: row.start_time.map(Time),
        start_ts: ts(row.start_time),
        state: state(row.state)?,
        task_id: row.task_id.map(TaskId),
        version: row.version,
        volume_id: VolumeId(row.volume_id),
        volume_name: row.volume_name,
    }))
}

pub(super) fn state(number: i16) -> Result<BuildState> {
    BuildState::from_number(number.into())
        .ok_or_else(|| Error::internal(anyhow::anyhow!("no build state has the number {number}")))
}

pub(super) fn json_value(json: serde_json::Value) -> Result<Value> {
    serde_json::from_value(json).map_err(Error::internal)
}

pub(super) async fn newest_release(conn: &mut PgConnection, name: &str, version: &str) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!(
        "SELECT release FROM build JOIN package ON package.id = pkg_id
         WHERE package.name = $1 AND version = $2 AND state IN (0, 1, 2) AND NOT draft ORDER BY build.id DESC LIMIT 1",
        name,
        version
    )
    .fetch_optional(conn)
    .await?)
}

/// The keys of a build's files below `dir`, from the tasks that made them.
pub(super) async fn moved_files(conn: &mut PgConnection, build: BuildId, dir: &str) -> Result<Vec<String>> {
    let rows = sqlx::query_scalar!(
        r#"SELECT moved_to AS "key!" FROM build JOIN task ON task.id = build.task_id OR task.parent = build.task_id
               JOIN task_file ON task_file.task_id = task.id
           WHERE build.id = $1 AND starts_with(moved_to, $2) ORDER BY moved_to"#,
        build.0,
        dir
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

pub(super) struct Taken {
    pub(super) id: BuildId,
    pub(super) state: BuildState,
    pub(super) task: Option<TaskId>,
    /// Something still hangs on it: it was tagged once, or has RPMs.
    pub(super) is_used: bool,
    /// An import of it may still be running.
    pub(super) pending_since: Option<DateTime<Utc>>,
}

/// Who has a name-version-release, with its row locked.
pub(super) async fn lock_by_nvr(
    conn: &mut PgConnection,
    package: PackageId,
    version: &str,
    release: &str,
) -> Result<Option<Taken>> {
    let row = sqlx::query!(
        r#"SELECT build.id, build.state, build.task_id,
               (EXISTS (SELECT 1 FROM tag_listing WHERE build_id = build.id)
                OR EXISTS (SELECT 1 FROM rpminfo WHERE build_id = build.id)) AS "is_used!",
               (SELECT start_time FROM pending_import WHERE build_id = build.id) AS pending_since
           FROM build WHERE pkg_id = $1 AND version = $2 AND release = $3 FOR UPDATE"#,
        package.0,
        version,
        release
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Taken {
            id: BuildId(row.id),
            state: state(row.state)?,
            task: row.task_id.map(TaskId),
            is_used: row.is_used,
            pending_since: row.pending_since,
        })
    })
    .transpose()
}

pub(super) struct NewBuild<'a> {
    pub(super) package: PackageId,
    pub(super) version: &'a str,
    pub(super) release: &'a str,
    pub(super) epoch: Option<i64>,
    pub(super) task: TaskId,
    pub(super) owner: UserId,
    pub(super) source: Option<&'a str>,
    pub(super) extra: Option<serde_json::Value>,
    pub(super) now: DateTime<Utc>,
}

/// Inserts a BUILDING build; None when somebody else has just taken the name.
pub(super) async fn insert(conn: &mut PgConnection, new: &NewBuild<'_>, event: EventId) -> Result<Option<BuildId>> {
    let id = sqlx::query_scalar!(
        "INSERT INTO build (pkg_id, version, release, epoch, state, task_id, owner, source, extra, create_event, start_time)
         VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9, $10) ON CONFLICT (pkg_id, version, release) DO NOTHING RETURNING id",
        new.package.0,
        new.version,
        new.release,
        new.epoch,
        new.task.0,
        new.owner.0,
        new.source,
        new.extra,
        event.0,
        new.now
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(BuildId))
}

/// Gives a failed or cancelled build's row to a new attempt at the same name.
pub(super) async fn recycle(conn: &mut PgConnection, build: BuildId, new: &NewBuild<'_>, event: EventId) -> Result<()> {
    sqlx::query!(
        "UPDATE build SET state = 0, epoch = $2, task_id = $3, owner = $4, source = $5, extra = $6, create_event = $7,
             start_time = $8, completion_time = NULL, volume_id = 0 WHERE id = $1",
        build.0,
        new.epoch,
        new.task.0,
        new.owner.0,
        new.source,
        new.extra,
        event.0,
        new.now
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("DELETE FROM pending_import WHERE build_id = $1", build.0).execute(conn).await?;
    Ok(())
}

/// Ends a BUILDING build. Answers whether it was one.
pub(super) async fn end(
    conn: &mut PgConnection,
    build: BuildId,
    state: BuildState,
    now: DateTime<Utc>,
) -> Result<bool> {
    let ended = sqlx::query!(
        "UPDATE build SET state = $2, completion_time = $3 WHERE id = $1 AND state = 0",
        build.0,
        state.number(),
        now
    )
    .execute(conn)
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// Ends the BUILDING builds of some tasks.
pub(super) async fn end_of_tasks(
    conn: &mut PgConnection,
    tasks: &[i64],
    state: BuildState,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE build SET state = $2, completion_time = $3 WHERE task_id = ANY($1) AND state = 0",
        tasks,
        state.number(),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How long complete builds of a package took.
pub(super) async fn average_seconds(
    conn: &mut PgConnection,
    package: PackageId,
    since: Option<DateTime<Utc>>,
) -> Result<Option<f64>> {
    let average = sqlx::query_scalar!(
        r#"SELECT avg(extract(epoch FROM build.completion_time - build.start_time))::float8
           FROM build WHERE pkg_id = $1 AND state = 1 AND task_id IS NOT NULL AND start_time IS NOT NULL
               AND ($2::timestamptz IS NULL OR completion_time > $2)"#,
        package.0,
        since
    )
    .fetch_one(conn)
    .await?;
    Ok(average)
}
