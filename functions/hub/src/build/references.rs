//! What still needs a build: what keeps it from being deleted.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{ArchiveId, ArchiveTypeId, BuildId, RpmId, TagId},
    method::build::{ArchiveUse, BuildReferences, References, RpmUse, TagUse},
    time::Time,
};

use crate::{
    Error, Result,
    call::{Cx, Handle},
};

/// What refers to a build; of each kind `limit` at the most. With `lazy` it stops at the first kind that is found.
///
/// # Errors
/// When the database is away.
pub async fn references(conn: &mut PgConnection, build: BuildId, limit: Option<i64>, lazy: bool) -> Result<References> {
    let mut found = References { tags: tags(conn, build).await?, ..References::default() };
    if lazy && !found.tags.is_empty() {
        return Ok(found);
    }
    let rpms = rpms(conn, build, limit).await?;
    let is_found = !rpms.is_empty();
    found.rpms = Some(rpms);
    if lazy && is_found {
        return Ok(found);
    }
    let mut components = archives_with_rpms(conn, build, limit).await?;
    found.component_of = Some(components.clone());
    if lazy && !components.is_empty() {
        return Ok(found);
    }
    let archives = archives(conn, build, limit).await?;
    let is_found = !archives.is_empty();
    found.archives = Some(archives);
    if lazy && is_found {
        return Ok(found);
    }
    components.extend(archives_with_archives(conn, build, limit).await?);
    found.component_of = Some(components.clone());
    if lazy && !components.is_empty() {
        return Ok(found);
    }
    found.last_used = Some(last_used(conn, build).await?.map(|time| Time(time).ts()));
    found.images = Some(components);
    Ok(found)
}

/// Why a build cannot be deleted; None when it can. Buildroots that used it count for `age`.
pub(super) fn why_needed(found: &References, age: TimeDelta, now: DateTime<Utc>) -> Option<String> {
    let join = |names: Vec<String>| names.join(", ");
    if !found.tags.is_empty() {
        return Some(format!("tagged: {}", join(found.tags.iter().map(|tag| tag.name.clone()).collect())));
    }
    if let Some(rpms) = found.rpms.as_ref().filter(|rpms| !rpms.is_empty()) {
        let name = |rpm: &RpmUse| format!("{}-{}-{}.{}", rpm.name, rpm.version, rpm.release, rpm.arch);
        return Some(format!("used in buildroots: {}", join(rpms.iter().map(name).collect())));
    }
    if let Some(archives) = found.archives.as_ref().filter(|archives| !archives.is_empty()) {
        let names = archives.iter().map(|archive| archive.filename.clone()).collect();
        return Some(format!("used in archive buildroots: {}", join(names)));
    }
    if let Some(archives) = found.component_of.as_ref().filter(|archives| !archives.is_empty()) {
        return Some(format!("used as component of: {}", join(archives.iter().map(ToString::to_string).collect())));
    }
    let used = found.last_used.flatten().and_then(Time::from_ts)?;
    (now - used.0 < age).then(|| "used in recent buildroot".to_owned())
}

async fn tags(conn: &mut PgConnection, build: BuildId) -> Result<Vec<TagUse>> {
    let rows = sqlx::query!(
        "SELECT tag.id, tag.name FROM tag_listing JOIN tag ON tag.id = tag_id WHERE build_id = $1 AND active ORDER BY tag.id",
        build.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| TagUse { tag_id: TagId(row.id), name: row.name }).collect())
}

/// RPMs of complete builds that were made in buildroots with its RPMs.
async fn rpms(conn: &mut PgConnection, build: BuildId, limit: Option<i64>) -> Result<Vec<RpmUse>> {
    let rows = sqlx::query!(
        r#"SELECT rpminfo.id, rpminfo.name, rpminfo.version, rpminfo.release, rpminfo.arch, rpminfo.build_id AS "build_id!"
           FROM rpminfo JOIN build ON build.id = rpminfo.build_id
           WHERE build.state = 1 AND rpminfo.buildroot_id IN
               (SELECT listing.buildroot_id FROM buildroot_listing listing JOIN rpminfo used ON used.id = listing.rpm_id
                WHERE used.build_id = $1)
           ORDER BY rpminfo.id LIMIT $2"#,
        build.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| RpmUse {
            id: RpmId(row.id),
            name: row.name,
            version: row.version,
            release: row.release,
            arch: row.arch,
            build_id: BuildId(row.build_id),
        })
        .collect())
}

