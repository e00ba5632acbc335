//! What is known of an external repo's contents: the watch, or kojira, notes here when it has changed, which makes its tags' repos old.

use toji_protocol::{
    id::{ExternalRepoId, Ref, UserId},
    method::external_repo::{GetExternalRepoData, SetExternalRepoData},
    value::{Map, Value},
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

/// Replaces what was noted, under a new event. The repo is locked.
pub(super) async fn set_data(cx: &mut Cx, id: ExternalRepoId, data: &Map, by: UserId) -> Result<()> {
    let event = cx.event().await?;
    let conn = cx.db().await?;
    sql::revoke_data(conn, id, event, by).await?;
    sql::insert_data(conn, id, data, event, by).await?;
    changed(cx, id).await
}

impl Handle for SetExternalRepoData {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let id = require(conn, &self.external_repo_id, None).await?.id;
        sql::lock(conn, id).await?;
        require(conn, &Ref::Id(id), None).await?;
        set_data(cx, id, &self.data, by).await
    }
}
