//! Login sessions, as Koji's client keeps them. The password is an API token; only the hash of a session's key is stored.

mod sql;

use chrono::TimeDelta;
use rand::RngExt;
use toji_protocol::{
    id::{SessionId, UserId},
    method::{
        OneOrMany, is_truthy,
        session::{
            ExclusiveSession, GetSessionInfo, Login, LoginCall, Logout, LogoutChild, SessionInfo, SharedSession,
            ShowSession, SslLogin, Subsession,
        },
    },
};

use crate::{
    Error, Hub, Result,
    call::{CallerSession, Cx, Handle, Table, secret_hash},
    error::FaultCode,
    user,
};

/// A session must be renewed after this.
pub const RENEWAL: TimeDelta = TimeDelta::minutes(1440);

/// Methods that may be sent again under the same call number, although the first was done.
pub const RETRY_SAFE: [&str; 8] = [
    "host.taskWait",
    "host.taskUnwait",
    "host.taskSetWait",
    "host.updateHost",
    "host.setBuildRootState",
    "repoExpire",
    "repoDelete",
    "repoProblem",
];

/// Koji's number for a login with a password.
const AUTHTYPE_PASSWORD: i16 = 0;

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<LoginCall>()
        .add::<SslLogin>()
        .add::<Logout>()
        .add::<Subsession>()
        .add::<LogoutChild>()
        .add::<ExclusiveSession>()
        .add::<SharedSession>()
        .add::<GetSessionInfo>()
        .add::<ShowSession>();
}

/// A session's key, as Koji's look: the user's id and 19 letters and digits.
fn new_key(user: UserId) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut rng = rand::rng();
    let random: String = (0..19).map(|_| LETTERS[rng.random_range(0..LETTERS.len())] as char).collect();
    format!("{user}-{random}")
}

fn opened(session_id: SessionId, session_key: String) -> Login {
    Login { session_id, session_key, header_auth: true }
}

/// Marks a session and those below it as expired, outside the transaction of the call that finds out, which fails.
pub(crate) async fn expire(hub: &Hub, session: SessionId) -> Result<()> {
    sql::expire(&mut *hub.pool.acquire().await?, session).await
}

fn session_of(cx: &Cx) -> Result<CallerSession> {
    let session = cx.caller.user()?.session;
    session.ok_or_else(|| Error::invalid("a bearer token has no session; log in first"))
}

impl Handle for LoginCall {
    async fn handle(self, cx: &mut Cx) -> Result<Login> {
        let wrong = || Error::Unauthenticated(FaultCode::Auth, "invalid username or password".to_owned());
        let now = cx.now;
        let hash = secret_hash(&self.password);
        let user = sql::user_of_token(cx.db().await?, &self.user, &hash, now).await?.ok_or_else(wrong)?;
        if user.is_blocked {
            return Err(Error::Unauthenticated(FaultCode::Auth, format!("User {} is blocked", self.user)));
        }
        if user.is_host {
            return Err(Error::Unauthenticated(FaultCode::Auth, "a builder's token is no password".to_owned()));
        }
        let flag = |name: &str| {
            let in_opts = self.opts.as_ref().and_then(|opts| opts.get(name));
            in_opts.or_else(|| self.named.get(name)).is_some_and(is_truthy)
        };
        let key = new_key(user.id);
        let key_hash = secret_hash(&key);
        let own = match &cx.caller {
            crate::call::Caller::User(caller) if caller.id == user.id => caller.session,
            _ => None,
        };
        let id = match own {
            Some(session) if flag("renew") => {
                sql::renew(cx.db().await?, session.id, &key_hash, now).await?;
                session.id
            }
            _ => sql::create(cx.db().await?, user.id, &key_hash, AUTHTYPE_PASSWORD, None, now).await?,
        };
        if flag("exclusive") {
            sql::make_exclusive(cx.db().await?, user.id, id, false).await?;
        }
        forget_callnum(cx);
        Ok(opened(id, key))
    }
}