/// Archives of complete builds that contain its RPMs.
async fn archives_with_rpms(conn: &mut PgConnection, build: BuildId, limit: Option<i64>) -> Result<Vec<ArchiveId>> {
    let ids = sqlx::query_scalar!(
        "SELECT archive_id FROM archive_rpm_components component JOIN rpminfo ON rpminfo.id = rpm_id
             JOIN archiveinfo ON archiveinfo.id = archive_id JOIN build ON build.id = archiveinfo.build_id
         WHERE rpminfo.build_id = $1 AND build.state = 1 ORDER BY archive_id LIMIT $2",
        build.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(ArchiveId).collect())
}

/// Archives of complete builds that contain its archives.
async fn archives_with_archives(conn: &mut PgConnection, build: BuildId, limit: Option<i64>) -> Result<Vec<ArchiveId>> {
    let ids = sqlx::query_scalar!(
        "SELECT component.archive_id FROM archive_components component JOIN archiveinfo part ON part.id = component_id
             JOIN archiveinfo ON archiveinfo.id = component.archive_id JOIN build ON build.id = archiveinfo.build_id
         WHERE part.build_id = $1 AND build.state = 1 ORDER BY component.archive_id LIMIT $2",
        build.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(ArchiveId).collect())
}

/// Archives of complete builds that were made in buildroots with its archives.
async fn archives(conn: &mut PgConnection, build: BuildId, limit: Option<i64>) -> Result<Vec<ArchiveUse>> {
    let rows = sqlx::query!(
        "SELECT archiveinfo.id, type_id, archivetypes.name AS type_name, archiveinfo.build_id, filename
         FROM archiveinfo JOIN build ON build.id = archiveinfo.build_id JOIN archivetypes ON archivetypes.id = type_id
         WHERE build.state = 1 AND archiveinfo.buildroot_id IN
             (SELECT listing.buildroot_id FROM buildroot_archives listing JOIN archiveinfo used ON used.id = listing.archive_id
              WHERE used.build_id = $1)
         ORDER BY archiveinfo.id LIMIT $2",
        build.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ArchiveUse {
            id: ArchiveId(row.id),
            type_id: ArchiveTypeId(row.type_id),
            type_name: row.type_name,
            build_id: BuildId(row.build_id),
            filename: row.filename,
        })
        .collect())
}

/// When a builder's buildroot last had something of it in it.
async fn last_used(conn: &mut PgConnection, build: BuildId) -> Result<Option<DateTime<Utc>>> {
    let time = sqlx::query_scalar!(
        "SELECT events.time FROM buildroot JOIN events ON events.id = create_event
         WHERE buildroot.id IN
             (SELECT listing.buildroot_id FROM buildroot_listing listing JOIN rpminfo ON rpminfo.id = rpm_id WHERE rpminfo.build_id = $1
              UNION ALL
              SELECT listing.buildroot_id FROM buildroot_archives listing JOIN archiveinfo ON archiveinfo.id = archive_id
              WHERE archiveinfo.build_id = $1)
         ORDER BY create_event DESC LIMIT 1",
        build.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(time)
}

impl Handle for BuildReferences {
    async fn handle(self, cx: &mut Cx) -> Result<References> {
        if self.limit.is_some_and(|limit| limit < 0) {
            return Err(Error::parameter("limit must not be negative"));
        }
        let conn = cx.db().await?;
        let build = super::require(conn, &self.build).await?;
        references(conn, build, self.limit, self.lazy).await
    }
}
