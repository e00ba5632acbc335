//! Statements about builds.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildId, ContentGeneratorId, EventId, PackageId, TaskId, UserId, VolumeId},
    method::build::Build,
    nvr::Nvr,
    state::BuildState,
    time::Time,
    value::Value,
};

use super::create::NewBuild;
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

/// Those of these builds that there are.
pub(super) async fn all_that_exist(conn: &mut PgConnection, builds: &[BuildId]) -> Result<HashSet<BuildId>> {
    let ids: Vec<i64> = builds.iter().map(|build| build.0).collect();
    let known = sqlx::query_scalar!("SELECT id FROM build WHERE id = ANY($1)", &ids).fetch_all(conn).await?;
    Ok(known.into_iter().map(BuildId).collect())
}

/// Those of these builds that there are, by name-version-release.
pub(super) async fn all_by_nvr(conn: &mut PgConnection, nvrs: &[&Nvr]) -> Result<HashMap<String, BuildId>> {
    let names: Vec<String> = nvrs.iter().map(|nvr| nvr.name.clone()).collect();
    let versions: Vec<String> = nvrs.iter().map(|nvr| nvr.version.clone()).collect();
    let releases: Vec<String> = nvrs.iter().map(|nvr| nvr.release.clone()).collect();
    let rows = sqlx::query!(
        "SELECT build.id, package.name, build.version, build.release
         FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (name, version, release)
             JOIN package ON package.name = wanted.name
             JOIN build ON pkg_id = package.id AND build.version = wanted.version AND build.release = wanted.release",
        &names,
        &versions,
        &releases
    )
    .fetch_all(conn)
    .await?;
    let nvr = |name: &str, version: &str, release: &str| format!("{name}-{version}-{release}");
    Ok(rows.into_iter().map(|row| (nvr(&row.name, &row.version, &row.release), BuildId(row.id))).collect())
}

