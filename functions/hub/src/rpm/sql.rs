//! Statements about RPMs.

use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildId, BuildrootId, ExternalRepoId, RpmId},
    method::rpm::Rpm,
    nvr::Nvra,
};

use crate::{Error, Result};

struct RawRpm {
    id: i64,
    build_id: Option<i64>,
    buildroot_id: Option<i64>,
    name: String,
    version: String,
    release: String,
    epoch: Option<i64>,
    arch: String,
    draft: Option<bool>,
    external_repo_id: i64,
    external_repo_name: String,
    payloadhash: String,
    size: i64,
    buildtime: i64,
    metadata_only: bool,
    extra: Option<serde_json::Value>,
    component_buildroot_id: Option<i64>,
    is_update: Option<bool>,
}

impl RawRpm {
    fn shown(self, in_list: bool) -> Result<Rpm> {
        let nvr = in_list.then(|| format!("{}-{}-{}", self.name, self.version, self.release));
        Ok(Rpm {
            arch: self.arch,
            build_id: self.build_id.map(BuildId),
            buildroot_id: self.buildroot_id.map(BuildrootId),
            buildtime: self.buildtime,
            draft: self.draft,
            epoch: self.epoch,
            external_repo_id: ExternalRepoId(self.external_repo_id),
            external_repo_name: self.external_repo_name,
            extra: self.extra.map(serde_json::from_value).transpose().map_err(Error::internal)?,
            id: RpmId(self.id),
            metadata_only: self.metadata_only,
            name: self.name,
            payloadhash: self.payloadhash,
            release: self.release,
            size: self.size,
            version: self.version,
            nvr,
            component_buildroot_id: self.component_buildroot_id.map(BuildrootId),
            is_update: self.is_update,
        })
    }
}

pub(super) async fn by_id(conn: &mut PgConnection, rpm: RpmId) -> Result<Vec<Rpm>> {
    let rows = sqlx::query_as!(
        RawRpm,
        r#"SELECT rpminfo.id, build_id, buildroot_id, rpminfo.name, version, release, epoch, arch, draft, external_repo_id,
               external_repo.name AS external_repo_name, payloadhash, size, buildtime, metadata_only, extra,
               NULL::bigint AS component_buildroot_id, NULL::boolean AS is_update
           FROM rpminfo JOIN external_repo ON external_repo.id = external_repo_id WHERE rpminfo.id = $1"#,
        rpm.0
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| row.shown(false)).collect()
}

pub(super) async fn by_nvra(conn: &mut PgConnection, nvra: &Nvra) -> Result<Vec<Rpm>> {
    let rows = sqlx::query_as!(
        RawRpm,
        r#"SELECT rpminfo.id, build_id, buildroot_id, rpminfo.name, version, release, epoch, arch, draft, external_repo_id,
               external_repo.name AS external_repo_name, payloadhash, size, buildtime, metadata_only, extra,
               NULL::bigint AS component_buildroot_id, NULL::boolean AS is_update
           FROM rpminfo JOIN external_repo ON external_repo.id = external_repo_id
           WHERE rpminfo.name = $1 AND version = $2 AND release = $3 AND arch = $4
           ORDER BY external_repo_id <> 0, draft IS TRUE, rpminfo.id DESC"#,
        nvra.nvr.name,
        nvra.nvr.version,
        nvra.nvr.release,
        nvra.arch
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| row.shown(false)).collect()
}

/// The RPMs of a build.
///
/// # Errors
/// When the database is away.
pub async fn listing(conn: &mut PgConnection, build: BuildId) -> Result<Vec<Rpm>> {
    list(conn, &Filter { build: Some(build.0), ..Filter::default() }).await
}

/// Which RPMs; None = all.
#[derive(Default)]
pub(super) struct Filter {
    pub(super) build: Option<i64>,
    pub(super) buildroot: Option<i64>,
    pub(super) component_of: Option<i64>,
    pub(super) host: Option<i64>,
    pub(super) arches: Option<Vec<String>>,
    pub(super) draft: Option<bool>,
    /// Nothing can fit.
    pub(super) is_none: bool,
}

pub(super) async fn list(conn: &mut PgConnection, filter: &Filter) -> Result<Vec<Rpm>> {
    let rows = sqlx::query_as!(
        RawRpm,
        r#"SELECT rpminfo.id, build_id, rpminfo.buildroot_id, rpminfo.name, version, release, epoch, rpminfo.arch, draft,
               external_repo_id, external_repo.name AS external_repo_name, payloadhash, size, buildtime, metadata_only,
               rpminfo.extra, component.buildroot_id AS "component_buildroot_id?", component.is_update AS "is_update?"
           FROM rpminfo JOIN external_repo ON external_repo.id = external_repo_id
               LEFT JOIN buildroot_listing component ON component.rpm_id = rpminfo.id AND component.buildroot_id = $3
               LEFT JOIN buildroot ON buildroot.id = rpminfo.buildroot_id
           WHERE NOT $7 AND ($1::bigint IS NULL OR build_id = $1) AND ($2::bigint IS NULL OR rpminfo.buildroot_id = $2)
               AND ($3::bigint IS NULL OR component.rpm_id IS NOT NULL) AND ($4::bigint IS NULL OR buildroot.host_id = $4)
               AND ($5::text[] IS NULL OR rpminfo.arch = ANY($5)) AND ($6::boolean IS NULL OR coalesce(draft, false) = $6)
           ORDER BY rpminfo.name, rpminfo.id"#,
        filter.build,
        filter.buildroot,
        filter.component_of,
        filter.host,
        filter.arches.as_deref(),
        filter.draft,
        filter.is_none
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| row.shown(true)).collect()
}

/// The source RPM of a build.
pub(super) async fn source(conn: &mut PgConnection, build: BuildId) -> Result<Option<RpmId>> {
    let id =
        sqlx::query_scalar!("SELECT id FROM rpminfo WHERE build_id = $1 AND arch = 'src' ORDER BY id LIMIT 1", build.0);
    Ok(id.fetch_optional(conn).await?.map(RpmId))
}
