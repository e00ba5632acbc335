//! Statements about side tags.

use sqlx::PgConnection;
use toji_protocol::{
    id::{TagId, UserId},
    method::sidetag::SideTag,
};

use crate::Result;

/// Keeps a user from making another side tag until the commit, and counts those that are there.
pub(super) async fn count_locked(conn: &mut PgConnection, user: UserId) -> Result<i64> {
    sqlx::query!("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE", user.0).fetch_optional(&mut *conn).await?;
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM tag_extra WHERE key = 'sidetag_user_id' AND value = $1 AND active"#,
        user.to_string()
    );
    Ok(count.fetch_one(conn).await?)
}

/// The id of a tag that is yet to be made.
pub(super) async fn next_id(conn: &mut PgConnection) -> Result<TagId> {
    let id = sqlx::query_scalar!(r#"SELECT nextval(pg_get_serial_sequence('tag', 'id')) AS "id!""#);
    Ok(TagId(id.fetch_one(conn).await?))
}

/// Gives that id a name, unless a tag has or had the name.
pub(super) async fn reserve(conn: &mut PgConnection, id: TagId, name: &str) -> Result<()> {
    sqlx::query!(
        "INSERT INTO tag (id, name) OVERRIDING SYSTEM VALUE VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        id.0,
        name
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The side tags of a user, or of all, that inherit from a tag, or from any. By id.
pub(super) async fn list(conn: &mut PgConnection, base: Option<TagId>, user: Option<UserId>) -> Result<Vec<SideTag>> {
    let rows = sqlx::query!(
        r#"SELECT tag.id, tag.name, owner.value AS "user_id!", users.name AS "user_name?"
           FROM tag JOIN tag_extra flag ON flag.tag_id = tag.id AND flag.active AND flag.key = 'sidetag' AND flag.value = 'true'
               JOIN tag_extra owner ON owner.tag_id = tag.id AND owner.active AND owner.key = 'sidetag_user_id'
                   AND owner.value IS NOT NULL
               LEFT JOIN users ON users.id::text = owner.value
           WHERE ($1::bigint IS NULL
                   OR EXISTS (SELECT FROM tag_inheritance WHERE tag_id = tag.id AND parent_id = $1 AND active))
               AND ($2::text IS NULL OR owner.value = $2)
           ORDER BY tag.id"#,
        base.map(|tag| tag.0),
        user.map(|user| user.to_string())
    )
    .fetch_all(conn)
    .await?;
    let tags = rows.into_iter().map(|row| SideTag {
        id: TagId(row.id),
        name: row.name,
        user_id: row.user_id,
        user_name: row.user_name,
    });
    Ok(tags.collect())
}

/// Whether a tag has a build.
pub(super) async fn has_builds(conn: &mut PgConnection, tag: TagId) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM tag_listing WHERE tag_id = $1 AND active) AS "found!""#,
        tag.0
    );
    Ok(found.fetch_one(conn).await?)
}