/// The call number belongs to the session as it was; a renewed one starts anew.
fn forget_callnum(cx: &mut Cx) {
    if let crate::call::Caller::User(user) = &mut cx.caller
        && let Some(session) = &mut user.session
    {
        session.callnum = None;
    }
}

impl Handle for SslLogin {
    async fn handle(self, _cx: &mut Cx) -> Result<Login> {
        Err(Error::Unauthenticated(
            FaultCode::Auth,
            "certificates and Kerberos are not offered; log in with --user and an API token as --password".to_owned(),
        ))
    }
}

impl Handle for Logout {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let user = cx.caller.user()?.id;
        let session = match self.session_id {
            Some(session) => session,
            None => session_of(cx)?.id,
        };
        let is_admin = cx.caller.has_perm("admin");
        let closed = sql::close(cx.db().await?, session, (!is_admin).then_some(user)).await?;
        if !closed {
            return Err(Error::denied(format!("session {session} is not yours, or closed already")));
        }
        forget_callnum(cx);
        Ok(())
    }
}

impl Handle for Subsession {
    async fn handle(self, cx: &mut Cx) -> Result<Login> {
        let user = cx.caller.user()?.id;
        let session = session_of(cx)?;
        let key = new_key(user);
        let now = cx.now;
        let top = session.master.unwrap_or(session.id);
        let id = sql::create(cx.db().await?, user, &secret_hash(&key), AUTHTYPE_PASSWORD, Some(top), now).await?;
        Ok(opened(id, key))
    }
}

impl Handle for LogoutChild {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let master = session_of(cx)?.id;
        if !sql::close_child(cx.db().await?, self.session_id, master).await? {
            return Err(Error::missing(format!("session {} is not below {master}", self.session_id)));
        }
        Ok(())
    }
}

impl Handle for ExclusiveSession {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let user = cx.caller.user()?.id;
        let session = session_of(cx)?;
        if session.master.is_some() {
            return Err(Error::invalid("subsessions cannot be exclusive"));
        }
        sql::make_exclusive(cx.db().await?, user, session.id, self.force).await
    }
}

impl Handle for SharedSession {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let session = session_of(cx)?.id;
        sql::make_shared(cx.db().await?, session).await
    }
}

/// A row as it is answered: ids are details.
fn shown(mut info: SessionInfo, details: bool) -> SessionInfo {
    if details {
        info.hostip = Some("-".to_owned());
    } else {
        info.id = None;
    }
    info
}

impl Handle for GetSessionInfo {
    async fn handle(self, cx: &mut Cx) -> Result<Option<OneOrMany<SessionInfo>>> {
        let Some(caller) = cx.caller.user_id() else { return Ok(None) };
        if let Some(user) = &self.user_id {
            let of = user::require(cx.db().await?, user).await?.id;
            if of != caller && !cx.caller.has_perm("admin") {
                return Err(Error::denied("only admins or owners may see all active sessions"));
            }
            let sessions = sql::of_user(cx.db().await?, of).await?;
            return Ok(Some(OneOrMany::Many(sessions.into_iter().map(|info| shown(info, self.details)).collect())));
        }
        let Some(session) = cx.caller.user()?.session else { return Ok(None) };
        let info = sql::info(cx.db().await?, session.id).await?;
        Ok(Some(OneOrMany::One(shown(info, self.details))))
    }
}

impl Handle for ShowSession {
    async fn handle(self, cx: &mut Cx) -> Result<String> {
        let Ok(user) = cx.caller.user() else { return Ok("session: not logged in".to_owned()) };
        let who = format!("user {} ({}), permissions: {}", user.name, user.id, user.perms.join(" "));
        Ok(match user.session {
            Some(CallerSession { id, master: Some(master), .. }) => format!("session {id} below {master}: {who}"),
            Some(session) => format!("session {}: {who}", session.id),
            None => format!("no session, but a token: {who}"),
        })
    }
}
