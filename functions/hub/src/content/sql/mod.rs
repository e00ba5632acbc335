//! Statements about what is in tags.

pub(super) mod listed;

use sqlx::{PgConnection, Postgres, QueryBuilder};
use toji_protocol::{
    id::{BuildId, BuildrootId, EventId, ExternalRepoId, PackageId, RpmId, TagId, UserId},
    method::{
        Listing, QueryOpts,
        content::{TaggedRpm, UntaggedBuild},
    },
    state::BuildState,
    value::Value,
};

use crate::{Error, Result, listing};

fn json(json: serde_json::Value) -> Result<Value> {
    serde_json::from_value(json).map_err(Error::internal)
}

/// The RPMs of builds, by id; with `rpmsigs` once for each signature.
pub(super) async fn rpms(
    conn: &mut PgConnection,
    builds: &[i64],
    arches: Option<&[String]>,
    rpmsigs: bool,
    extra: bool,
) -> Result<Vec<TaggedRpm>> {
    let rows = sqlx::query!(
        r#"SELECT r.id, r.build_id AS "build_id!", r.name, r.version, r.release, r.epoch, r.arch, r.draft, r.size, r.payloadhash,
               r.buildtime, r.buildroot_id, r.external_repo_id, r.metadata_only, CASE WHEN $4 THEN r.extra END AS extra,
               s.sigkey AS "sigkey?"
           FROM rpminfo r LEFT JOIN rpmsigs s ON $3 AND s.rpm_id = r.id
           WHERE r.build_id = ANY($1) AND ($2::text[] IS NULL OR r.arch = ANY($2))
           ORDER BY r.id, s.sigkey"#,
        builds,
        arches,
        rpmsigs,
        extra
    )
    .fetch_all(conn)
    .await?;
    let mut rpms = Vec::with_capacity(rows.len());
    for row in rows {
        let found = row.extra.map(json).transpose()?;
        rpms.push(TaggedRpm {
            id: RpmId(row.id),
            build_id: BuildId(row.build_id),
            name: row.name,
            version: row.version,
            release: row.release,
            epoch: row.epoch,
            arch: row.arch,
            draft: row.draft.unwrap_or(false),
            size: row.size,
            payloadhash: row.payloadhash,
            buildtime: row.buildtime,
            buildroot_id: row.buildroot_id.map(BuildrootId),
            external_repo_id: ExternalRepoId(row.external_repo_id),
            metadata_only: row.metadata_only,
            extra: extra.then(|| found.unwrap_or_default()),
            sigkey: row.sigkey,
        });
    }
    Ok(rpms)
}

/// What must be known of a build that is to be tagged.
pub(super) struct Candidate {
    pub(super) nvr: String,
    pub(super) package: PackageId,
    pub(super) package_name: String,
    pub(super) state: BuildState,
}

/// A build, its state held until the commit.
pub(super) async fn candidate(conn: &mut PgConnection, build: BuildId) -> Result<Option<Candidate>> {
    Ok(candidates(conn, &[build]).await?.pop())
}

/// Builds, their states held until the commit. In the order of ids, so that two who hold the same builds do not meet.
pub(super) async fn candidates(conn: &mut PgConnection, builds: &[BuildId]) -> Result<Vec<Candidate>> {
    let ids: Vec<i64> = builds.iter().map(|build| build.0).collect();
    let rows = sqlx::query!(
        r#"SELECT build.id, package.id AS package, package.name, version, release, state
           FROM build JOIN package ON package.id = pkg_id WHERE build.id = ANY($1) ORDER BY build.id FOR SHARE OF build"#,
        &ids
    )
    .fetch_all(conn)
    .await?;
    let mut candidates = Vec::with_capacity(rows.len());
    for row in rows {
        let state = BuildState::from_number(row.state.into());
        candidates.push(Candidate {
            nvr: format!("{}-{}-{}", row.name, row.version, row.release),
            package: PackageId(row.package),
            package_name: row.name,
            state: state
                .ok_or_else(|| Error::internal(anyhow::anyhow!("build {} has the state {}", row.id, row.state)))?,
        });
    }
    Ok(candidates)
}

