//! Who calls: bearer tokens, and Koji's sessions.

use sha2::{Digest, Sha256};
use toji_protocol::{
    id::{HostId, SessionId, UserId},
    state::UserType,
};

use super::Cx;
use crate::{Error, Result, error::FaultCode, session};

/// What a caller shows.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// Nothing.
    #[default]
    Nobody,
    /// An API token.
    Bearer(String),
    /// A session of Koji's.
    Session {
        /// Its id.
        id: SessionId,
        /// Its key.
        key: String,
        /// The call's number; None = unchecked.
        callnum: Option<i64>,
    },
}

/// Who calls.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Nobody is logged in.
    Nobody,
    /// A user.
    User(Box<CallerUser>),
}

/// A user that calls.
#[derive(Clone, Debug)]
pub struct CallerUser {
    /// Its id.
    pub id: UserId,
    /// Its name.
    pub name: String,
    /// What kind it is.
    pub usertype: UserType,
    /// Its permissions, those through groups included.
    pub perms: Vec<String>,
    /// The host that it is.
    pub host: Option<HostId>,
    /// Its session, if it has one.
    pub session: Option<CallerSession>,
}

/// A session that calls.
#[derive(Clone, Copy, Debug)]
pub struct CallerSession {
    /// Its id.
    pub id: SessionId,
    /// The session it belongs to.
    pub master: Option<SessionId>,
    /// The number of this call.
    pub callnum: Option<i64>,
}

impl Caller {
    /// The user.
    ///
    /// # Errors
    /// When nobody is logged in.
    pub fn user(&self) -> Result<&CallerUser> {
        match self {
            Caller::User(user) => Ok(user),
            Caller::Nobody => Err(Error::denied("you must be logged in for this operation")),
        }
    }

    /// The user's id; None when nobody is logged in.
    pub fn user_id(&self) -> Option<UserId> {
        match self {
            Caller::User(user) => Some(user.id),
            Caller::Nobody => None,
        }
    }

    /// Whether the caller has a permission; `admin` has all.
    pub fn has_perm(&self, perm: &str) -> bool {
        match self {
            Caller::User(user) => user.perms.iter().any(|had| had == perm || had == "admin"),
            Caller::Nobody => false,
        }
    }

    /// # Errors
    /// When the caller lacks a permission.
    pub fn require_perm(&self, perm: &str) -> Result<()> {
        if self.has_perm(perm) {
            return Ok(());
        }
        let who = match self {
            Caller::User(user) => format!("logged in as {}", user.name),
            Caller::Nobody => "user not logged in".to_owned(),
        };
        Err(Error::denied(format!("{perm} permission required ({who})")))
    }

    /// The host that calls.
    ///
    /// # Errors
    /// When it is no host.
    pub fn host(&self) -> Result<HostId> {
        let host = match self {
            Caller::User(user) => user.host,
            Caller::Nobody => None,
        };
        host.ok_or_else(|| Error::denied("only builders may call this; enrol the host and use its token"))
    }
}

/// What is stored of a token or a session's key.
pub fn secret_hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// A user as the caller of what the coordinator does for it.
///
/// # Errors
/// When the database is away.
pub(crate) async fn act_as(cx: &mut Cx, user: UserId) -> Result<()> {
    let row = sqlx::query!(
        r#"SELECT users.id, users.name, users.usertype,
               ARRAY(SELECT permissions.name FROM user_perms JOIN permissions ON permissions.id = perm_id
                     WHERE active AND (user_perms.user_id = users.id OR user_perms.user_id IN
                         (SELECT group_id FROM user_groups WHERE user_groups.user_id = users.id AND active))) AS "perms!"
           FROM users WHERE id = $1"#,
        user.0
    )
    .fetch_one(cx.db().await?)
    .await?;
    cx.caller = Caller::User(Box::new(CallerUser {
        id: UserId(row.id),
        name: row.name,
        usertype: UserType::from_number(row.usertype.into()).unwrap_or(UserType::Normal),
        perms: row.perms,
        host: None,
        session: None,
    }));
    Ok(())
}

/// Finds out who calls, in one statement.
pub(crate) async fn authenticate(cx: &mut Cx, auth: &Auth, method: &str) -> Result<Caller> {
    match auth {
        Auth::Nobody => Ok(Caller::Nobody),
        Auth::Bearer(token) => by_token(cx, token).await,
        Auth::Session { id, key, callnum } => by_session(cx, *id, key, *callnum, method).await,
    }
}

