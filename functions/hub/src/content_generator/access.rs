//! Who may act for which content generator.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use toji_protocol::{
    id::{ContentGeneratorId, Ref, UserId},
    method::content_generator::{ContentGenerator, GrantCgAccess, ListCgs, RevokeCgAccess},
};

use crate::{
    Error, Result,
    call::{Cx, Handle},
    error::FaultCode,
    name, user,
};

/// A content generator's id and name.
///
/// # Errors
/// When the database is away.
pub(crate) async fn find(
    conn: &mut PgConnection,
    cg: &Ref<ContentGeneratorId>,
) -> Result<Option<(ContentGeneratorId, String)>> {
    let row = sqlx::query!(
        "SELECT id, name FROM content_generator WHERE id = $1 OR name = $2",
        cg.id().map(|id| id.0),
        cg.name()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (ContentGeneratorId(row.id), row.name)))
}

/// The same; a fault when there is none.
pub(crate) async fn require(
    conn: &mut PgConnection,
    cg: &Ref<ContentGeneratorId>,
) -> Result<(ContentGeneratorId, String)> {
    let found = find(conn, cg).await?;
    found.ok_or_else(|| Error::missing(format!("No such entry in table content_generator: {cg}")))
}

/// The content generator, if the caller may act for it.
///
/// # Errors
/// When there is none, or the caller may not.
pub(crate) async fn assert_access(cx: &mut Cx, cg: &Ref<ContentGeneratorId>) -> Result<ContentGeneratorId> {
    let user = cx.caller.user()?.id;
    let conn = cx.db().await?;
    let (id, name) = require(conn, cg).await?;
    if has_access(conn, id, user).await? {
        return Ok(id);
    }
    // Koji's code for this one, although the caller is known
    Err(Error::Unauthenticated(FaultCode::Auth, format!("Content generator access required ({name})")))
}

async fn has_access(conn: &mut PgConnection, cg: ContentGeneratorId, user: UserId) -> Result<bool> {
    let has = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM cg_users WHERE cg_id = $1 AND user_id = $2 AND active) AS "has!""#,
        cg.0,
        user.0
    )
    .fetch_one(conn)
    .await?;
    Ok(has)
}

/// Keeps others from changing who may act for it, until the transaction ends.
async fn lock(conn: &mut PgConnection, cg: ContentGeneratorId) -> Result<()> {
    sqlx::query!("SELECT id FROM content_generator WHERE id = $1 FOR NO KEY UPDATE", cg.0).fetch_one(conn).await?;
    Ok(())
}

impl Handle for ListCgs {
    async fn handle(self, cx: &mut Cx) -> Result<BTreeMap<String, ContentGenerator>> {
        let rows = sqlx::query!(
            r#"SELECT content_generator.id, content_generator.name, array_agg(users.name ORDER BY users.name) AS "users!"
               FROM cg_users JOIN content_generator ON content_generator.id = cg_id JOIN users ON users.id = user_id
               WHERE active GROUP BY content_generator.id"#
        )
        .fetch_all(cx.db().await?)
        .await?;
        let shown = |id, users| ContentGenerator { id: ContentGeneratorId(id), users };
        Ok(rows.into_iter().map(|row| (row.name, shown(row.id, row.users))).collect())
    }
}

impl Handle for GrantCgAccess {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let user = user::require(conn, &self.user).await?.id;
        let (cg, cg_name) = match find(conn, &self.cg).await? {
            Some(found) => found,
            None if self.create => create(conn, &self.cg).await?,
            None => require(conn, &self.cg).await?,
        };
        lock(conn, cg).await?;
        if has_access(conn, cg, user).await? {
            return Err(Error::invalid(format!("User already has access to content generator {cg_name}")));
        }
        let event = cx.event().await?;
        sqlx::query!(
            "INSERT INTO cg_users (cg_id, user_id, create_event, creator_id) VALUES ($1, $2, $3, $4)",
            cg.0,
            user.0,
            event.0,
            by.0
        )
        .execute(cx.db().await?)
        .await?;
        Ok(())
    }
}

async fn create(conn: &mut PgConnection, cg: &Ref<ContentGeneratorId>) -> Result<(ContentGeneratorId, String)> {
    let new = cg.name().ok_or_else(|| Error::invalid("Name must be a string"))?;
    name::check("content generator", new)?;
    // somebody else may just have made it
    let row = sqlx::query!(
        "INSERT INTO content_generator (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name
         RETURNING id, name",
        new
    )
    .fetch_one(conn)
    .await?;
    Ok((ContentGeneratorId(row.id), row.name))
}

impl Handle for RevokeCgAccess {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let user = user::require(conn, &self.user).await?.id;
        let (cg, _) = require(conn, &self.cg).await?;
        lock(conn, cg).await?;
        // Koji does not mind when there is nothing to revoke
        if !has_access(conn, cg, user).await? {
            return Ok(());
        }
        let event = cx.event().await?;
        sqlx::query!(
            "UPDATE cg_users SET active = NULL, revoke_event = $3, revoker_id = $4 WHERE cg_id = $1 AND user_id = $2 AND active",
            cg.0,
            user.0,
            event.0,
            by.0
        )
        .execute(cx.db().await?)
        .await?;
        Ok(())
    }
}
