//! Comps groups: which packages `@build` and its like mean.
//!
//! - `merge`: what counts for a tag; `edit`: changing a tag's own entries; `copy`: giving them to another tag

pub(crate) mod copy;
mod edit;
mod merge;
mod sql;

use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, TagId},
    method::group::{
        GetTagGroups, GroupListAdd, GroupListBlock, GroupListRemove, GroupListUnblock, GroupPackageListAdd,
        GroupPackageListBlock, GroupPackageListRemove, GroupPackageListUnblock, GroupReqListAdd, GroupReqListBlock,
        GroupReqListRemove, GroupReqListUnblock, TagGroup,
    },
};

use crate::{
    Result,
    call::{Cx, Handle, Table},
    tag::{self, Quirks},
};

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<GetTagGroups>()
        .add::<GroupListAdd>()
        .add::<GroupListRemove>()
        .add::<GroupListBlock>()
        .add::<GroupListUnblock>()
        .add::<GroupPackageListAdd>()
        .add::<GroupPackageListRemove>()
        .add::<GroupPackageListBlock>()
        .add::<GroupPackageListUnblock>()
        .add::<GroupReqListAdd>()
        .add::<GroupReqListRemove>()
        .add::<GroupReqListBlock>()
        .add::<GroupReqListUnblock>();
}

/// The groups that count for a tag, with their packages and the groups they need; nothing that is blocked. By name.
///
/// # Errors
/// When the walk through ancestors gets out of hand, or the database is away.
pub async fn for_tag(
    conn: &mut PgConnection,
    quirks: Quirks,
    tag: TagId,
    at: Option<EventId>,
) -> Result<Vec<TagGroup>> {
    merge::read(conn, quirks, tag, at, merge::Wanted { blocked: false, ..merge::ALL }).await
}

impl Handle for GetTagGroups {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<TagGroup>> {
        let quirks = cx.hub.config.quirks;
        let conn = cx.db().await?;
        let (tag, _) = tag::require_at(conn, &self.tag, self.event).await?;
        let wanted = merge::Wanted {
            inherit: self.inherit,
            packages: self.incl_pkgs,
            reqs: self.incl_reqs,
            blocked: self.incl_blocked,
        };
        merge::read(conn, quirks, tag, self.event, wanted).await
    }
}
