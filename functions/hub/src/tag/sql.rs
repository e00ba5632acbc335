//! Statements about tags, their configuration, and their links.

use sqlx::{PgConnection, Postgres, QueryBuilder};
use toji_protocol::{
    id::{BuildId, EventId, PackageId, PermissionId, Ref, TagId, UserId},
    method::{
        Listing, QueryOpts,
        tag::{InheritanceLink, ListedTag},
    },
};

use super::walk::Direction;
use crate::{Result, listing};

/// A tag that is there: now, or at an event.
pub(super) async fn find(
    conn: &mut PgConnection,
    tag: &Ref<TagId>,
    at: Option<EventId>,
) -> Result<Option<(TagId, String)>> {
    let row = sqlx::query!(
        "SELECT tag.id, name FROM tag JOIN tag_config c ON c.tag_id = tag.id
         WHERE (tag.id = $1 OR name = $2) AND is_live(c.active, c.create_event, c.revoke_event, $3)",
        tag.id().map(|id| id.0),
        tag.name(),
        at.map(|at| at.0)
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (TagId(row.id), row.name)))
}

/// The last event before a tag was deleted; None when it never was, or is there now.
pub(super) async fn before_deletion(conn: &mut PgConnection, tag: &Ref<TagId>) -> Result<Option<EventId>> {
    let deleted = sqlx::query_scalar!(
        "SELECT max(revoke_event) FROM tag JOIN tag_config ON tag_id = tag.id WHERE tag.id = $1 OR name = $2
         HAVING NOT bool_or(active IS TRUE)",
        tag.id().map(|id| id.0),
        tag.name()
    )
    .fetch_optional(conn)
    .await?;
    Ok(deleted.flatten().map(|event| EventId(event - 1)))
}

/// Keeps others from changing these tags until the commit. In the order of ids, so that two who lock the same tags do not meet.
pub(super) async fn lock(conn: &mut PgConnection, tags: &[TagId]) -> Result<()> {
    // not FOR UPDATE: rows that only point at a tag are inserted after the event is taken, and must not wait for this
    sqlx::query!("SELECT id FROM tag WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", &ids(tags))
        .fetch_all(conn)
        .await?;
    Ok(())
}

/// The first of these tags that is not there.
pub(super) async fn missing(conn: &mut PgConnection, tags: &[TagId]) -> Result<Option<TagId>> {
    let id = sqlx::query_scalar!(
        r#"SELECT id AS "id!" FROM unnest($1::bigint[]) AS id
           WHERE NOT EXISTS (SELECT FROM tag_config WHERE tag_id = id AND active) LIMIT 1"#,
        &ids(tags)
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(TagId))
}

fn ids(tags: &[TagId]) -> Vec<i64> {
    tags.iter().map(|tag| tag.0).collect()
}

/// The row of a name, made when there is none, and locked.
pub(super) async fn take_name(conn: &mut PgConnection, name: &str) -> Result<TagId> {
    let id = sqlx::query_scalar!(
        "INSERT INTO tag (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id",
        name
    )
    .fetch_one(conn)
    .await?;
    Ok(TagId(id))
}

/// Renames a tag. Answers the tag that has the name already, if there is one.
pub(super) async fn rename(conn: &mut PgConnection, tag: TagId, name: &str) -> Result<Option<TagId>> {
    let other = sqlx::query_scalar!("SELECT id FROM tag WHERE name = $1", name).fetch_optional(&mut *conn).await?;
    if other.is_some() {
        return Ok(other.map(TagId));
    }
    let renamed = sqlx::query!("UPDATE tag SET name = $2 WHERE id = $1", tag.0, name).execute(conn).await;
    match renamed {
        Ok(_) => Ok(None),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            Err(crate::Error::conflict(format!("Name {name} was taken in this moment")))
        }
        Err(error) => Err(error.into()),
    }
}

/// A tag's own settings, without extra.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Config {
    pub(super) arches: Option<String>,
    pub(super) perm_id: Option<PermissionId>,
    pub(super) locked: bool,
    pub(super) maven_support: bool,
    pub(super) maven_include_all: bool,
}

