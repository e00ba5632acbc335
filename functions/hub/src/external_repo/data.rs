//! What is known of an external repo's contents: kojira notes here when it has changed, which makes its tags' repos old.

use toji_protocol::{
    method::external_repo::{GetExternalRepoData, SetExternalRepoData},
    value::Value,
};

use super::{changed, require, sql};
use crate::{
    Result,
    call::{Cx, Handle},
};

impl Handle for GetExternalRepoData {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Value>> {
        let conn = cx.db().await?;
        let id = require(conn, &self.erepo, None).await?.id;
        sql::data(conn, id).await
    }
}

impl Handle for SetExternalRepoData {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let id = require(conn, &self.external_repo_id, None).await?.id;
        sql::lock(conn, id).await?;
        require(conn, &toji_protocol::id::Ref::Id(id), None).await?;
        let event = cx.event().await?;
        let conn = cx.db().await?;
        sql::revoke_data(conn, id, event, by).await?;
        sql::insert_data(conn, id, &self.data, event, by).await?;
        changed(cx, id).await
    }
}
