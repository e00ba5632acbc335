//! What users want to be told of.

use sqlx::PgConnection;
use toji_protocol::{
    id::{NotificationId, PackageId, Ref, TagId, UserId},
    method::{
        is_truthy,
        notification::{
            CreateNotification, DeleteNotification, GetBuildNotification, GetBuildNotifications, Notification,
            UpdateNotification,
        },
    },
};

use super::sql;
use crate::{
    Error, Result,
    call::{Cx, Handle},
    package, tag, user,
};

/// Whose notifications are meant: those of who is named, or the caller's.
pub(super) async fn whose(cx: &mut Cx, named: Option<&Ref<UserId>>) -> Result<UserId> {
    match (named, cx.caller.user_id()) {
        (Some(user), _) => Ok(user::require(cx.db().await?, user).await?.id),
        (None, Some(caller)) => Ok(caller),
        (None, None) => Err(Error::missing("No user provided: name one, or log in")),
    }
}

/// # Errors
/// When something is another user's than the caller's, who is no admin.
pub(super) fn may_change(cx: &Cx, owner: UserId, what: &str) -> Result<()> {
    let caller = cx.caller.user()?;
    if caller.id == owner || cx.caller.has_perm("admin") {
        return Ok(());
    }
    Err(Error::invalid(format!("user {} cannot {what} for user {owner}", caller.id)))
}

/// The package and the tag that are named.
pub(super) async fn scope(
    conn: &mut PgConnection,
    package: Option<&Ref<PackageId>>,
    tag: Option<&Ref<TagId>>,
) -> Result<(Option<PackageId>, Option<TagId>)> {
    let package = match package {
        Some(package) => Some(package::require(conn, package).await?.0),
        None => None,
    };
    let tag = match tag {
        Some(tag) => Some(tag::require(conn, tag).await?.0),
        None => None,
    };
    Ok((package, tag))
}

pub(super) fn exists() -> Error {
    Error::invalid("notification already exists")
}

async fn require(conn: &mut PgConnection, id: NotificationId) -> Result<Notification> {
    let found = sql::subscription(conn, id).await?;
    found.ok_or_else(|| Error::missing(format!("No notification with ID {id} found")))
}

impl Handle for GetBuildNotifications {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<Notification>> {
        let user = whose(cx, self.user_id.as_ref()).await?;
        sql::subscriptions(cx.db().await?, user).await
    }
}

impl Handle for GetBuildNotification {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Notification>> {
        let conn = cx.db().await?;
        if self.strict { require(conn, self.id).await.map(Some) } else { sql::subscription(conn, self.id).await }
    }
}

impl Handle for CreateNotification {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let user = user::require(cx.db().await?, &self.user_id).await?;
        may_change(cx, user.id, "create notifications")?;
        let email = cx.hub.config.mail.address(&user.name);
        let conn = cx.db().await?;
        let (package, tag) = scope(conn, self.package_id.as_ref(), self.tag_id.as_ref()).await?;
        let success_only = is_truthy(&self.success_only);
        match sql::subscribe(conn, user.id, package, tag, success_only, &email).await? {
            true => Ok(()),
            false => Err(exists()),
        }
    }
}

impl Handle for UpdateNotification {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let old = require(cx.db().await?, self.id).await?;
        may_change(cx, old.user_id, "update notifications")?;
        let conn = cx.db().await?;
        let (package, tag) = scope(conn, self.package_id.as_ref(), self.tag_id.as_ref()).await?;
        match sql::change_subscription(conn, self.id, package, tag, is_truthy(&self.success_only)).await? {
            true => Ok(()),
            false => Err(exists()),
        }
    }
}

impl Handle for DeleteNotification {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let old = require(cx.db().await?, self.id).await?;
        may_change(cx, old.user_id, "delete notifications")?;
        sql::unsubscribe(cx.db().await?, self.id).await
    }
}