pub(super) async fn is_tagged(conn: &mut PgConnection, tag: TagId, build: BuildId) -> Result<bool> {
    let is_tagged = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM tag_listing WHERE tag_id = $1 AND build_id = $2 AND active) AS "is_tagged!""#,
        tag.0,
        build.0
    )
    .fetch_one(conn)
    .await?;
    Ok(is_tagged)
}

/// Those of these builds that are in a tag, hidden or not.
pub(crate) async fn tagged_of(conn: &mut PgConnection, tag: TagId, builds: &[BuildId]) -> Result<Vec<BuildId>> {
    let ids: Vec<i64> = builds.iter().map(|build| build.0).collect();
    let tagged = sqlx::query_scalar!(
        "SELECT build_id FROM tag_listing WHERE tag_id = $1 AND build_id = ANY($2) AND active ORDER BY build_id",
        tag.0,
        &ids
    )
    .fetch_all(conn)
    .await?;
    Ok(tagged.into_iter().map(BuildId).collect())
}

fn columns(changes: &[(BuildId, EventId)]) -> (Vec<i64>, Vec<i64>) {
    changes.iter().map(|(build, event)| (build.0, event.0)).unzip()
}

/// Untags builds, each by its own event; those that are not there are left out.
pub(super) async fn revoke_all(
    conn: &mut PgConnection,
    tag: TagId,
    changes: &[(BuildId, EventId)],
    by: UserId,
) -> Result<()> {
    let (builds, events) = columns(changes);
    sqlx::query!(
        "UPDATE tag_listing SET active = NULL, revoke_event = change.event, revoker_id = $4
         FROM unnest($2::bigint[], $3::bigint[]) AS change (build, event)
         WHERE tag_id = $1 AND build_id = change.build AND active",
        tag.0,
        &builds,
        &events,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Tags builds, each by its own event.
pub(super) async fn insert_all(
    conn: &mut PgConnection,
    tag: TagId,
    changes: &[(BuildId, EventId)],
    by: UserId,
) -> Result<()> {
    let (builds, events) = columns(changes);
    sqlx::query!(
        "INSERT INTO tag_listing (tag_id, build_id, create_event, creator_id)
         SELECT $1, build, event, $4 FROM unnest($2::bigint[], $3::bigint[]) AS change (build, event)",
        tag.0,
        &builds,
        &events,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Complete builds that are in no tag.
pub(super) async fn untagged(
    conn: &mut PgConnection,
    name: Option<&str>,
    draft: Option<bool>,
    opts: &QueryOpts,
) -> Result<Listing<UntaggedBuild>> {
    const COLUMNS: [(&str, &str); 4] =
        [("id", "b.id"), ("name", "package.name"), ("version", "b.version"), ("release", "b.release")];
    let mut sql = QueryBuilder::<Postgres>::new(if opts.count_only { "SELECT count(*) FROM (" } else { "" });
    sql.push(
        "SELECT b.id, package.name, b.version, b.release FROM build b JOIN package ON package.id = b.pkg_id
         WHERE b.state = 1 AND NOT EXISTS (SELECT FROM tag_listing l WHERE l.build_id = b.id AND l.active)",
    );
    if let Some(name) = name {
        sql.push(" AND package.name = ").push_bind(name);
    }
    if let Some(draft) = draft {
        sql.push(" AND b.draft = ").push_bind(draft);
    }
    if opts.order.is_none() {
        sql.push(" ORDER BY b.id");
    }
    sql.push(listing::sql_tail(opts, &COLUMNS)?);
    if opts.count_only {
        sql.push(") AS builds");
        return Ok(Listing::Count(sql.build_query_scalar().fetch_one(conn).await?));
    }
    let rows: Vec<(i64, String, String, String)> = sql.build_query_as().fetch_all(conn).await?;
    let builds =
        rows.into_iter().map(|(id, name, version, release)| UntaggedBuild { id: BuildId(id), name, version, release });
    listing::shape(builds.collect(), Some(opts))
}
