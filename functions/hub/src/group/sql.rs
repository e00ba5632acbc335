//! Statements about groups.

use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, GroupId, Ref, TagId, UserId},
    method::group::{GroupPackage, GroupReq, TagGroup},
};

use crate::Result;

/// Entries of a tag's own, to be written or revoked together.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) groups: Vec<TagGroup>,
    pub(super) packages: Vec<GroupPackage>,
    pub(super) reqs: Vec<GroupReq>,
}

pub(super) async fn find(conn: &mut PgConnection, group: &Ref<GroupId>) -> Result<Option<(GroupId, String)>> {
    let row =
        sqlx::query!("SELECT id, name FROM groups WHERE id = $1 OR name = $2", group.id().map(|id| id.0), group.name())
            .fetch_optional(conn)
            .await?;
    Ok(row.map(|row| (GroupId(row.id), row.name)))
}

pub(super) async fn create(conn: &mut PgConnection, name: &str) -> Result<GroupId> {
    let id = sqlx::query_scalar!(
        "INSERT INTO groups (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id",
        name
    )
    .fetch_one(conn)
    .await?;
    Ok(GroupId(id))
}

fn ids(tags: &[TagId]) -> Vec<i64> {
    tags.iter().map(|tag| tag.0).collect()
}

/// The tags' own groups, by name.
pub(super) async fn groups(conn: &mut PgConnection, tags: &[TagId], at: Option<EventId>) -> Result<Vec<TagGroup>> {
    let rows = sqlx::query!(
        "SELECT group_id, name, tag_id, blocked, exported, display_name, is_default, uservisible, description, langonly,
             biarchonly
         FROM group_config JOIN groups ON groups.id = group_id
         WHERE tag_id = ANY($1) AND is_live(active, create_event, revoke_event, $2) ORDER BY name",
        &ids(tags),
        at.map(|at| at.0)
    )
    .fetch_all(conn)
    .await?;
    let groups = rows.into_iter().map(|row| TagGroup {
        biarchonly: row.biarchonly,
        blocked: row.blocked,
        description: row.description,
        display_name: row.display_name,
        exported: row.exported,
        group_id: GroupId(row.group_id),
        is_default: row.is_default,
        langonly: row.langonly,
        name: row.name,
        tag_id: TagId(row.tag_id),
        uservisible: row.uservisible,
        packagelist: None,
        grouplist: None,
    });
    Ok(groups.collect())
}

pub(super) async fn packages(
    conn: &mut PgConnection,
    tags: &[TagId],
    at: Option<EventId>,
) -> Result<Vec<GroupPackage>> {
    let rows = sqlx::query!(
        r#"SELECT group_id, tag_id, package, blocked, type AS kind, basearchonly, requires FROM group_package_listing
           WHERE tag_id = ANY($1) AND is_live(active, create_event, revoke_event, $2) ORDER BY package"#,
        &ids(tags),
        at.map(|at| at.0)
    )
    .fetch_all(conn)
    .await?;
    let packages = rows.into_iter().map(|row| GroupPackage {
        basearchonly: row.basearchonly,
        blocked: row.blocked,
        group_id: GroupId(row.group_id),
        package: row.package,
        requires: row.requires,
        tag_id: TagId(row.tag_id),
        kind: row.kind,
    });
    Ok(packages.collect())
}

pub(super) async fn reqs(conn: &mut PgConnection, tags: &[TagId], at: Option<EventId>) -> Result<Vec<GroupReq>> {
    let rows = sqlx::query!(
        r#"SELECT group_id, tag_id, req_id, name, blocked, type AS kind, is_metapkg
           FROM group_req_listing JOIN groups ON groups.id = req_id
           WHERE tag_id = ANY($1) AND is_live(active, create_event, revoke_event, $2) ORDER BY name"#,
        &ids(tags),
        at.map(|at| at.0)
    )
    .fetch_all(conn)
    .await?;
    let reqs = rows.into_iter().map(|row| GroupReq {
        blocked: row.blocked,
        group_id: GroupId(row.group_id),
        is_metapkg: row.is_metapkg,
        req_id: GroupId(row.req_id),
        name: row.name,
        tag_id: TagId(row.tag_id),
        kind: row.kind,
    });
    Ok(reqs.collect())
}