async fn by_token(cx: &mut Cx, token: &str) -> Result<Caller> {
    let now = cx.now;
    let row = sqlx::query!(
        r#"SELECT users.id, users.name, users.status, users.usertype, host.id AS "host_id?",
               ARRAY(SELECT permissions.name FROM user_perms JOIN permissions ON permissions.id = perm_id
                     WHERE active AND (user_perms.user_id = users.id OR user_perms.user_id IN
                         (SELECT group_id FROM user_groups WHERE user_groups.user_id = users.id AND active))) AS "perms!"
           FROM api_token JOIN users ON users.id = api_token.user_id LEFT JOIN host ON host.user_id = users.id
           WHERE hash = $1 AND revoke_time IS NULL AND (expire_time IS NULL OR expire_time > $2)"#,
        secret_hash(token),
        now
    )
    .fetch_optional(cx.db().await?)
    .await?;
    let row = row
        .ok_or_else(|| unauthenticated("Invalid token; make one with `toji create-token`, or ask an admin for one"))?;
    if row.status != 0 {
        return Err(unauthenticated(format!("user {} is blocked", row.name)));
    }
    Ok(Caller::User(Box::new(CallerUser {
        id: UserId(row.id),
        name: row.name,
        usertype: UserType::from_number(row.usertype.into()).unwrap_or(UserType::Normal),
        perms: row.perms,
        host: row.host_id.map(HostId),
        session: None,
    })))
}

async fn by_session(cx: &mut Cx, id: SessionId, key: &str, callnum: Option<i64>, method: &str) -> Result<Caller> {
    let row = sqlx::query!(
        r#"SELECT users.id, users.name, users.status, users.usertype, host.id AS "host_id?", s.master, s.callnum,
               s.expired, s.exclusive, s.start_time, s.renew_time, master.expired AS "master_expired?",
               master.exclusive AS "master_exclusive?",
               EXISTS (SELECT 1 FROM sessions other WHERE other.user_id = s.user_id AND other.exclusive AND NOT other.closed
                   AND other.id <> s.id AND other.id IS DISTINCT FROM s.master) AS "is_locked!",
               ARRAY(SELECT permissions.name FROM user_perms JOIN permissions ON permissions.id = perm_id
                     WHERE active AND (user_perms.user_id = users.id OR user_perms.user_id IN
                         (SELECT group_id FROM user_groups WHERE user_groups.user_id = users.id AND active))) AS "perms!"
           FROM sessions s JOIN users ON users.id = s.user_id LEFT JOIN host ON host.user_id = users.id
               LEFT JOIN sessions master ON master.id = s.master
           WHERE s.id = $1 AND s.key_hash = $2 AND NOT s.closed"#,
        id.0,
        secret_hash(key)
    )
    .fetch_optional(cx.db().await?)
    .await?;
    let Some(row) = row else {
        return Err(unauthenticated("Invalid session or bad credentials"));
    };
    let is_login = matches!(method, "login" | "sslLogin");
    let renewed = row.renew_time.unwrap_or(row.start_time);
    let is_old = cx.now - renewed > session::RENEWAL;
    if (row.expired || row.master_expired.unwrap_or(false) || is_old) && !is_login {
        if is_old && !row.expired {
            session::expire(&cx.hub, id).await?;
        }
        return Err(Error::Unauthenticated(FaultCode::AuthExpired, format!("session \"{id}\" has expired")));
    }
    if let (Some(stored), Some(given)) = (row.callnum, callnum) {
        if stored > given {
            let message = format!("{stored} > {given} (session {id})");
            return Err(Error::Unauthenticated(FaultCode::Sequence, message));
        }
        if stored == given && !session::RETRY_SAFE.contains(&method) {
            let message = format!("unable to retry call {given} (method {method}) for session {id}");
            return Err(Error::Unauthenticated(FaultCode::Retry, message));
        }
    }
    if row.status != 0 {
        return Err(unauthenticated(format!("User {} is blocked", row.name)));
    }
    if row.is_locked && !matches!(method, "exclusiveSession" | "login" | "sslLogin" | "logout") {
        return Err(Error::Unauthenticated(FaultCode::AuthLock, "User locked by another session".to_owned()));
    }
    Ok(Caller::User(Box::new(CallerUser {
        id: UserId(row.id),
        name: row.name,
        usertype: UserType::from_number(row.usertype.into()).unwrap_or(UserType::Normal),
        perms: row.perms,
        host: row.host_id.map(HostId),
        session: Some(CallerSession { id, master: row.master.map(SessionId), callnum }),
    })))
}

fn unauthenticated(message: impl Into<String>) -> Error {
    Error::Unauthenticated(FaultCode::Auth, message.into())
}

/// Moves the session's call number on, in the transaction of the call's own writes: a call that is sent again after its answer was
/// lost is then known, and a read leaves no trace.
pub(super) async fn count(cx: &mut Cx) -> Result<()> {
    let Caller::User(user) = &cx.caller else { return Ok(()) };
    let Some(CallerSession { id, callnum: Some(callnum), .. }) = user.session else { return Ok(()) };
    let now = cx.now;
    let counted = sqlx::query!(
        "UPDATE sessions SET callnum = $2, update_time = $3 WHERE id = $1 AND (callnum IS NULL OR callnum <= $2)",
        id.0,
        callnum,
        now
    )
    .execute(cx.db().await?)
    .await?;
    if counted.rows_affected() == 0 {
        let message = format!("call {callnum} was overtaken (session {id})");
        return Err(Error::Unauthenticated(FaultCode::Sequence, message));
    }
    Ok(())
}
