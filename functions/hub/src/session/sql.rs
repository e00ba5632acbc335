//! Statements about sessions.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{SessionId, UserId},
    method::session::SessionInfo,
    time::Time,
};

use crate::{Error, Result, error::FaultCode};

pub(super) struct TokenUser {
    pub(super) id: UserId,
    pub(super) is_blocked: bool,
    pub(super) is_host: bool,
}

pub(super) async fn user_of_token(
    conn: &mut PgConnection,
    name: &str,
    hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<TokenUser>> {
    let row = sqlx::query!(
        "SELECT users.id, status, usertype FROM api_token JOIN users ON users.id = user_id
         WHERE hash = $1 AND name = $2 AND revoke_time IS NULL AND (expire_time IS NULL OR expire_time > $3)",
        hash,
        name,
        now
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| TokenUser { id: UserId(row.id), is_blocked: row.status != 0, is_host: row.usertype == 1 }))
}

pub(super) async fn create(
    conn: &mut PgConnection,
    user: UserId,
    key_hash: &[u8],
    authtype: i16,
    master: Option<SessionId>,
    now: DateTime<Utc>,
) -> Result<SessionId> {
    let id = sqlx::query_scalar!(
        "INSERT INTO sessions (user_id, key_hash, authtype, master, start_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $5) RETURNING id",
        user.0,
        key_hash,
        authtype,
        master.map(|id| id.0),
        now
    )
    .fetch_one(conn)
    .await?;
    Ok(SessionId(id))
}

pub(super) async fn renew(
    conn: &mut PgConnection,
    session: SessionId,
    key_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE sessions SET key_hash = $2, renew_time = $3, update_time = $3, expired = false, callnum = NULL
         WHERE id = $1 AND NOT closed",
        session.0,
        key_hash,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn expire(conn: &mut PgConnection, session: SessionId) -> Result<()> {
    sqlx::query!("UPDATE sessions SET expired = true WHERE id = $1 OR master = $1", session.0).execute(conn).await?;
    Ok(())
}

/// Closes a session and those below it. Answers whether there was one.
pub(super) async fn close(conn: &mut PgConnection, session: SessionId, owner: Option<UserId>) -> Result<bool> {
    let closed = sqlx::query!(
        "UPDATE sessions SET closed = true, exclusive = NULL, expired = true
         WHERE (id = $1 OR master = $1) AND NOT closed AND ($2::bigint IS NULL OR user_id = $2)",
        session.0,
        owner.map(|id| id.0)
    )
    .execute(conn)
    .await?;
    Ok(closed.rows_affected() > 0)
}

pub(super) async fn close_child(conn: &mut PgConnection, session: SessionId, master: SessionId) -> Result<bool> {
    let closed = sqlx::query!(
        "UPDATE sessions SET closed = true, exclusive = NULL, expired = true WHERE id = $1 AND master = $2 AND NOT closed",
        session.0,
        master.0
    )
    .execute(conn)
    .await?;
    Ok(closed.rows_affected() > 0)
}

pub(super) async fn make_exclusive(
    conn: &mut PgConnection,
    user: UserId,
    session: SessionId,
    force: bool,
) -> Result<()> {
    // the user's row serialises two sessions that want the lock at once
    sqlx::query!("SELECT id FROM users WHERE id = $1 FOR UPDATE", user.0).fetch_one(&mut *conn).await?;
    let holder = sqlx::query_scalar!(
        "SELECT id FROM sessions WHERE user_id = $1 AND exclusive AND id <> $2 AND NOT closed",
        user.0,
        session.0
    )
    .fetch_optional(&mut *conn)
    .await?;
    match holder {
        Some(holder) if force => {
            close(conn, SessionId(holder), None).await?;
        }
        Some(_) => {
            let message = "Cannot get exclusive session; another one holds the lock (force closes it)".to_owned();
            return Err(Error::Unauthenticated(FaultCode::AuthLock, message));
        }
        None => {}
    }
    sqlx::query!("UPDATE sessions SET exclusive = true WHERE id = $1", session.0).execute(conn).await?;
    Ok(())
}

pub(super) async fn make_shared(conn: &mut PgConnection, session: SessionId) -> Result<()> {
    sqlx::query!("UPDATE sessions SET exclusive = NULL WHERE id = $1", session.0).execute(conn).await?;
    Ok(())
}

struct SessionRow {
    id: i64,
    authtype: i16,
    callnum: Option<i64>,
    exclusive: Option<bool>,
    expired: bool,
    master: Option<i64>,
    renew_time: Option<DateTime<Utc>>,
    start_time: DateTime<Utc>,
    update_time: DateTime<Utc>,
    user_id: i64,
}

impl From<SessionRow> for SessionInfo {
    fn from(row: SessionRow) -> Self {
        let (start, update) = (Time(row.start_time), Time(row.update_time));
        Self {
            authtype: row.authtype.into(),
            callnum: row.callnum,
            exclusive: row.exclusive,
            expired: row.expired,
            master: row.master.map(SessionId),
            renew_time: row.renew_time.map(Time),
            renew_ts: row.renew_time.map(|time| Time(time).ts()),
            start_time: start,
            start_ts: start.ts(),
            update_time: update,
            update_ts: update.ts(),
            user_id: UserId(row.user_id),
            id: Some(SessionId(row.id)),
            hostip: None,
        }
    }
}

pub(super) async fn info(conn: &mut PgConnection, session: SessionId) -> Result<SessionInfo> {
    let row = sqlx::query_as!(
        SessionRow,
        "SELECT id, authtype, callnum, exclusive, expired, master, renew_time, start_time, update_time, user_id
         FROM sessions WHERE id = $1",
        session.0
    )
    .fetch_one(conn)
    .await?;
    Ok(row.into())
}

/// A user's sessions that may still call, oldest first.
pub(super) async fn of_user(conn: &mut PgConnection, user: UserId) -> Result<Vec<SessionInfo>> {
    let rows = sqlx::query_as!(
        SessionRow,
        "SELECT id, authtype, callnum, exclusive, expired, master, renew_time, start_time, update_time, user_id
         FROM sessions WHERE user_id = $1 AND NOT expired AND NOT closed ORDER BY id",
        user.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(SessionInfo::from).collect())
}
