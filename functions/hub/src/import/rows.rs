//! The rows of RPMs that are imported.

use sqlx::PgConnection;
use toji_protocol::id::RpmId;
use toji_repodata::fragment::{FileFacts, render};

use super::{Copy, Home, Incoming, refuse};
use crate::{Error, Result, rpm::fragment};

/// Notes where files have gone, so that their old paths still lead to them.
pub(crate) async fn moved(conn: &mut PgConnection, copies: &[Copy]) -> Result<()> {
    let made = || copies.iter().filter_map(|copy| Some((copy.task?, copy)));
    let tasks: Vec<i64> = made().map(|(task, _)| task.0).collect();
    let names: Vec<String> = made().map(|(_, copy)| copy.name.clone()).collect();
    let keys: Vec<String> = made().map(|(_, copy)| copy.to.clone()).collect();
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

/// What is noted of RPMs, a list for each column.
#[derive(Default)]
pub(crate) struct Rows {
    names: Vec<String>,
    versions: Vec<String>,
    releases: Vec<String>,
    arches: Vec<String>,
    epochs: Vec<Option<i64>>,
    payloadhashes: Vec<String>,
    sizes: Vec<i64>,
    buildtimes: Vec<i64>,
    buildroots: Vec<Option<i64>>,
    extras: Vec<Option<serde_json::Value>>,
    pkgids: Vec<String>,
    mtimes: Vec<i64>,
    fragments: Vec<Vec<u8>>,
    sighashes: Vec<String>,
    keys: Vec<Option<String>>,
}

impl Rows {
    /// Renders each RPM's share of repository metadata: it takes time, so it is done before the transaction.
    pub(crate) fn make(incoming: Vec<Incoming>) -> Result<Self> {
        let mut rows = Self::default();
        for Incoming { file, buildroot, header, nvra, extra } in incoming {
            let size = u64::try_from(file.size).map_err(Error::internal)?;
            let rendered = render(&header, FileFacts { sha256: &file.sha256, size });
            let missing = || refuse(format!("{nvra} has no SIGMD5"));
            rows.payloadhashes.push(header.sigmd5.clone().ok_or_else(missing)?);
            rows.fragments.push(fragment::encode(rendered)?);
            rows.names.push(nvra.nvr.name);
            rows.versions.push(nvra.nvr.version);
            rows.releases.push(nvra.nvr.release);
            rows.arches.push(nvra.arch);
            rows.epochs.push(header.epoch.map(i64::from));
            rows.sizes.push(file.size);
            rows.buildtimes.push(header.buildtime as i64);
            rows.buildroots.push(buildroot.map(|id| id.0));
            rows.extras.push(extra);
            rows.pkgids.push(file.sha256);
            rows.mtimes.push(file.time.timestamp());
            rows.sighashes.push(header.sighash.clone());
            rows.keys.push(header.key_id.clone());
        }
        Ok(rows)
    }

    /// Inserts them. Answers the RPMs' ids, in order.
    ///
    /// # Errors
    /// When an RPM of that name is there.
    pub(crate) async fn insert(&self, conn: &mut PgConnection, home: &Home) -> Result<Vec<RpmId>> {
        let ids = sqlx::query_scalar!(
            "INSERT INTO rpminfo (build_id, name, version, release, arch, epoch, payloadhash, size, buildtime, buildroot_id, extra, draft)
             SELECT $1, *, $12 FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[],
                 $8::bigint[], $9::bigint[], $10::bigint[], $11::jsonb[])
             RETURNING id",
            home.build.0,
            &self.names,
            &self.versions,
            &self.releases,
            &self.arches,
            &self.epochs as &[Option<i64>],
            &self.payloadhashes,
            &self.sizes,
            &self.buildtimes,
            &self.buildroots as &[Option<i64>],
            &self.extras as &[Option<serde_json::Value>],
            home.is_draft
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
             SELECT rpm_id, coalesce(sigkey, ''), sighash
             FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t (rpm_id, sighash, sigkey)",
            &ids,
            &self.sighashes,
            &self.keys as &[Option<String>]
        )
        .execute(conn)
        .await?;
        Ok(ids.into_iter().map(RpmId).collect())
    }
}