pub(super) async fn get(conn: &mut PgConnection, build: BuildId) -> Result<Option<Build>> {
    let row = sqlx::query!(
        r#"SELECT build.id, pkg_id, package.name AS package_name, version, release, epoch, draft, state, task_id,
               build.owner, users.name AS owner_name, promoter, promoter_user.name AS "promoter_name?", promotion_time,
               volume_id, volume.name AS volume_name, source, extra, create_event, events.time AS creation_time,
               start_time, completion_time, cg_id, content_generator.name AS "cg_name?"
           FROM build JOIN package ON package.id = pkg_id JOIN users ON users.id = build.owner
               JOIN volume ON volume.id = volume_id JOIN events ON events.id = create_event
               LEFT JOIN users promoter_user ON promoter_user.id = promoter
               LEFT JOIN content_generator ON content_generator.id = cg_id
           WHERE build.id = $1"#,
        build.0
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let ts = |time: Option<DateTime<Utc>>| time.map(|time| Time(time).ts());
    Ok(Some(Build {
        build_id: build,
        cg_id: row.cg_id.map(ContentGeneratorId),
        cg_name: row.cg_name,
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
                OR EXISTS (SELECT 1 FROM rpminfo WHERE build_id = build.id)
                OR EXISTS (SELECT 1 FROM archiveinfo WHERE build_id = build.id)) AS "is_used!",
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

/// Makes those who begin or promote builds of a package wait for each other, until the transaction ends.
pub(super) async fn lock_package(conn: &mut PgConnection, package: PackageId) -> Result<()> {
    sqlx::query!("SELECT id FROM package WHERE id = $1 FOR NO KEY UPDATE", package.0).fetch_one(conn).await?;
    Ok(())
}

/// Whether a draft is being promoted to this name.
pub(super) async fn is_claimed(
    conn: &mut PgConnection,
    package: PackageId,
    version: &str,
    release: &str,
) -> Result<bool> {
    let is_claimed = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM pending_import JOIN build ON build.id = build_id
               WHERE pkg_id = $1 AND version = $2 AND claims = $3) AS "is_claimed!""#,
        package.0,
        version,
        release
    )
    .fetch_one(conn)
    .await?;
    Ok(is_claimed)
}

/// The draft that a task has under way.
pub(super) async fn draft_of_task(
    conn: &mut PgConnection,
    task: TaskId,
    package: PackageId,
    version: &str,
) -> Result<Option<BuildId>> {
    let id = sqlx::query_scalar!(
        "SELECT id FROM build WHERE task_id = $1 AND pkg_id = $2 AND version = $3 AND draft AND state = 0 ORDER BY id DESC LIMIT 1",
        task.0,
        package.0,
        version
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(BuildId))
}

/// Inserts a build; None when somebody else has just taken the name.
pub(super) async fn insert(
    conn: &mut PgConnection,
    new: &NewBuild,
    package: PackageId,
    event: EventId,
) -> Result<Option<BuildId>> {
    let id = sqlx::query_scalar!(
        "INSERT INTO build (id, pkg_id, version, release, epoch, draft, state, task_id, owner, source, extra, cg_id, volume_id,
             create_event, start_time, completion_time)
         OVERRIDING SYSTEM VALUE
         SELECT next.id, $1, $2, CASE WHEN $5 THEN $3 || ',draft_' || next.id ELSE $3 END, $4, $5, $6::smallint, $7, $8, $9, $10, $11,
             $12, $13, $14, CASE WHEN $6::smallint <> 0 THEN $15::timestamptz END
         FROM (SELECT nextval(pg_get_serial_sequence('build', 'id')) AS id) AS next
         ON CONFLICT (pkg_id, version, release) DO NOTHING RETURNING id",
        package.0,
        new.version,
        new.release,
        new.epoch,
        new.draft,
        new.state.number(),
        new.task.map(|id| id.0),
        new.owner.0,
        new.source,
        new.extra,
        new.cg.map(|id| id.0),
        new.volume.0,
        event.0,
        new.start,
        new.completion
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(BuildId))
}

/// Gives a failed or cancelled build's row to a new attempt at the same name.
pub(super) async fn recycle(conn: &mut PgConnection, build: BuildId, new: &NewBuild, event: EventId) -> Result<()> {
    sqlx::query!(
        "UPDATE build SET state = $2::smallint, epoch = $3, task_id = $4, owner = $5, source = $6, extra = $7, cg_id = coalesce($8, cg_id),
             volume_id = $9, create_event = $10, start_time = $11,
             completion_time = CASE WHEN $2::smallint <> 0 THEN $12::timestamptz END WHERE id = $1",
        build.0,
        new.state.number(),
        new.epoch,
        new.task.map(|id| id.0),
        new.owner.0,
        new.source,
        new.extra,
        new.cg.map(|id| id.0),
        new.volume.0,
        event.0,
        new.start,
        new.completion
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("DELETE FROM build_types WHERE build_id = $1", build.0).execute(&mut *conn).await?;
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
    .execute(&mut *conn)
    .await?;
    give_up_reservations(conn, &[build.0]).await?;
    Ok(ended.rows_affected() == 1)
}

/// Ends the BUILDING builds of some tasks. Answers them.
pub(super) async fn end_of_tasks(
    conn: &mut PgConnection,
    tasks: &[i64],
    state: BuildState,
    now: DateTime<Utc>,
) -> Result<Vec<BuildId>> {
    let ended = sqlx::query_scalar!(
        "UPDATE build SET state = $2, completion_time = $3 WHERE task_id = ANY($1) AND state = 0 RETURNING id",
        tasks,
        state.number(),
        now
    )
    .fetch_all(&mut *conn)
    .await?;
    give_up_reservations(conn, &ended).await?;
    Ok(ended.into_iter().map(BuildId).collect())
}

/// What was reserved for builds that have ended is nobody's any more.
async fn give_up_reservations(conn: &mut PgConnection, builds: &[i64]) -> Result<()> {
    sqlx::query!("DELETE FROM build_reservations WHERE build_id = ANY($1)", builds).execute(conn).await?;
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

/// Holds a build's row until the transaction ends.
pub(crate) async fn lock(conn: &mut PgConnection, build: BuildId) -> Result<()> {
    sqlx::query!("SELECT id FROM build WHERE id = $1 FOR UPDATE", build.0).fetch_optional(conn).await?;
    Ok(())
}

pub(super) async fn set_owner(conn: &mut PgConnection, build: BuildId, owner: UserId) -> Result<()> {
    sqlx::query!("UPDATE build SET owner = $2 WHERE id = $1", build.0, owner.0).execute(conn).await?;
    Ok(())
}

/// Sets when a build ended. Answers whether it has ended.
pub(super) async fn set_completion(conn: &mut PgConnection, build: BuildId, time: DateTime<Utc>) -> Result<bool> {
    let set = sqlx::query!("UPDATE build SET completion_time = $2 WHERE id = $1 AND state <> 0", build.0, time);
    Ok(set.execute(conn).await?.rows_affected() == 1)
}

/// The name-version-releases of the builds that tasks have begun.
pub(super) async fn nvrs_of_tasks(conn: &mut PgConnection, tasks: &[TaskId]) -> Result<HashMap<TaskId, String>> {
    let ids: Vec<i64> = tasks.iter().map(|task| task.0).collect();
    let rows = sqlx::query!(
        r#"SELECT task_id AS "task_id!", package.name || '-' || version || '-' || release AS "nvr!"
           FROM build JOIN package ON package.id = pkg_id WHERE task_id = ANY($1)"#,
        &ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (TaskId(row.task_id), row.nvr)).collect())
}
