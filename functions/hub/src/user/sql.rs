//! Statements about users, permissions and tokens.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, PermissionId, Ref, UserId},
    method::user::{Member, Permission, TokenInfo, User, UserGroup},
    state::UserType,
    time::Time,
};

use crate::{Result, listing};

struct UserRow {
    id: i64,
    name: String,
    status: i16,
    usertype: i16,
    principals: Vec<String>,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: UserId(row.id),
            name: row.name,
            status: row.status.into(),
            usertype: UserType::from_number(row.usertype.into()).unwrap_or(UserType::Normal),
            krb_principals: Some(row.principals),
            groups: None,
        }
    }
}

/// By id, or else by name or principal.
pub(super) async fn find(conn: &mut PgConnection, user: &Ref<UserId>) -> Result<Option<User>> {
    let row = sqlx::query_as!(
        UserRow,
        r#"SELECT id, name, status, usertype,
               ARRAY(SELECT krb_principal FROM user_krb_principals WHERE user_id = users.id ORDER BY 1) AS "principals!"
           FROM users
           WHERE id = $1 OR name = $2 OR id = (SELECT user_id FROM user_krb_principals WHERE krb_principal = $2)
           ORDER BY name = $2 DESC LIMIT 1"#,
        user.id().map(|id| id.0),
        user.name()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(User::from))
}

pub(super) async fn find_by_principal(conn: &mut PgConnection, principal: &str) -> Result<Option<User>> {
    let row = sqlx::query_as!(
        UserRow,
        r#"SELECT id, name, status, usertype,
               ARRAY(SELECT krb_principal FROM user_krb_principals WHERE user_id = users.id ORDER BY 1) AS "principals!"
           FROM users WHERE id = (SELECT user_id FROM user_krb_principals WHERE krb_principal = $1)"#,
        principal
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(User::from))
}

pub(super) async fn groups(conn: &mut PgConnection, user: UserId) -> Result<Vec<UserGroup>> {
    let rows = sqlx::query!(
        "SELECT id, name FROM user_groups JOIN users ON users.id = group_id WHERE user_id = $1 AND active ORDER BY name",
        user.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| UserGroup { id: UserId(row.id), name: row.name }).collect())
}

pub(super) async fn members(conn: &mut PgConnection, group: UserId) -> Result<Vec<Member>> {
    let rows = sqlx::query!(
        r#"SELECT id, name, usertype,
               ARRAY(SELECT krb_principal FROM user_krb_principals WHERE user_id = users.id ORDER BY 1) AS "principals!"
           FROM users WHERE id IN (SELECT user_id FROM user_groups WHERE group_id = $1 AND active) ORDER BY name"#,
        group.0
    )
    .fetch_all(conn)
    .await?;
    let members = rows.into_iter().map(|row| Member {
        id: UserId(row.id),
        name: row.name,
        usertype: UserType::from_number(row.usertype.into()).unwrap_or(UserType::Normal),
        krb_principals: row.principals,
    });
    Ok(members.collect())
}

pub(super) async fn is_member(conn: &mut PgConnection, user: UserId, group: UserId) -> Result<bool> {
    let is_member = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM user_groups WHERE user_id = $1 AND group_id = $2 AND active) AS "is_member!""#,
        user.0,
        group.0
    )
    .fetch_one(conn)
    .await?;
    Ok(is_member)
}

pub(super) async fn join_group(
    conn: &mut PgConnection,
    user: UserId,
    group: UserId,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO user_groups (user_id, group_id, create_event, creator_id) VALUES ($1, $2, $3, $4)",
        user.0,
        group.0,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn leave_group(
    conn: &mut PgConnection,
    user: UserId,
    group: UserId,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "UPDATE user_groups SET active = NULL, revoke_event = $3, revoker_id = $4
         WHERE user_id = $1 AND group_id = $2 AND active",
        user.0,
        group.0,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What [`list`] looks for.
pub(super) struct Wanted<'a> {
    pub(super) usertypes: Option<Vec<UserType>>,
    pub(super) prefix: Option<&'a str>,
    pub(super) perm: Option<&'a str>,
    pub(super) through_groups: bool,
}

pub(super) async fn list(conn: &mut PgConnection, wanted: Wanted<'_>) -> Result<Vec<User>> {
    let usertypes: Option<Vec<i16>> = wanted.usertypes.map(|types| types.into_iter().map(UserType::number).collect());
    let rows = sqlx::query_as!(
        UserRow,
        r#"WITH holders AS (SELECT user_id FROM user_perms JOIN permissions ON permissions.id = perm_id
                           WHERE active AND permissions.name = $3)
           SELECT id, name, status, usertype,
               ARRAY(SELECT krb_principal FROM user_krb_principals WHERE user_id = users.id ORDER BY 1) AS "principals!"
           FROM users
           WHERE ($1::smallint[] IS NULL OR usertype = ANY($1)) AND ($2::text IS NULL OR name ILIKE $2)
               AND ($3::text IS NULL OR id IN (SELECT user_id FROM holders)
                   OR $4 AND id IN (SELECT user_id FROM user_groups WHERE active AND group_id IN (SELECT user_id FROM holders)))
           ORDER BY name"#,
        usertypes.as_deref(),
        wanted.prefix.map(listing::starts_with),
        wanted.perm,
        wanted.through_groups
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(User::from).collect())
}