/// Revokes a tag's own entry of a group.
pub(super) async fn revoke_group(
    conn: &mut PgConnection,
    tag: TagId,
    group: GroupId,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "UPDATE group_config SET active = NULL, revoke_event = $3, revoker_id = $4
         WHERE tag_id = $1 AND group_id = $2 AND active",
        tag.0,
        group.0,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn insert_group(conn: &mut PgConnection, group: &TagGroup, event: EventId, by: UserId) -> Result<()> {
    sqlx::query!(
        "INSERT INTO group_config (group_id, tag_id, blocked, exported, display_name, is_default, uservisible, description,
             langonly, biarchonly, create_event, creator_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        group.group_id.0,
        group.tag_id.0,
        group.blocked,
        group.exported,
        group.display_name,
        group.is_default,
        group.uservisible,
        group.description,
        group.langonly,
        group.biarchonly,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Revokes a tag's own entry of a group's package.
pub(super) async fn revoke_package(
    conn: &mut PgConnection,
    tag: TagId,
    (group, package): (GroupId, &str),
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "UPDATE group_package_listing SET active = NULL, revoke_event = $4, revoker_id = $5
         WHERE tag_id = $1 AND group_id = $2 AND package = $3 AND active",
        tag.0,
        group.0,
        package,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn insert_package(
    conn: &mut PgConnection,
    entry: &GroupPackage,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO group_package_listing (group_id, tag_id, package, blocked, type, basearchonly, requires, create_event,
             creator_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        entry.group_id.0,
        entry.tag_id.0,
        entry.package,
        entry.blocked,
        entry.kind,
        entry.basearchonly,
        entry.requires,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Revokes a tag's own entry of a group that a group needs.
pub(super) async fn revoke_req(
    conn: &mut PgConnection,
    tag: TagId,
    (group, req): (GroupId, GroupId),
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "UPDATE group_req_listing SET active = NULL, revoke_event = $4, revoker_id = $5
         WHERE tag_id = $1 AND group_id = $2 AND req_id = $3 AND active",
        tag.0,
        group.0,
        req.0,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn insert_req(conn: &mut PgConnection, entry: &GroupReq, event: EventId, by: UserId) -> Result<()> {
    sqlx::query!(
        "INSERT INTO group_req_listing (group_id, tag_id, req_id, blocked, type, is_metapkg, create_event, creator_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        entry.group_id.0,
        entry.tag_id.0,
        entry.req_id.0,
        entry.blocked,
        entry.kind,
        entry.is_metapkg,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Revokes a tag's own entries: of groups, of their packages, and of groups that they need. One statement a table.
pub(super) async fn revoke_all(
    conn: &mut PgConnection,
    tag: TagId,
    gone: &Entries,
    event: EventId,
    by: UserId,
) -> Result<()> {
    let groups: Vec<i64> = gone.groups.iter().map(|group| group.group_id.0).collect();
    sqlx::query!(
        "UPDATE group_config SET active = NULL, revoke_event = $3, revoker_id = $4
         WHERE tag_id = $1 AND group_id = ANY($2) AND active",
        tag.0,
        &groups,
        event.0,
        by.0
    )
    .execute(&mut *conn)
    .await?;
    let (groups, names): (Vec<i64>, Vec<String>) =
        gone.packages.iter().map(|entry| (entry.group_id.0, entry.package.clone())).unzip();
    sqlx::query!(
        "UPDATE group_package_listing SET active = NULL, revoke_event = $4, revoker_id = $5
         FROM unnest($2::bigint[], $3::text[]) AS gone (in_group, name)
         WHERE tag_id = $1 AND group_id = in_group AND package = name AND active",
        tag.0,
        &groups,
        &names,
        event.0,
        by.0
    )
    .execute(&mut *conn)
    .await?;
    let (groups, reqs): (Vec<i64>, Vec<i64>) = gone.reqs.iter().map(|entry| (entry.group_id.0, entry.req_id.0)).unzip();
    sqlx::query!(
        "UPDATE group_req_listing SET active = NULL, revoke_event = $4, revoker_id = $5
         FROM unnest($2::bigint[], $3::bigint[]) AS gone (in_group, req)
         WHERE tag_id = $1 AND group_id = in_group AND req_id = req AND active",
        tag.0,
        &groups,
        &reqs,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Inserts entries as a tag's own. One statement a table.
pub(super) async fn insert_all(
    conn: &mut PgConnection,
    tag: TagId,
    new: &Entries,
    event: EventId,
    by: UserId,
) -> Result<()> {
    // unnest takes a column each; JSON carries them all
    let json = |entries: serde_json::Result<serde_json::Value>| entries.map_err(crate::Error::internal);
    sqlx::query!(
        "INSERT INTO group_config (tag_id, group_id, blocked, exported, display_name, is_default, uservisible, description,
             langonly, biarchonly, create_event, creator_id)
         SELECT $1, group_id, blocked, exported, display_name, is_default, uservisible, description, langonly, biarchonly, $3, $4
         FROM jsonb_to_recordset($2) AS entry (group_id bigint, blocked boolean, exported boolean, display_name text,
             is_default boolean, uservisible boolean, description text, langonly text, biarchonly boolean)",
        tag.0,
        json(serde_json::to_value(&new.groups))?,
        event.0,
        by.0
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"INSERT INTO group_package_listing (tag_id, group_id, package, blocked, type, basearchonly, requires, create_event,
             creator_id)
         SELECT $1, group_id, package, blocked, "type", basearchonly, requires, $3, $4
         FROM jsonb_to_recordset($2) AS entry (group_id bigint, package text, blocked boolean, "type" text,
             basearchonly boolean, requires text)"#,
        tag.0,
        json(serde_json::to_value(&new.packages))?,
        event.0,
        by.0
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"INSERT INTO group_req_listing (tag_id, group_id, req_id, blocked, type, is_metapkg, create_event, creator_id)
         SELECT $1, group_id, req_id, blocked, "type", is_metapkg, $3, $4
         FROM jsonb_to_recordset($2) AS entry (group_id bigint, req_id bigint, blocked boolean, "type" text,
             is_metapkg boolean)"#,
        tag.0,
        json(serde_json::to_value(&new.reqs))?,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}
