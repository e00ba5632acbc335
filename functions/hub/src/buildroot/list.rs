//! Statements that read buildroots.

use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildrootId, ContentGeneratorId, EventId, ExternalRepoId, HostId, RepoId, RpmId, TagId, TaskId},
    method::buildroot::{Buildroot, BuildrootRpm},
    state::{BuildrootState, RepoState},
    time::Time,
};

use crate::{Error, Result};

/// Which buildroots; None = all.
#[derive(Default)]
pub(super) struct Filter {
    pub(super) ids: Option<Vec<i64>>,
    pub(super) states: Option<Vec<i16>>,
    pub(super) host: Option<i64>,
    pub(super) tag: Option<i64>,
    pub(super) rpm: Option<i64>,
    pub(super) task: Option<i64>,
    pub(super) repo: Option<i64>,
    pub(super) archive: Option<i64>,
}

pub(super) async fn list(conn: &mut PgConnection, filter: &Filter) -> Result<Vec<Buildroot>> {
    let rows = sqlx::query!(
        r#"SELECT buildroot.id, br_type, arch, container_type, host_id, host.name AS "host_name?", repo_id,
               buildroot.task_id, buildroot.state, extra, buildroot.create_event, made.time AS "create_time?", retire_event,
               retired.time AS "retire_time?", cg_id, content_generator.name AS "cg_name?", cg_version, host_os, host_arch, repo.state AS "repo_state?", repo.create_event AS "repo_event?",
               repo_made.time AS "repo_time?", repo.tag_id AS "tag_id?", tag.name AS "tag_name?"
           FROM buildroot LEFT JOIN events made ON made.id = buildroot.create_event
               LEFT JOIN content_generator ON content_generator.id = cg_id
               LEFT JOIN events retired ON retired.id = retire_event LEFT JOIN host ON host.id = host_id
               LEFT JOIN repo ON repo.id = repo_id LEFT JOIN events repo_made ON repo_made.id = repo.create_event
               LEFT JOIN tag ON tag.id = repo.tag_id
           WHERE ($1::bigint[] IS NULL OR buildroot.id = ANY($1))
               AND ($2::smallint[] IS NULL OR buildroot.state = ANY($2))
               AND ($3::bigint IS NULL OR host_id = $3) AND ($4::bigint IS NULL OR repo.tag_id = $4)
               AND ($5::bigint IS NULL OR EXISTS
                   (SELECT 1 FROM buildroot_listing WHERE buildroot_id = buildroot.id AND rpm_id = $5))
               AND ($6::bigint IS NULL OR buildroot.task_id = $6) AND ($7::bigint IS NULL OR repo_id = $7)
               AND ($8::bigint IS NULL OR EXISTS
                   (SELECT 1 FROM buildroot_archives WHERE buildroot_id = buildroot.id AND archive_id = $8))
           ORDER BY buildroot.id"#,
        filter.ids.as_deref(),
        filter.states.as_deref(),
        filter.host,
        filter.tag,
        filter.rpm,
        filter.task,
        filter.repo,
        filter.archive
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let state = |number: i16| {
                let state = BuildrootState::from_number(number.into());
                state.ok_or_else(|| Error::internal(anyhow::anyhow!("no buildroot state {number}")))
            };
            Ok(Buildroot {
                arch: row.arch.clone(),
                br_type: row.br_type.into(),
                cg_id: row.cg_id.map(ContentGeneratorId),
                cg_name: row.cg_name,
                cg_version: row.cg_version,
                container_arch: row.arch,
                container_type: row.container_type,
                create_event_id: row.create_event.map(EventId),
                create_event_time: row.create_time.map(Time),
                create_ts: row.create_time.map(|time| Time(time).ts()),
                extra: row.extra.map(serde_json::from_value).transpose().map_err(Error::internal)?,
                host_arch: row.host_arch,
                host_id: row.host_id.map(HostId),
                host_name: row.host_name,
                host_os: row.host_os,
                id: BuildrootId(row.id),
                repo_create_event_id: row.repo_event.map(EventId),
                repo_create_event_time: row.repo_time.map(Time),
                repo_id: row.repo_id.map(RepoId),
                repo_state: row.repo_state.and_then(|state| RepoState::from_number(state.into())),
                retire_event_id: row.retire_event.map(EventId),
                retire_event_time: row.retire_time.map(Time),
                retire_ts: row.retire_time.map(|time| Time(time).ts()),
                state: row.state.map(state).transpose()?,
                tag_id: row.tag_id.map(TagId),
                tag_name: row.tag_name,
                task_id: row.task_id.map(TaskId),
            })
        })
        .collect()
}

pub(super) async fn rpms(conn: &mut PgConnection, buildroot: BuildrootId) -> Result<Vec<BuildrootRpm>> {
    let rows = sqlx::query!(
        "SELECT rpm_id, is_update, rpminfo.name, version, release, epoch, arch, external_repo_id,
             external_repo.name AS external_repo_name
         FROM buildroot_listing JOIN rpminfo ON rpminfo.id = rpm_id JOIN external_repo ON external_repo.id = external_repo_id
         WHERE buildroot_listing.buildroot_id = $1 ORDER BY rpminfo.name, rpm_id",
        buildroot.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| BuildrootRpm {
            rpm_id: RpmId(row.rpm_id),
            is_update: row.is_update,
            name: row.name,
            version: row.version,
            release: row.release,
            epoch: row.epoch,
            arch: row.arch,
            external_repo_id: ExternalRepoId(row.external_repo_id),
            external_repo_name: row.external_repo_name,
        })
        .collect())
}