/// Makes a user; None when the name is taken.
pub(super) async fn create(
    conn: &mut PgConnection,
    name: &str,
    status: i16,
    usertype: UserType,
) -> Result<Option<UserId>> {
    let id = sqlx::query_scalar!(
        "INSERT INTO users (name, status, usertype) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING RETURNING id",
        name,
        status,
        usertype.number()
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(UserId))
}

/// Notes a principal; false when another user has it.
pub(super) async fn add_principal(conn: &mut PgConnection, user: UserId, principal: &str) -> Result<bool> {
    let added = sqlx::query!(
        "INSERT INTO user_krb_principals (user_id, krb_principal) VALUES ($1, $2) ON CONFLICT (krb_principal) DO NOTHING",
        user.0,
        principal
    )
    .execute(conn)
    .await?;
    Ok(added.rows_affected() == 1)
}

/// Takes a principal away; false when the user does not have it.
pub(super) async fn remove_principal(conn: &mut PgConnection, user: UserId, principal: &str) -> Result<bool> {
    let removed =
        sqlx::query!("DELETE FROM user_krb_principals WHERE user_id = $1 AND krb_principal = $2", user.0, principal)
            .execute(conn)
            .await?;
    Ok(removed.rows_affected() == 1)
}

/// Gives a user another name; false when it is taken.
pub(super) async fn rename(conn: &mut PgConnection, user: UserId, name: &str) -> Result<bool> {
    let renamed = sqlx::query!("UPDATE users SET name = $2 WHERE id = $1", user.0, name).execute(conn).await;
    match renamed {
        Ok(renamed) => Ok(renamed.rows_affected() == 1),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn describe_permission(
    conn: &mut PgConnection,
    permission: PermissionId,
    description: &str,
) -> Result<()> {
    sqlx::query!("UPDATE permissions SET description = $2 WHERE id = $1", permission.0, description)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn set_status(conn: &mut PgConnection, user: UserId, status: i16) -> Result<()> {
    sqlx::query!("UPDATE users SET status = $2 WHERE id = $1", user.0, status).execute(conn).await?;
    Ok(())
}

pub(super) async fn set_type(conn: &mut PgConnection, user: UserId, usertype: UserType) -> Result<()> {
    sqlx::query!("UPDATE users SET usertype = $2 WHERE id = $1", user.0, usertype.number()).execute(conn).await?;
    Ok(())
}

/// Keeps others from changing the user's permissions until the commit.
pub(super) async fn lock(conn: &mut PgConnection, user: UserId) -> Result<()> {
    sqlx::query!("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE", user.0).fetch_optional(conn).await?;
    Ok(())
}

pub(super) async fn permission(conn: &mut PgConnection, permission: &Ref<PermissionId>) -> Result<Option<Permission>> {
    let row = sqlx::query!(
        "SELECT id, name, description FROM permissions WHERE id = $1 OR name = $2",
        permission.id().map(|id| id.0),
        permission.name()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Permission { id: PermissionId(row.id), name: row.name, description: row.description }))
}

pub(super) async fn permissions(conn: &mut PgConnection) -> Result<Vec<Permission>> {
    let rows = sqlx::query!("SELECT id, name, description FROM permissions ORDER BY id").fetch_all(conn).await?;
    let permissions = rows.into_iter().map(|row| Permission {
        id: PermissionId(row.id),
        name: row.name,
        description: row.description,
    });
    Ok(permissions.collect())
}

pub(super) async fn create_permission(
    conn: &mut PgConnection,
    name: &str,
    description: Option<&str>,
) -> Result<PermissionId> {
    let id = sqlx::query_scalar!(
        "INSERT INTO permissions (name, description) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET name = excluded.name
         RETURNING id",
        name,
        description
    )
    .fetch_one(conn)
    .await?;
    Ok(PermissionId(id))
}

pub(super) async fn has_own(conn: &mut PgConnection, user: UserId, permission: PermissionId) -> Result<bool> {
    let has = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM user_perms WHERE user_id = $1 AND perm_id = $2 AND active) AS "has!""#,
        user.0,
        permission.0
    )
    .fetch_one(conn)
    .await?;
    Ok(has)
}

