//! Who may change what is in a tag, beside the policies.

use sqlx::PgConnection;
use toji_protocol::{
    id::{TagId, UserId},
    method::content::CheckTagAccess,
};

use crate::{
    Error, Result,
    call::{Cx, Handle},
    tag, user,
};

/// Whether a user may change what is in a tag.
struct Verdict {
    is_allowed: bool,
    /// Whether force would do it all the same.
    may_force: bool,
    /// Why not; empty when allowed.
    reason: String,
}

async fn verdict(conn: &mut PgConnection, tag: TagId, user: UserId) -> Result<Verdict> {
    let (locked, perm) = tag::access(conn, tag).await?;
    let perms = user::permissions(conn, user).await?;
    let has = |perm: &str| perms.iter().any(|had| had == perm);
    let reason = match perm {
        _ if locked => "tag is locked".to_owned(),
        // being an admin is not enough here, unless by force
        Some(perm) if !has(&perm) => format!("tag requires {perm} permission"),
        _ => String::new(),
    };
    Ok(Verdict { is_allowed: reason.is_empty(), may_force: has("admin"), reason })
}

/// Whether a user may change what is in a tag: it must not be locked, and the user needs the tag's permission. An admin may force it.
///
/// # Errors
/// When the user may not, or there is no such tag.
pub async fn check_access(cx: &mut Cx, tag: TagId, user: UserId, force: bool) -> Result<()> {
    let verdict = verdict(cx.db().await?, tag, user).await?;
    if verdict.is_allowed || verdict.may_force && force { Ok(()) } else { Err(Error::denied(verdict.reason)) }
}

impl Handle for CheckTagAccess {
    async fn handle(self, cx: &mut Cx) -> Result<(bool, bool, String)> {
        let user = match self.user_id {
            Some(user) => user,
            None => cx.caller.user().map_err(|_| Error::invalid("a user_id is required"))?.id,
        };
        let conn = cx.db().await?;
        let (tag, _) = tag::require(conn, &self.tag_id).await?;
        let Verdict { is_allowed, may_force, reason } = verdict(conn, tag, user).await?;
        Ok((is_allowed, may_force, reason))
    }
}
