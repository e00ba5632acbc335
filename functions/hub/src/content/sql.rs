//! Statements about what is in tags.

use sqlx::{PgConnection, Postgres, QueryBuilder};
use toji_protocol::{
    id::{BuildId, BuildrootId, EventId, ExternalRepoId, PackageId, RpmId, TagId, TaskId, UserId, VolumeId},
    method::{
        Listing, QueryOpts,
        content::{TaggedBuild, TaggedRpm, UntaggedBuild},
    },
    state::BuildState,
    time::Time,
    value::Value,
};

use super::Query;
use crate::{Error, Result, listing};

/// A build in a tag, and what the package lists of the tags that were asked about say of its package.
pub(super) struct Row {
    pub(super) build: TaggedBuild,
    /// The tags with an entry for the package, and whether it is blocked there.
    pub(super) entries: Vec<(TagId, bool)>,
}

fn ids(tags: &[TagId]) -> Vec<i64> {
    tags.iter().map(|tag| tag.0).collect()
}

fn json(json: serde_json::Value) -> Result<Value> {
    serde_json::from_value(json).map_err(Error::internal)
}

/// The builds in `tags`, newest tagging first, in one statement. Of each package in each tag, only as many as `latest` can need.
pub(super) async fn builds(
    conn: &mut PgConnection,
    tags: &[TagId],
    lists: &[TagId],
    query: &Query,
) -> Result<Vec<Row>> {
    let rows = sqlx::query!(
        r#"WITH picked AS MATERIALIZED (
               SELECT l.tag_id, l.create_event, b.id, b.pkg_id, package.name AS package_name, b.version, b.release, b.epoch,
                   b.draft, b.task_id, b.owner, b.promoter, b.promotion_time, b.volume_id,
                   CASE WHEN $9 THEN b.extra END AS extra, b.create_event AS creation_event, b.start_time, b.completion_time,
                   row_number() OVER (
                       PARTITION BY l.tag_id, b.pkg_id ORDER BY l.create_event DESC, b.id DESC) AS place
               FROM tag_listing l JOIN build b ON b.id = l.build_id JOIN package ON package.id = b.pkg_id
               WHERE l.tag_id = ANY($1) AND is_live(l.active, l.create_event, l.revoke_event, $3) AND b.state = 1
                   AND ($4::bigint IS NULL OR b.pkg_id = $4) AND ($5::bigint IS NULL OR b.owner = $5)
                   AND ($6::boolean IS NULL OR b.draft = $6) AND ($7::text IS NULL OR package.name LIKE $7))
           SELECT picked.tag_id AS "tag_id!", tag.name AS tag_name, picked.create_event AS "create_event!",
               picked.id AS "id!", pkg_id AS "pkg_id!", package_name AS "package_name!", version AS "version!",
               release AS "release!", epoch, draft AS "draft!", task_id, owner AS "owner!", users.name AS owner_name,
               promoter, promoter_user.name AS "promoter_name?", promotion_time, volume_id AS "volume_id!",
               volume.name AS volume_name, extra, creation_event AS "creation_event!", events.time AS creation_time,
               start_time, completion_time, ARRAY(SELECT p.tag_id FROM tag_packages p WHERE p.package_id = pkg_id AND p.tag_id = ANY($2)
                   AND is_live(p.active, p.create_event, p.revoke_event, $3) ORDER BY p.tag_id) AS "tags!",
               ARRAY(SELECT p.blocked FROM tag_packages p WHERE p.package_id = pkg_id AND p.tag_id = ANY($2)
                   AND is_live(p.active, p.create_event, p.revoke_event, $3) ORDER BY p.tag_id) AS "blocked!"
           FROM picked JOIN tag ON tag.id = tag_id JOIN users ON users.id = owner
               JOIN volume ON volume.id = volume_id JOIN events ON events.id = creation_event
               LEFT JOIN users promoter_user ON promoter_user.id = promoter
           WHERE place <= $8
           ORDER BY picked.create_event DESC, picked.id DESC"#,
        &ids(tags),
        &ids(lists),
        query.event.map(|at| at.0),
        query.package.map(|id| id.0),
        query.owner.map(|id| id.0),
        query.draft,
        query.prefix.as_deref().map(crate::listing::starts_with),
        query.latest.map_or(i64::MAX, i64::from),
        query.extra
    )
    .fetch_all(conn)
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let extra = row.extra.map(json).transpose()?;
        let build = TaggedBuild {
            build_id: BuildId(row.id),
            completion_time: row.completion_time.map(Time),
            create_event: EventId(row.create_event),
            creation_event_id: EventId(row.creation_event),
            creation_time: Time(row.creation_time),
            draft: row.draft,
            epoch: row.epoch,
            // asked for, it is told although it is nil
            extra: query.extra.then(|| extra.unwrap_or_default()),
            id: BuildId(row.id),
            nvr: format!("{}-{}-{}", row.package_name, row.version, row.release),
            name: row.package_name.clone(),
            owner_id: UserId(row.owner),
            owner_name: row.owner_name,
            package_id: PackageId(row.pkg_id),
            package_name: row.package_name,
            promoter_id: row.promoter.map(UserId),
            promoter_name: row.promoter_name,
            promotion_time: row.promotion_time.map(Time),
            release: row.release,
            start_time: row.start_time.map(Time),
            state: BuildState::Complete,
            tag_id: TagId(row.tag_id),
            tag_name: row.tag_name,
            task_id: row.task_id.map(TaskId),
            version: row.version,
            volume_id: VolumeId(row.volume_id),
            volume_name: row.volume_name,
        };
        let entries = row.tags.into_iter().map(TagId).zip(row.blocked).collect();
        found.push(Row { build, entries });
    }
    Ok(found)
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

pub(super) async fn revoke(
    conn: &mut PgConnection,
    tag: TagId,
    build: BuildId,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "UPDATE tag_listing SET active = NULL, revoke_event = $3, revoker_id = $4
         WHERE tag_id = $1 AND build_id = $2 AND active",
        tag.0,
        build.0,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn insert(
    conn: &mut PgConnection,
    tag: TagId,
    build: BuildId,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO tag_listing (tag_id, build_id, create_event, creator_id) VALUES ($1, $2, $3, $4)",
        tag.0,
        build.0,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
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
