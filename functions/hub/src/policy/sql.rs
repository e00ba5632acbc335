//! Statements about policies, and about what their tests look at.

use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildId, EventId, Ref, TagId, UserId},
    method::policy::PolicyVersion,
    time::Time,
    value::Value,
};

use super::facts::{BuildTag, SomeTag};
use crate::Result;

/// A policy that is stored and in force.
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) rules: String,
}

/// Every stored policy that is in force.
pub(super) async fn in_force(conn: &mut PgConnection) -> Result<Vec<Stored>> {
    let rows = sqlx::query_as!(Stored, "SELECT id, name, rules FROM policy WHERE active ORDER BY id");
    Ok(rows.fetch_all(conn).await?)
}

/// Takes a policy out of force. Answers whether there was one.
pub(super) async fn revoke(conn: &mut PgConnection, name: &str, event: EventId, by: UserId) -> Result<bool> {
    let revoked = sqlx::query!(
        "UPDATE policy SET active = NULL, revoke_event = $2, revoker_id = $3 WHERE name = $1 AND active",
        name,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(revoked.rows_affected() == 1)
}

pub(super) async fn insert(conn: &mut PgConnection, name: &str, rules: &str, event: EventId, by: UserId) -> Result<()> {
    sqlx::query!(
        "INSERT INTO policy (name, rules, create_event, creator_id) VALUES ($1, $2, $3, $4)",
        name,
        rules,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Every version of a policy, or of all, newest first.
pub(super) async fn history(conn: &mut PgConnection, name: Option<&str>) -> Result<Vec<PolicyVersion>> {
    let rows = sqlx::query!(
        r#"SELECT policy.name, rules, create_event, made.time AS create_time, creator.name AS creator_name,
               revoke_event, ended.time AS "revoke_time?", revoker.name AS "revoker_name?"
           FROM policy JOIN events made ON made.id = create_event JOIN users creator ON creator.id = creator_id
               LEFT JOIN events ended ON ended.id = revoke_event LEFT JOIN users revoker ON revoker.id = revoker_id
           WHERE $1::text IS NULL OR policy.name = $1 ORDER BY policy.id DESC"#,
        name
    )
    .fetch_all(conn)
    .await?;
    let versions = rows.into_iter().map(|row| PolicyVersion {
        name: row.name,
        rules: row.rules,
        create_event: EventId(row.create_event),
        create_time: Time(row.create_time),
        create_ts: Time(row.create_time).ts(),
        creator_name: row.creator_name,
        revoke_event: row.revoke_event.map(EventId),
        revoke_time: row.revoke_time.map(Time),
        revoke_ts: row.revoke_time.map(|time| Time(time).ts()),
        revoker_name: row.revoker_name,
    });
    Ok(versions.collect())
}

/// The groups that a user is in.
pub(super) async fn groups(conn: &mut PgConnection, user: UserId) -> Result<Vec<(UserId, String)>> {
    let rows = sqlx::query!(
        "SELECT users.id, name FROM user_groups JOIN users ON users.id = group_id WHERE user_id = $1 AND active ORDER BY name",
        user.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (UserId(row.id), row.name)).collect())
}

/// The buildroots of a build's RPMs, each once; None among them when one has none.
pub(super) async fn buildroots(conn: &mut PgConnection, build: BuildId) -> Result<Vec<Option<i64>>> {
    let rows = sqlx::query_scalar!("SELECT DISTINCT buildroot_id FROM rpminfo WHERE build_id = $1", build.0);
    Ok(rows.fetch_all(conn).await?)
}

pub(super) async fn tags_of_build(conn: &mut PgConnection, build: BuildId) -> Result<Vec<String>> {
    let rows = sqlx::query_scalar!(
        "SELECT name FROM tag_listing JOIN tag ON tag.id = tag_id WHERE build_id = $1 AND active ORDER BY name",
        build.0
    );
    Ok(rows.fetch_all(conn).await?)
}

/// A tag that is there now, and whose side tag it is.
pub(super) async fn tag(conn: &mut PgConnection, tag: &Ref<TagId>) -> Result<Option<SomeTag>> {
    let row = sqlx::query!(
        r#"SELECT name, flag.value AS "flag?", owner.value AS "owner?"
           FROM tag JOIN tag_config c ON c.tag_id = tag.id AND c.active
               LEFT JOIN tag_extra flag ON flag.tag_id = tag.id AND flag.active AND flag.key = 'sidetag'
               LEFT JOIN tag_extra owner ON owner.tag_id = tag.id AND owner.active AND owner.key = 'sidetag_user_id'
           WHERE tag.id = $1 OR name = $2"#,
        tag.id().map(|id| id.0),
        tag.name()
    )
    .fetch_optional(conn)
    .await?;
    let json = |text: Option<String>| text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    Ok(row.map(|row| SomeTag {
        name: row.name,
        is_sidetag: json(row.flag).is_some_and(|flag| flag.is_truthy()),
        owner: json(row.owner).and_then(|owner| owner.as_int()),
    }))
}

/// Tags with the last event at which they were there; None = now.
pub(super) async fn tags_as_they_were(conn: &mut PgConnection, tags: &[Ref<TagId>]) -> Result<Vec<BuildTag>> {
    let ids: Vec<i64> = tags.iter().filter_map(Ref::id).map(|id| id.0).collect();
    let names: Vec<String> = tags.iter().filter_map(Ref::name).map(str::to_owned).collect();
    let rows = sqlx::query!(
        r#"SELECT tag.id, name, CASE WHEN bool_or(active IS TRUE) THEN NULL ELSE max(revoke_event) - 1 END AS at
           FROM tag JOIN tag_config ON tag_id = tag.id WHERE tag.id = ANY($1) OR name = ANY($2)
           GROUP BY tag.id, name ORDER BY tag.id"#,
        &ids,
        &names
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| BuildTag { id: TagId(row.id), name: row.name, at: row.at.map(EventId) }).collect())
}

/// The tags of these buildroots' repos, each as it was when the repo was made.
pub(super) async fn tags_of_buildroots(conn: &mut PgConnection, buildroots: &[i64]) -> Result<Vec<BuildTag>> {
    let rows = sqlx::query!(
        r#"SELECT tag.id, name, max(repo.create_event) AS "at!"
           FROM buildroot JOIN repo ON repo.id = repo_id JOIN tag ON tag.id = repo.tag_id
           WHERE buildroot.id = ANY($1) GROUP BY tag.id, name ORDER BY tag.id"#,
        buildroots
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| BuildTag { id: TagId(row.id), name: row.name, at: Some(EventId(row.at)) }).collect())
}