/// A tag with its own settings, as stored.
pub(super) struct Row {
    pub(super) id: TagId,
    pub(super) name: String,
    pub(super) perm: Option<String>,
    pub(super) config: Config,
}

pub(super) async fn configs(conn: &mut PgConnection, tags: &[TagId], at: Option<EventId>) -> Result<Vec<Row>> {
    let rows = sqlx::query!(
        r#"SELECT tag.id, tag.name, arches, perm_id, permissions.name AS "perm?", locked, maven_support, maven_include_all
           FROM tag JOIN tag_config c ON c.tag_id = tag.id LEFT JOIN permissions ON permissions.id = perm_id
           WHERE tag.id = ANY($1) AND is_live(c.active, c.create_event, c.revoke_event, $2)"#,
        &ids(tags),
        at.map(|at| at.0)
    )
    .fetch_all(conn)
    .await?;
    let row = rows.into_iter().map(|row| Row {
        id: TagId(row.id),
        name: row.name,
        perm: row.perm,
        config: Config {
            arches: row.arches,
            perm_id: row.perm_id.map(PermissionId),
            locked: row.locked,
            maven_support: row.maven_support,
            maven_include_all: row.maven_include_all,
        },
    });
    Ok(row.collect())
}

/// A tag with its own settings and its own extra, by name or id, in one statement.
pub(super) async fn own(
    conn: &mut PgConnection,
    tag: &Ref<TagId>,
    at: Option<EventId>,
) -> Result<Option<(Row, Vec<Extra>)>> {
    let row = sqlx::query!(
        r#"SELECT tag.id, tag.name, arches, perm_id, permissions.name AS "perm?", locked, maven_support, maven_include_all,
               ARRAY(SELECT key FROM tag_extra e WHERE e.tag_id = tag.id
                   AND is_live(e.active, e.create_event, e.revoke_event, $3) ORDER BY key) AS "keys!",
               ARRAY(SELECT value FROM tag_extra e WHERE e.tag_id = tag.id
                   AND is_live(e.active, e.create_event, e.revoke_event, $3) ORDER BY key) AS "values!: Vec<Option<String>>"
           FROM tag JOIN tag_config c ON c.tag_id = tag.id LEFT JOIN permissions ON permissions.id = perm_id
           WHERE (tag.id = $1 OR tag.name = $2) AND is_live(c.active, c.create_event, c.revoke_event, $3)"#,
        tag.id().map(|id| id.0),
        tag.name(),
        at.map(|at| at.0)
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let tag = TagId(row.id);
    let extras = row.keys.into_iter().zip(row.values).map(|(key, value)| Extra { tag, key, value }).collect();
    let config = Config {
        arches: row.arches,
        perm_id: row.perm_id.map(PermissionId),
        locked: row.locked,
        maven_support: row.maven_support,
        maven_include_all: row.maven_include_all,
    };
    Ok(Some((Row { id: tag, name: row.name, perm: row.perm, config }, extras)))
}

pub(super) async fn revoke_config(conn: &mut PgConnection, tag: TagId, event: EventId, by: UserId) -> Result<()> {
    sqlx::query!(
        "UPDATE tag_config SET active = NULL, revoke_event = $2, revoker_id = $3 WHERE tag_id = $1 AND active",
        tag.0,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn insert_config(
    conn: &mut PgConnection,
    tag: TagId,
    config: &Config,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO tag_config (tag_id, arches, perm_id, locked, maven_support, maven_include_all, create_event, creator_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        tag.0,
        config.arches,
        config.perm_id.map(|id| id.0),
        config.locked,
        config.maven_support,
        config.maven_include_all,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// One further setting of a tag: JSON, or None where the key is blocked.
pub(super) struct Extra {
    pub(super) tag: TagId,
    pub(super) key: String,
    pub(super) value: Option<String>,
}

pub(super) async fn extras(conn: &mut PgConnection, tags: &[TagId], at: Option<EventId>) -> Result<Vec<Extra>> {
    let rows = sqlx::query!(
        "SELECT tag_id, key, value FROM tag_extra
         WHERE tag_id = ANY($1) AND is_live(active, create_event, revoke_event, $2) ORDER BY tag_id, key",
        &ids(tags),
        at.map(|at| at.0)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| Extra { tag: TagId(row.tag_id), key: row.key, value: row.value }).collect())
}

pub(super) async fn revoke_extras(
    conn: &mut PgConnection,
    tag: TagId,
    keys: &[String],
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "UPDATE tag_extra SET active = NULL, revoke_event = $3, revoker_id = $4
         WHERE tag_id = $1 AND key = ANY($2) AND active",
        tag.0,
        keys,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Values are JSON; None blocks the key.
pub(super) async fn insert_extras(
    conn: &mut PgConnection,
    tag: TagId,
    extras: &[(String, Option<String>)],
    event: EventId,
    by: UserId,
) -> Result<()> {
    let keys: Vec<String> = extras.iter().map(|(key, _)| key.clone()).collect();
    let values: Vec<Option<String>> = extras.iter().map(|(_, value)| value.clone()).collect();
    sqlx::query!(
        "INSERT INTO tag_extra (tag_id, key, value, create_event, creator_id)
         SELECT $1, key, value, $4, $5 FROM unnest($2::text[], $3::text[]) AS extra (key, value)",
        tag.0,
        &keys,
        &values as &[Option<String>],
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Revokes all that is said of a tag anywhere: a fixed number of statements, one a table.
pub(super) async fn revoke_everywhere(conn: &mut PgConnection, tag: TagId, event: EventId, by: UserId) -> Result<()> {
    const TABLES: [(&str, &str); 11] = [
        ("tag_config", "tag_id = $1"),
        ("tag_extra", "tag_id = $1"),
        ("tag_inheritance", "(tag_id = $1 OR parent_id = $1)"),
        ("build_target_config", "(build_tag = $1 OR dest_tag = $1)"),
        ("tag_listing", "tag_id = $1"),
        ("tag_packages", "tag_id = $1"),
        ("tag_package_owners", "tag_id = $1"),
        ("tag_external_repos", "tag_id = $1"),
        ("group_config", "tag_id = $1"),
        ("group_req_listing", "tag_id = $1"),
        ("group_package_listing", "tag_id = $1"),
    ];
    for (table, whose) in TABLES {
        let mut sql = QueryBuilder::<Postgres>::new(format!(
            "UPDATE {table} SET active = NULL, revoke_event = $2, revoker_id = $3 WHERE {whose} AND active"
        ));
        sql.build().bind(tag.0).bind(event.0).bind(by.0).execute(&mut *conn).await?;
    }
    Ok(())
}

/// The tags that inherit from this one by a link of their own.
pub(super) async fn children(conn: &mut PgConnection, tag: TagId) -> Result<Vec<TagId>> {
    let ids = sqlx::query_scalar!("SELECT tag_id FROM tag_inheritance WHERE parent_id = $1 AND active", tag.0)
        .fetch_all(conn)
        .await?;
    Ok(ids.into_iter().map(TagId).collect())
}

struct LinkRow {
    tag_id: i64,
    parent_id: i64,
    name: String,
    priority: i32,
    maxdepth: Option<i32>,
    intransitive: bool,
    noconfig: bool,
    pkg_filter: String,
}

impl From<LinkRow> for InheritanceLink {
    fn from(row: LinkRow) -> Self {
        Self {
            intransitive: row.intransitive,
            maxdepth: row.maxdepth,
            name: row.name,
            noconfig: row.noconfig,
            parent_id: TagId(row.parent_id),
            pkg_filter: row.pkg_filter,
            priority: row.priority,
            child_id: TagId(row.tag_id),
        }
    }
}

/// A tag's own links, by priority.
pub(super) async fn links(conn: &mut PgConnection, tag: TagId, at: Option<EventId>) -> Result<Vec<InheritanceLink>> {
    let rows = sqlx::query_as!(
        LinkRow,
        "SELECT tag_id, parent_id, name, priority, maxdepth, intransitive, noconfig, pkg_filter
         FROM tag_inheritance JOIN tag ON tag.id = parent_id
         WHERE tag_id = $1 AND is_live(active, create_event, revoke_event, $2) ORDER BY priority",
        tag.0,
        at.map(|at| at.0)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(InheritanceLink::from).collect())
}

/// All links that can be reached from a tag, by priority: one statement, however far they lead.
pub(super) async fn reachable(
    conn: &mut PgConnection,
    tag: TagId,
    at: Option<EventId>,
    direction: Direction,
) -> Result<Vec<InheritanceLink>> {
    let at = at.map(|at| at.0);
    let rows = match direction {
        Direction::Up => {
            sqlx::query_as!(
                LinkRow,
                r#"WITH RECURSIVE reached AS (
                       SELECT $1::bigint AS id
                       UNION
                       SELECT parent_id FROM reached JOIN tag_inheritance ON tag_id = reached.id
                       WHERE is_live(active, create_event, revoke_event, $2))
                   SELECT tag_id, parent_id, name, priority, maxdepth, intransitive, noconfig, pkg_filter
                   FROM reached JOIN tag_inheritance ON tag_id = reached.id JOIN tag ON tag.id = parent_id
                   WHERE is_live(active, create_event, revoke_event, $2) ORDER BY priority, tag_id"#,
                tag.0,
                at
            )
            .fetch_all(conn)
            .await?
        }
        Direction::Down => {
            sqlx::query_as!(
                LinkRow,
                r#"WITH RECURSIVE reached AS (
                       SELECT $1::bigint AS id
                       UNION
                       SELECT tag_id FROM reached JOIN tag_inheritance ON parent_id = reached.id
                       WHERE is_live(active, create_event, revoke_event, $2))
                   SELECT tag_id, parent_id, name, priority, maxdepth, intransitive, noconfig, pkg_filter
                   FROM reached JOIN tag_inheritance ON parent_id = reached.id JOIN tag ON tag.id = tag_id
                   WHERE is_live(active, create_event, revoke_event, $2) ORDER BY priority, tag_id"#,
                tag.0,
                at
            )
            .fetch_all(conn)
            .await?
        }
    };
    Ok(rows.into_iter().map(InheritanceLink::from).collect())
}

pub(super) async fn revoke_links(
    conn: &mut PgConnection,
    tag: TagId,
    parents: &[TagId],
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "UPDATE tag_inheritance SET active = NULL, revoke_event = $3, revoker_id = $4
         WHERE tag_id = $1 AND parent_id = ANY($2) AND active",
        tag.0,
        &ids(parents),
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn insert_links(
    conn: &mut PgConnection,
    links: &[InheritanceLink],
    event: EventId,
    by: UserId,
) -> Result<()> {
    let children: Vec<i64> = links.iter().map(|link| link.child_id.0).collect();
    let parents: Vec<i64> = links.iter().map(|link| link.parent_id.0).collect();
    let priorities: Vec<i32> = links.iter().map(|link| link.priority).collect();
    let depths: Vec<Option<i32>> = links.iter().map(|link| link.maxdepth).collect();
    let intransitive: Vec<bool> = links.iter().map(|link| link.intransitive).collect();
    let noconfig: Vec<bool> = links.iter().map(|link| link.noconfig).collect();
    let filters: Vec<String> = links.iter().map(|link| link.pkg_filter.clone()).collect();
    sqlx::query!(
        "INSERT INTO tag_inheritance
             (tag_id, parent_id, priority, maxdepth, intransitive, noconfig, pkg_filter, create_event, creator_id)
         SELECT tag_id, parent_id, priority, maxdepth, intransitive, noconfig, pkg_filter, $8, $9
         FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::int[], $5::bool[], $6::bool[], $7::text[])
             AS link (tag_id, parent_id, priority, maxdepth, intransitive, noconfig, pkg_filter)",
        &children,
        &parents,
        &priorities,
        &depths as &[Option<i32>],
        &intransitive,
        &noconfig,
        &filters,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct ListedRow {
    id: i64,
    name: String,
    arches: Option<String>,
    locked: bool,
    maven_support: bool,
    maven_include_all: bool,
    perm_id: Option<i64>,
    perm: Option<String>,
    blocked: Option<bool>,
    owner_id: Option<i64>,
    owner_name: Option<String>,
    extra_arches: Option<String>,
}

/// What [`list`] looks for.
#[derive(Default)]
pub(super) struct Wanted<'a> {
    pub(super) build: Option<BuildId>,
    pub(super) package: Option<PackageId>,
    pub(super) pattern: Option<&'a str>,
    pub(super) with_perms: bool,
}

pub(super) async fn list(conn: &mut PgConnection, wanted: Wanted<'_>, opts: &QueryOpts) -> Result<Listing<ListedTag>> {
    const COLUMNS: [(&str, &str); 8] = [
        ("id", "tag.id"),
        ("name", "tag.name"),
        ("arches", "c.arches"),
        ("locked", "c.locked"),
        ("maven_support", "c.maven_support"),
        ("maven_include_all", "c.maven_include_all"),
        ("perm_id", "c.perm_id"),
        ("perm", "permissions.name"),
    ];
    let mut sql = QueryBuilder::<Postgres>::new(if opts.count_only { "SELECT count(*) FROM (" } else { "" });
    sql.push("SELECT tag.id, tag.name, c.arches, c.locked, c.maven_support, c.maven_include_all, c.perm_id, ");
    sql.push(if wanted.with_perms { "permissions.name AS perm" } else { "NULL::text AS perm" });
    sql.push(match wanted.package {
        Some(_) => ", p.blocked, owner AS owner_id, users.name AS owner_name, p.extra_arches",
        None => {
            ", NULL::boolean AS blocked, NULL::bigint AS owner_id, NULL::text AS owner_name, NULL::text AS extra_arches"
        }
    });
    sql.push(
        " FROM tag JOIN tag_config c ON c.tag_id = tag.id AND c.active LEFT JOIN permissions ON permissions.id = c.perm_id",
    );
    if let Some(build) = wanted.build {
        sql.push(" JOIN tag_listing l ON l.tag_id = tag.id AND l.active AND l.build_id = ").push_bind(build.0);
    }
    if let Some(package) = wanted.package {
        sql.push(" JOIN tag_packages p ON p.tag_id = tag.id AND p.active AND p.package_id = ").push_bind(package.0);
        sql.push(" JOIN tag_package_owners o ON o.tag_id = tag.id AND o.active AND o.package_id = p.package_id");
        sql.push(" JOIN users ON users.id = o.owner");
    }
    if let Some(pattern) = wanted.pattern {
        sql.push(" WHERE tag.name ILIKE ").push_bind(listing::like(pattern));
    }
    if opts.order.is_none() {
        sql.push(" ORDER BY tag.name");
    }
    sql.push(listing::sql_tail(opts, &COLUMNS)?);
    if opts.count_only {
        sql.push(") AS tags");
        return Ok(Listing::Count(sql.build_query_scalar().fetch_one(conn).await?));
    }
    let rows: Vec<ListedRow> = sql.build_query_as().fetch_all(conn).await?;
    let tags = rows.into_iter().map(|row| ListedTag {
        id: TagId(row.id),
        name: row.name,
        arches: row.arches,
        locked: row.locked,
        maven_support: row.maven_support,
        maven_include_all: row.maven_include_all,
        perm_id: wanted.with_perms.then_some(row.perm_id.map(PermissionId)),
        perm: wanted.with_perms.then_some(row.perm),
        blocked: row.blocked,
        owner_id: row.owner_id.map(UserId),
        owner_name: row.owner_name,
        extra_arches: wanted.package.is_some().then_some(row.extra_arches),
    });
    listing::shape(tags.collect(), Some(opts))
}

/// Whether one of these tags itself has changed since an event.
pub(super) async fn has_changed(conn: &mut PgConnection, tags: &[TagId], since: EventId) -> Result<bool> {
    let has_changed = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM unnest($1::bigint[]) AS id, tag_change WHERE tag_id = id AND event > $2) AS "any!""#,
        &ids(tags),
        since.0
    )
    .fetch_one(conn)
    .await?;
    Ok(has_changed)
}

/// The newest change of these tags themselves or of external repos attached to them, before an event.
pub(super) async fn last_change(
    conn: &mut PgConnection,
    tags: &[TagId],
    before: Option<EventId>,
) -> Result<Option<EventId>> {
    let event = sqlx::query_scalar!(
        r#"WITH own AS (
               SELECT (SELECT max(event) FROM tag_change WHERE tag_id = id AND ($2::bigint IS NULL OR event < $2)) AS event
               FROM unnest($1::bigint[]) AS id),
           attached AS (
               SELECT DISTINCT external_repo_id AS id FROM tag_external_repos
               WHERE tag_id = ANY($1) AND is_live(active, create_event, revoke_event, $2))
           SELECT max(event) FROM (
               SELECT event FROM own
               UNION ALL SELECT create_event FROM external_repo_config WHERE external_repo_id IN (SELECT id FROM attached)
               UNION ALL SELECT revoke_event FROM external_repo_config WHERE external_repo_id IN (SELECT id FROM attached)
               UNION ALL SELECT create_event FROM external_repo_data WHERE external_repo_id IN (SELECT id FROM attached)
               UNION ALL SELECT revoke_event FROM external_repo_data WHERE external_repo_id IN (SELECT id FROM attached)
           ) AS change WHERE $2::bigint IS NULL OR event < $2"#,
        &ids(tags),
        before.map(|event| event.0)
    )
    .fetch_one(conn)
    .await?;
    Ok(event.map(EventId))
}

/// The first change of these tags themselves or of external repos attached to them (at that event), after it.
pub(super) async fn first_change(
    conn: &mut PgConnection,
    tags: &[TagId],
    after: Option<EventId>,
) -> Result<Option<EventId>> {
    let event = sqlx::query_scalar!(
        r#"WITH own AS (
               SELECT (SELECT min(event) FROM tag_change WHERE tag_id = id AND ($2::bigint IS NULL OR event > $2)) AS event
               FROM unnest($1::bigint[]) AS id),
           attached AS (
               SELECT DISTINCT external_repo_id AS id FROM tag_external_repos
               WHERE tag_id = ANY($1) AND is_live(active, create_event, revoke_event, $2))
           SELECT min(event) FROM (
               SELECT event FROM own
               UNION ALL SELECT create_event FROM external_repo_config WHERE external_repo_id IN (SELECT id FROM attached)
               UNION ALL SELECT revoke_event FROM external_repo_config WHERE external_repo_id IN (SELECT id FROM attached)
               UNION ALL SELECT create_event FROM external_repo_data WHERE external_repo_id IN (SELECT id FROM attached)
               UNION ALL SELECT revoke_event FROM external_repo_data WHERE external_repo_id IN (SELECT id FROM attached)
           ) AS change WHERE $2::bigint IS NULL OR event > $2"#,
        &ids(tags),
        after.map(|event| event.0)
    )
    .fetch_one(conn)
    .await?;
    Ok(event.map(EventId))
}

/// The tags that a build is in.
pub(super) async fn of_build(conn: &mut PgConnection, build: BuildId) -> Result<Vec<i64>> {
    let tags = sqlx::query_scalar!("SELECT tag_id FROM tag_listing WHERE build_id = $1 AND active ORDER BY 1", build.0);
    Ok(tags.fetch_all(conn).await?)
}

/// Notes a change that is in no versioned table.
pub(super) async fn note_update(
    conn: &mut PgConnection,
    tags: &[i64],
    update: i16,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO tag_updates (tag_id, update_event, updater_id, update_type)
         SELECT tag_id, $2, $3, $4 FROM unnest($1::bigint[]) AS tag_id",
        tags,
        event.0,
        by.0,
        update
    )
    .execute(conn)
    .await?;
    Ok(())
}
