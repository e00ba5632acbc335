//! What users do not want to be told of, whatever else says that they are.

use sqlx::PgConnection;
use toji_protocol::{
    id::NotificationBlockId,
    method::notification::{
        CreateNotificationBlock, DeleteNotificationBlock, GetBuildNotificationBlock, GetBuildNotificationBlocks,
        NotificationBlock,
    },
};

use super::{
    sql,
    subscription::{exists, may_change, scope, whose},
};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    user,
};

async fn require(conn: &mut PgConnection, id: NotificationBlockId) -> Result<NotificationBlock> {
    let found = sql::block(conn, id).await?;
    found.ok_or_else(|| Error::missing(format!("No notification block with ID {id} found")))
}

impl Handle for GetBuildNotificationBlocks {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<NotificationBlock>> {
        let user = whose(cx, self.user_id.as_ref()).await?;
        sql::blocks(cx.db().await?, user).await
    }
}

impl Handle for GetBuildNotificationBlock {
    async fn handle(self, cx: &mut Cx) -> Result<Option<NotificationBlock>> {
        let conn = cx.db().await?;
        if self.strict { require(conn, self.id).await.map(Some) } else { sql::block(conn, self.id).await }
    }
}

impl Handle for CreateNotificationBlock {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let user = user::require(cx.db().await?, &self.user_id).await?.id;
        may_change(cx, user, "create notification blocks")?;
        let conn = cx.db().await?;
        let (package, tag) = scope(conn, self.package_id.as_ref(), self.tag_id.as_ref()).await?;
        match sql::add_block(conn, user, package, tag).await? {
            true => Ok(()),
            false => Err(exists()),
        }
    }
}

impl Handle for DeleteNotificationBlock {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let old = require(cx.db().await?, self.id).await?;
        may_change(cx, old.user_id, "delete notification blocks")?;
        sql::delete_block(cx.db().await?, self.id).await
    }
}
