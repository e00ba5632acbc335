//! Statements about packages and tags' lists of them.

use std::collections::HashSet;

use sqlx::{PgConnection, Postgres, QueryBuilder};
use toji_protocol::{
    id::{EventId, PackageId, Ref, TagId, UserId},
    method::{
        Listing, QueryOpts,
        package::{ListedPackage, NamedPackage, Package},
    },
};

use crate::{Result, listing};

pub(super) async fn find(conn: &mut PgConnection, package: &Ref<PackageId>) -> Result<Option<Package>> {
    let row = sqlx::query!(
        "SELECT id, name FROM package WHERE id = $1 OR name = $2",
        package.id().map(|id| id.0),
        package.name()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Package { id: PackageId(row.id), name: row.name }))
}

pub(super) async fn create(conn: &mut PgConnection, name: &str) -> Result<PackageId> {
    let id = sqlx::query_scalar!(
        "INSERT INTO package (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id",
        name
    )
    .fetch_one(conn)
    .await?;
    Ok(PackageId(id))
}

/// Every package there is.
pub(super) async fn all(
    conn: &mut PgConnection,
    prefix: Option<&str>,
    opts: &QueryOpts,
) -> Result<Listing<NamedPackage>> {
    const COLUMNS: [(&str, &str); 4] = [("package_id", "id"), ("id", "id"), ("package_name", "name"), ("name", "name")];
    let mut sql = QueryBuilder::<Postgres>::new(if opts.count_only { "SELECT count(*) FROM (" } else { "" });
    sql.push("SELECT id, name FROM package");
    if let Some(prefix) = prefix {
        sql.push(" WHERE name ILIKE ").push_bind(listing::starts_with(prefix));
    }
    if opts.order.is_none() {
        sql.push(" ORDER BY name");
    }
    sql.push(listing::sql_tail(opts, &COLUMNS)?);
    if opts.count_only {
        sql.push(") AS packages");
        return Ok(Listing::Count(sql.build_query_scalar().fetch_one(conn).await?));
    }
    let rows: Vec<(i64, String)> = sql.build_query_as().fetch_all(conn).await?;
    let packages = rows.into_iter().map(|(id, name)| NamedPackage { package_id: PackageId(id), package_name: name });
    listing::shape(packages.collect(), Some(opts))
}

/// What [`entries`] looks for.
#[derive(Default)]
pub(super) struct Wanted<'a> {
    /// In these tags; None = in all.
    pub(super) tags: Option<&'a [TagId]>,
    pub(super) package: Option<PackageId>,
    pub(super) prefix: Option<&'a str>,
    /// Leave out entries that nobody owns.
    pub(super) with_owners: bool,
    pub(super) at: Option<EventId>,
}

/// The tags' own entries, each with its tag, by name.
pub(super) async fn entries(conn: &mut PgConnection, wanted: &Wanted<'_>) -> Result<Vec<ListedPackage>> {
    let tags: Option<Vec<i64>> = wanted.tags.map(|tags| tags.iter().map(|tag| tag.0).collect());
    let rows = sqlx::query!(
        r#"SELECT p.package_id, package.name AS package_name, p.tag_id, tag.name AS tag_name, p.blocked, p.extra_arches,
               owner AS "owner?", users.name AS "owner_name?"
           FROM tag_packages p JOIN package ON package.id = p.package_id JOIN tag ON tag.id = p.tag_id
               LEFT JOIN tag_package_owners o ON o.package_id = p.package_id AND o.tag_id = p.tag_id
                   AND is_live(o.active, o.create_event, o.revoke_event, $2)
               LEFT JOIN users ON users.id = owner
           WHERE ($1::bigint[] IS NULL OR p.tag_id = ANY($1)) AND is_live(p.active, p.create_event, p.revoke_event, $2)
               AND ($3::bigint IS NULL OR p.package_id = $3) AND ($4::text IS NULL OR package.name ILIKE $4)
               AND (owner IS NOT NULL OR NOT $5)
           ORDER BY package.name, p.tag_id"#,
        tags.as_deref(),
        wanted.at.map(|at| at.0),
        wanted.package.map(|id| id.0),
        wanted.prefix.map(listing::starts_with),
        wanted.with_owners
    )
    .fetch_all(conn)
    .await?;
    let entries = rows.into_iter().map(|row| ListedPackage {
        blocked: row.blocked,
        extra_arches: row.extra_arches,
        owner_id: row.owner.map(UserId),
        owner_name: row.owner_name,
        package_id: PackageId(row.package_id),
        package_name: row.package_name,
        tag_id: Some(TagId(row.tag_id)),
        tag_name: Some(row.tag_name),
    });
    Ok(entries.collect())
}

