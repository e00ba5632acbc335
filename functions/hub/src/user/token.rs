//! API tokens: bearer tokens for JSON, passwords for `login`. Only their SHA-256 is stored.

use base64::Engine;
use chrono::{DateTime, TimeDelta, Utc};
use rand::RngExt;
use sqlx::PgConnection;
use toji_protocol::{
    id::UserId,
    method::user::{CreateToken, ListTokens, NewToken, RevokeToken, TokenInfo},
    state::UserType,
};

use super::{find, require, sql};
use crate::{
    Error, Hub, Result,
    call::{Cx, Handle, secret_hash},
    name,
};

/// What every token begins with, so that scanners for leaked secrets can know it.
const PREFIX: &str = "toji_";

fn new_secret() -> String {
    let bytes: [u8; 32] = rand::rng().random();
    format!("{PREFIX}{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

/// Makes a token for a user; None for `lifetime` = it does not expire.
///
/// # Errors
/// When the lifetime is not positive or too long for a clock.
pub async fn new_token(
    conn: &mut PgConnection,
    user: UserId,
    description: Option<&str>,
    lifetime: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> Result<NewToken> {
    let expire = match lifetime {
        Some(lifetime) if lifetime <= TimeDelta::zero() => {
            return Err(Error::parameter("lifetime must be more than 0 seconds"));
        }
        Some(lifetime) => {
            let expire = now.checked_add_signed(lifetime).filter(|time| time.timestamp() < LAST_SECOND);
            Some(expire.ok_or_else(|| Error::parameter("lifetime is too long; leave it out for a token that stays"))?)
        }
        None => None,
    };
    let token = new_secret();
    let id = sql::create_token(conn, user, &secret_hash(&token), description, now, expire).await?;
    let id = id.ok_or_else(|| Error::internal(anyhow::anyhow!("a random token was there already")))?;
    Ok(NewToken { id, token })
}

/// The year 9999's end: Postgres's calendar reaches further, other people's does not.
const LAST_SECOND: i64 = 253_402_300_799;

/// Makes sure that a user of that name has `admin` and may use `token`: for the first start of a deployment, and for every later one.
///
/// # Errors
/// When the name breaks the rules, is a builder's or a group's, or the token is another user's.
pub async fn bootstrap_admin(hub: &Hub, name: &str, token: &str, now: DateTime<Utc>) -> Result<UserId> {
    name::check_user(name)?;
    if token.is_empty() {
        return Err(Error::parameter("the first admin's token must not be empty"));
    }
    let mut cx = Cx::internal(hub, now).await?;
    let conn = cx.db().await?;
    sql::create(conn, name, 0, UserType::Normal).await?;
    let user = require(conn, &name.into()).await?;
    if user.usertype != UserType::Normal {
        return Err(Error::invalid(format!("{name} is a {}: no admin can be made of it", user.usertype)));
    }
    let hash = secret_hash(token);
    let is_new = sql::create_token(conn, user.id, &hash, Some("first admin"), now, None).await?.is_some();
    if !is_new && !sql::revive_token(conn, user.id, &hash).await? {
        return Err(Error::invalid(format!("the token given for {name} is another user's")));
    }
    sql::lock(conn, user.id).await?;
    let admin = super::require_permission(conn, &"admin".into()).await?;
    if !sql::has_own(conn, user.id, admin.id).await? {
        let event = cx.event().await?;
        sql::grant(cx.db().await?, user.id, admin.id, event, user.id).await?;
    }
    cx.commit().await?;
    Ok(user.id)
}

/// The user that is named, or the caller. Only an admin may name another.
async fn owner(cx: &mut Cx, user: Option<&toji_protocol::id::Ref<UserId>>) -> Result<UserId> {
    let caller = cx.caller.user()?.id;
    let Some(user) = user else { return Ok(caller) };
    let found = find(cx.db().await?, user).await?;
    match found {
        Some(found) if found.id == caller => Ok(caller),
        // who may not ask about others learns nothing about which there are
        found => {
            cx.caller.require_perm("admin")?;
            found.map(|found| found.id).ok_or_else(|| Error::missing(format!("No such user: {user}")))
        }
    }
}

impl Handle for CreateToken {
    async fn handle(self, cx: &mut Cx) -> Result<NewToken> {
        if cx.caller.user()?.usertype == UserType::Host {
            return Err(Error::denied("a builder has the one token that it enrolled for"));
        }
        let user = owner(cx, self.user.as_ref()).await?;
        let lifetime = match self.lifetime {
            Some(seconds) => {
                Some(TimeDelta::try_seconds(seconds).ok_or_else(|| Error::parameter("lifetime is out of range"))?)
            }
            None => None,
        };
        let now = cx.now;
        new_token(cx.db().await?, user, self.description.as_deref(), lifetime, now).await
    }
}

impl Handle for ListTokens {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<TokenInfo>> {
        let user = owner(cx, self.user.as_ref()).await?;
        sql::tokens(cx.db().await?, user).await
    }
}

impl Handle for RevokeToken {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let caller = cx.caller.user()?.id;
        let only = (!cx.caller.has_perm("admin")).then_some(caller);
        let now = cx.now;
        if !sql::revoke_token(cx.db().await?, self.token_id, only, now).await? {
            return Err(Error::missing(format!("No such token: {}", self.token_id)));
        }
        Ok(())
    }
}