pub(super) async fn grant(
    conn: &mut PgConnection,
    user: UserId,
    permission: PermissionId,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO user_perms (user_id, perm_id, create_event, creator_id) VALUES ($1, $2, $3, $4)",
        user.0,
        permission.0,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn revoke(
    conn: &mut PgConnection,
    user: UserId,
    permission: PermissionId,
    event: EventId,
    by: UserId,
) -> Result<()> {
    sqlx::query!(
        "UPDATE user_perms SET active = NULL, revoke_event = $3, revoker_id = $4
         WHERE user_id = $1 AND perm_id = $2 AND active",
        user.0,
        permission.0,
        event.0,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Each permission, with the group it comes from (None = the user's own).
pub(super) async fn perms(conn: &mut PgConnection, user: UserId) -> Result<BTreeMap<String, Vec<Option<String>>>> {
    let rows = sqlx::query!(
        r#"SELECT permissions.name AS "name!", NULL::text AS "group?" FROM user_perms
               JOIN permissions ON permissions.id = perm_id WHERE user_id = $1 AND active
           UNION ALL
           SELECT permissions.name, users.name FROM user_groups JOIN users ON users.id = group_id
               JOIN user_perms ON user_perms.user_id = group_id AND user_perms.active
               JOIN permissions ON permissions.id = perm_id
           WHERE user_groups.user_id = $1 AND user_groups.active"#,
        user.0
    )
    .fetch_all(conn)
    .await?;
    let mut perms: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
    for row in rows {
        perms.entry(row.name).or_default().push(row.group);
    }
    Ok(perms)
}

/// Stores a token's hash; None when that hash is stored already.
pub(super) async fn create_token(
    conn: &mut PgConnection,
    user: UserId,
    hash: &[u8],
    description: Option<&str>,
    now: DateTime<Utc>,
    expire: Option<DateTime<Utc>>,
) -> Result<Option<i64>> {
    let id = sqlx::query_scalar!(
        "INSERT INTO api_token (user_id, hash, description, create_time, expire_time) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (hash) DO NOTHING RETURNING id",
        user.0,
        hash,
        description,
        now,
        expire
    )
    .fetch_optional(conn)
    .await?;
    Ok(id)
}

/// Makes a stored token valid again, if it is the user's.
pub(super) async fn revive_token(conn: &mut PgConnection, user: UserId, hash: &[u8]) -> Result<bool> {
    let revived = sqlx::query!(
        "UPDATE api_token SET revoke_time = NULL, expire_time = NULL WHERE user_id = $1 AND hash = $2",
        user.0,
        hash
    )
    .execute(conn)
    .await?;
    Ok(revived.rows_affected() == 1)
}

pub(super) async fn tokens(conn: &mut PgConnection, user: UserId) -> Result<Vec<TokenInfo>> {
    let rows = sqlx::query!(
        "SELECT id, description, create_time, expire_time FROM api_token WHERE user_id = $1 AND revoke_time IS NULL
         ORDER BY id",
        user.0
    )
    .fetch_all(conn)
    .await?;
    let tokens = rows.into_iter().map(|row| TokenInfo {
        id: row.id,
        description: row.description,
        create_time: Time(row.create_time),
        expire_time: row.expire_time.map(Time),
    });
    Ok(tokens.collect())
}

/// Revokes a token; `owner` = only if it is theirs. Answers whether there was one.
pub(super) async fn revoke_token(
    conn: &mut PgConnection,
    token: i64,
    owner: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let revoked = sqlx::query!(
        "UPDATE api_token SET revoke_time = $3
         WHERE id = $1 AND ($2::bigint IS NULL OR user_id = $2) AND revoke_time IS NULL",
        token,
        owner.map(|id| id.0),
        now
    )
    .execute(conn)
    .await?;
    Ok(revoked.rows_affected() == 1)
}