pub(super) async fn revoke(
    conn: &mut PgConnection,
    tag: TagId,
    package: PackageId,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "UPDATE tag_packages SET active = NULL, revoke_event = $3, revoker_id = $4
         WHERE tag_id = $1 AND package_id = $2 AND active",
        tag.0,
        package.0,
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
    package: PackageId,
    (blocked, extra_arches): (bool, Option<&str>),
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO tag_packages (tag_id, package_id, blocked, extra_arches, create_event, creator_id)
         VALUES ($1, $2, $3, $4, $5, $6)",
        tag.0,
        package.0,
        blocked,
        extra_arches,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn revoke_owner(
    conn: &mut PgConnection,
    tag: TagId,
    package: PackageId,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "UPDATE tag_package_owners SET active = NULL, revoke_event = $3, revoker_id = $4
         WHERE tag_id = $1 AND package_id = $2 AND active",
        tag.0,
        package.0,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn insert_owner(
    conn: &mut PgConnection,
    tag: TagId,
    package: PackageId,
    owner: UserId,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO tag_package_owners (tag_id, package_id, owner, create_event, creator_id) VALUES ($1, $2, $3, $4, $5)",
        tag.0,
        package.0,
        owner.0,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Revokes a tag's own entries of these packages, and inserts these instead, with their owners.
pub(super) async fn set_all(
    conn: &mut PgConnection,
    tag: TagId,
    entries: &[ListedPackage],
    event: EventId,
    by: UserId,
) -> Result<()> {
    let packages: Vec<i64> = entries.iter().map(|entry| entry.package_id.0).collect();
    let blocked: Vec<bool> = entries.iter().map(|entry| entry.blocked).collect();
    let arches: Vec<Option<String>> = entries.iter().map(|entry| entry.extra_arches.clone()).collect();
    let owners: Vec<i64> = entries.iter().map(|entry| entry.owner_id.unwrap_or(by).0).collect();
    sqlx::query!(
        "UPDATE tag_packages SET active = NULL, revoke_event = $3, revoker_id = $4
         WHERE tag_id = $1 AND package_id = ANY($2) AND active",
        tag.0,
        &packages,
        event.0,
        by.0
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "INSERT INTO tag_packages (tag_id, package_id, blocked, extra_arches, create_event, creator_id)
         SELECT $1, package, blocked, extra_arches, $5, $6
         FROM unnest($2::bigint[], $3::bool[], $4::text[]) AS entry (package, blocked, extra_arches)",
        tag.0,
        &packages,
        &blocked,
        &arches as &[Option<String>],
        event.0,
        by.0
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "UPDATE tag_package_owners SET active = NULL, revoke_event = $3, revoker_id = $4
         WHERE tag_id = $1 AND package_id = ANY($2) AND active",
        tag.0,
        &packages,
        event.0,
        by.0
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "INSERT INTO tag_package_owners (tag_id, package_id, owner, create_event, creator_id)
         SELECT $1, package, owner, $4, $5 FROM unnest($2::bigint[], $3::bigint[]) AS entry (package, owner)",
        tag.0,
        &packages,
        &owners,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a tag's list says of a package.
pub(super) struct Entry {
    pub(super) tag: TagId,
    pub(super) package: PackageId,
    pub(super) name: String,
    pub(super) blocked: bool,
}

/// What some tags' lists say of some packages, found by the packages: a list may be long, and few of it asked for.
pub(super) async fn entries_of(
    conn: &mut PgConnection,
    tags: &[TagId],
    packages: &HashSet<PackageId>,
    at: Option<EventId>,
) -> Result<Vec<Entry>> {
    let tags: Vec<i64> = tags.iter().map(|tag| tag.0).collect();
    let packages: Vec<i64> = packages.iter().map(|package| package.0).collect();
    let entry = |tag, package, name, blocked| Entry { tag: TagId(tag), package: PackageId(package), name, blocked };
    let entries = match at {
        None => {
            let rows = sqlx::query!(
                "SELECT p.tag_id, p.package_id, package.name, p.blocked
                 FROM tag_packages p JOIN package ON package.id = p.package_id
                 WHERE p.package_id = ANY($1) AND p.tag_id = ANY($2) AND p.active",
                &packages,
                &tags
            );
            let rows = rows.fetch_all(conn).await?.into_iter();
            rows.map(|row| entry(row.tag_id, row.package_id, row.name, row.blocked)).collect()
        }
        Some(at) => {
            let rows = sqlx::query!(
                "SELECT p.tag_id, p.package_id, package.name, p.blocked
                 FROM tag_packages p JOIN package ON package.id = p.package_id
                 WHERE p.package_id = ANY($1) AND p.tag_id = ANY($2)
                     AND p.create_event <= $3 AND (p.revoke_event IS NULL OR p.revoke_event > $3)",
                &packages,
                &tags,
                at.0
            );
            let rows = rows.fetch_all(conn).await?.into_iter();
            rows.map(|row| entry(row.tag_id, row.package_id, row.name, row.blocked)).collect()
        }
    };
    Ok(entries)
}
