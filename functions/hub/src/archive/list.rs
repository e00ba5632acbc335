//! Statements that read archives.

use sqlx::PgConnection;
use toji_protocol::{
    id::{ArchiveId, ArchiveTypeId, BtypeId, BuildId, BuildrootId, HostId},
    method::archive::Archive,
};

use crate::{Error, Result};

/// Which archives; None = all.
#[derive(Default)]
pub(crate) struct Filter<'a> {
    pub(crate) build: Option<i64>,
    pub(crate) buildroot: Option<i64>,
    pub(crate) component_of: Option<i64>,
    pub(crate) host: Option<i64>,
    /// A btype.
    pub(crate) kind: Option<i64>,
    pub(crate) filename: Option<&'a str>,
    pub(crate) size: Option<i64>,
    pub(crate) checksum: Option<&'a str>,
    pub(crate) checksum_type: Option<i16>,
    pub(crate) part_of: Option<i64>,
    pub(crate) id: Option<i64>,
    /// Nothing can fit.
    pub(crate) is_none: bool,
}

pub(crate) async fn list(conn: &mut PgConnection, filter: &Filter<'_>) -> Result<Vec<Archive>> {
    let rows = sqlx::query!(
        r#"SELECT archiveinfo.id, type_id, btype_id, btype.name AS btype, build_id, archiveinfo.buildroot_id, filename, size,
               checksum, checksum_type, metadata_only, archiveinfo.extra, archivetypes.name AS type_name,
               archivetypes.description AS type_description, archivetypes.extensions AS type_extensions,
               compression_type, component.buildroot_id AS "component_buildroot?", component.project_dep AS "project?",
               buildroot.host_id AS "host?"
           FROM archiveinfo JOIN archivetypes ON archivetypes.id = type_id JOIN btype ON btype.id = btype_id
               LEFT JOIN buildroot_archives component ON component.archive_id = archiveinfo.id AND component.buildroot_id = $3
               LEFT JOIN buildroot ON buildroot.id = archiveinfo.buildroot_id
           WHERE NOT $12 AND ($1::bigint IS NULL OR build_id = $1)
               AND ($2::bigint IS NULL OR archiveinfo.buildroot_id = $2)
               AND ($3::bigint IS NULL OR component.archive_id IS NOT NULL) AND ($4::bigint IS NULL OR buildroot.host_id = $4)
               AND ($5::bigint IS NULL OR btype_id = $5) AND ($6::text IS NULL OR filename = $6)
               AND ($7::bigint IS NULL OR size = $7) AND ($8::text IS NULL OR checksum = $8)
               AND ($9::smallint IS NULL OR checksum_type = $9)
               AND ($10::bigint IS NULL OR EXISTS
                   (SELECT FROM archive_components part WHERE part.archive_id = $10 AND component_id = archiveinfo.id))
               AND ($11::bigint IS NULL OR archiveinfo.id = $11)
           ORDER BY archiveinfo.id"#,
        filter.build,
        filter.buildroot,
        filter.component_of,
        filter.host,
        filter.kind,
        filter.filename,
        filter.size,
        filter.checksum,
        filter.checksum_type,
        filter.part_of,
        filter.id,
        filter.is_none
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Archive {
                btype: row.btype,
                btype_id: BtypeId(row.btype_id),
                build_id: BuildId(row.build_id),
                buildroot_id: row.buildroot_id.map(BuildrootId),
                checksum: row.checksum,
                checksum_type: row.checksum_type.into(),
                compression_type: row.compression_type,
                extra: row.extra.map(serde_json::from_value).transpose().map_err(Error::internal)?,
                filename: row.filename,
                id: ArchiveId(row.id),
                metadata_only: row.metadata_only,
                size: row.size,
                type_description: row.type_description,
                type_extensions: row.type_extensions,
                type_id: ArchiveTypeId(row.type_id),
                type_name: row.type_name,
                component_buildroot_id: row.component_buildroot.map(BuildrootId),
                project: row.project,
                host_id: filter.host.and(row.host).map(HostId),
            })
        })
        .collect()
}

/// One archive.
pub(crate) async fn get(conn: &mut PgConnection, archive: ArchiveId) -> Result<Option<Archive>> {
    Ok(list(conn, &Filter { id: Some(archive.0), ..Filter::default() }).await?.pop())
}

/// The folder of an archive, below that of its btype.
pub(super) async fn subdir(conn: &mut PgConnection, archive: ArchiveId) -> Result<String> {
    Ok(sqlx::query_scalar!("SELECT subdir FROM archiveinfo WHERE id = $1", archive.0).fetch_one(conn).await?)
}
