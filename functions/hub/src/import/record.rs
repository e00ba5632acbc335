//! The rows of an import: all of them in one commit, or none.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildId, TaskId},
    state::TaskState,
};
use toji_repodata::fragment::{FileFacts, render};

use super::{Copy, Incoming, refuse};
use crate::{Error, Hub, Result, call::Cx, rpm::fragment, task::sql::lock};

/// Notes that an import runs, so that nobody else takes the build's name while it may still copy files.
///
/// # Errors
/// A conflict when the task no longer builds it: somebody else's files may be there now.
pub(super) async fn begin(hub: &Hub, task: TaskId, build: BuildId, now: DateTime<Utc>) -> Result<()> {
    let begun = sqlx::query!(
        "INSERT INTO pending_import (build_id, task_id, start_time)
         SELECT id, $2, $3 FROM build WHERE id = $1 AND state = 0 AND task_id = $2
         ON CONFLICT (build_id) DO UPDATE SET task_id = $2, start_time = $3",
        build.0,
        task.0,
        now
    )
    .execute(&hub.pool)
    .await?;
    if begun.rows_affected() == 0 {
        return Err(not_building(build, task));
    }
    Ok(())
}

fn not_building(build: BuildId, task: TaskId) -> Error {
    Error::conflict(format!("build {build} is no longer being built by task {task}"))
}

/// Makes the build complete. When it no longer is BUILDING for this task, nothing is changed.
pub(super) async fn complete(
    hub: &Hub,
    task: TaskId,
    build: BuildId,
    incoming: Vec<Incoming>,
    copies: &[Copy],
    now: DateTime<Utc>,
) -> Result<()> {
    // made outside the transaction: they take time, not rows
    let rows = Rows::make(incoming)?;
    let mut cx = Cx::internal(hub, now).await?;
    let row = lock(cx.db().await?, task).await?.ok_or_else(|| crate::task::no_such_task(task))?;
    if row.state != TaskState::Open {
        return Err(Error::conflict(format!("task {task} is {}", row.state)));
    }
    let completed = sqlx::query!(
        "UPDATE build SET state = 1, completion_time = $3 WHERE id = $1 AND task_id = $2 AND state = 0",
        build.0,
        task.0,
        now
    )
    .execute(cx.db().await?)
    .await?;
    if completed.rows_affected() == 0 {
        return Err(not_building(build, task));
    }
    rows.insert(cx.db().await?, build).await?;
    moved(cx.db().await?, copies).await?;
    sqlx::query!("DELETE FROM pending_import WHERE build_id = $1", build.0).execute(cx.db().await?).await?;
    cx.commit().await
}

/// Notes where files have gone, so that their old paths still lead to them.
pub(super) async fn moved(conn: &mut PgConnection, copies: &[Copy]) -> Result<()> {
    let tasks: Vec<i64> = copies.iter().map(|copy| copy.task.0).collect();
    let names: Vec<String> = copies.iter().map(|copy| copy.name.clone()).collect();
    let keys: Vec<String> = copies.iter().map(|copy| copy.to.clone()).collect();
    sqlx::query!(
        "UPDATE task_file SET moved_to = moved.key
         FROM unnest($1::bigint[], $2::text[], $3::text[]) AS moved (task_id, name, key)
         WHERE task_file.task_id = moved.task_id AND task_file.name = moved.name AND done_time IS NOT NULL
             AND attempt = (SELECT max(attempt) FROM task_file newest WHERE newest.task_id = moved.task_id
                 AND newest.name = moved.name AND newest.done_time IS NOT NULL)",
        &tasks,
        &names,
        &keys
    )
    .execute(conn)
    .await?;
    Ok(())
}

#[derive(Default)]
struct Rows {
    names: Vec<String>,
    versions: Vec<String>,
    releases: Vec<String>,
    arches: Vec<String>,
    epochs: Vec<Option<i64>>,
    payloadhashes: Vec<String>,
    sizes: Vec<i64>,
    buildtimes: Vec<i64>,
    buildroots: Vec<i64>,
    pkgids: Vec<String>,
    mtimes: Vec<i64>,
    fragments: Vec<Vec<u8>>,
    sighashes: Vec<String>,
    keys: Vec<Option<String>>,
}

impl Rows {
    fn make(incoming: Vec<Incoming>) -> Result<Self> {
        let mut rows = Self::default();
        for Incoming { made, header, nvra, .. } in incoming {
            let size = u64::try_from(made.file.size).map_err(Error::internal)?;
            let rendered = render(&header, FileFacts { sha256: &made.file.sha256, size });
            let missing = || refuse(format!("{nvra} has no SIGMD5"));
            rows.payloadhashes.push(header.sigmd5.clone().ok_or_else(missing)?);
            rows.fragments.push(fragment::encode(rendered)?);
            rows.names.push(nvra.nvr.name);
            rows.versions.push(nvra.nvr.version);
            rows.releases.push(nvra.nvr.release);
            rows.arches.push(nvra.arch);
            rows.epochs.push(header.epoch.map(i64::from));
            rows.sizes.push(made.file.size);
            rows.buildtimes.push(header.buildtime as i64);
            rows.buildroots.push(made.buildroot.0);
            rows.pkgids.push(made.file.sha256);
            rows.mtimes.push(made.file.time.timestamp());
            rows.sighashes.push(header.sighash.clone());
            rows.keys.push(header.key_id.clone());
        }
        Ok(rows)
    }

    async fn insert(&self, conn: &mut PgConnection, build: BuildId) -> Result<()> {
        let ids = sqlx::query_scalar!(
            "INSERT INTO rpminfo (build_id, name, version, release, arch, epoch, payloadhash, size, buildtime, buildroot_id, draft)
             SELECT $1, *, false FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[],
                 $8::bigint[], $9::bigint[], $10::bigint[])
             RETURNING id",
            build.0,
            &self.names,
            &self.versions,
            &self.releases,
            &self.arches,
            &self.epochs as &[Option<i64>],
            &self.payloadhashes,
            &self.sizes,
            &self.buildtimes,
            &self.buildroots
        )
        .fetch_all(&mut *conn)
        .await
        .map_err(|error| match error.as_database_error().and_then(|e| e.constraint()) {
            Some("rpminfo_nvra") => refuse("one of its RPMs has the name of an RPM of another build"),
            _ => error.into(),
        })?;
        sqlx::query!(
            "INSERT INTO rpm_fragment (rpm_id, pkgid, mtime, fragment)
             SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bytea[])",
            &ids,
            &self.pkgids,
            &self.mtimes,
            &self.fragments
        )
        .execute(&mut *conn)
        .await?;
        sqlx::query!(
            "INSERT INTO rpmsigs (rpm_id, sigkey, sighash)
             SELECT rpm_id, '', sighash FROM unnest($1::bigint[], $2::text[]) AS t (rpm_id, sighash)
             UNION ALL
             SELECT rpm_id, sigkey, sighash FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t (rpm_id, sighash, sigkey)
             WHERE sigkey IS NOT NULL",
            &ids,
            &self.sighashes,
            &self.keys as &[Option<String>]
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}
