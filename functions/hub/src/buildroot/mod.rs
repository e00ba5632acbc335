//! Buildroots: what each build was built in, exactly.

mod list;
mod record;

use chrono::{DateTime, Utc};
use toji_protocol::method::{
    Listing,
    buildroot::{Buildroot, BuildrootRpm, GetBuildroot, GetBuildrootListing, ListBuildroots},
};

use crate::{
    Error, Hub, Result,
    call::{Cx, Handle, Table},
    listing,
};

pub(crate) fn methods(table: &mut Table) {
    table.add::<GetBuildroot>().add::<GetBuildrootListing>().add::<ListBuildroots>();
}

impl Handle for GetBuildroot {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Buildroot>> {
        let filter = list::Filter { ids: Some(vec![self.buildroot_id.0]), ..list::Filter::default() };
        let found = list::list(cx.db().await?, &filter).await?.pop();
        match found {
            None if self.strict => Err(Error::missing(format!("No such buildroot: {}", self.buildroot_id))),
            found => Ok(found),
        }
    }
}

impl Handle for GetBuildrootListing {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<BuildrootRpm>> {
        list::rpms(cx.db().await?, self.id).await
    }
}

impl Handle for ListBuildroots {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<Buildroot>> {
        let conn = cx.db().await?;
        let host = match &self.host_id {
            Some(host) => match crate::host::find(conn, host).await? {
                Some(host) => Some(host.id.0),
                None => return Err(Error::missing(format!("No such host: {host}"))),
            },
            None => None,
        };
        let tag = match &self.tag_id {
            Some(tag) => Some(crate::tag::require(conn, tag).await?.0.0),
            None => None,
        };
        let filter = list::Filter {
            ids: self.buildroot_id.map(|ids| ids.into_vec().iter().map(|id| id.0).collect()),
            states: self.state.map(|states| states.into_vec().iter().map(|state| state.number()).collect()),
            host,
            tag,
            rpm: self.rpm_id.map(|id| id.0),
            task: self.task_id.map(|id| id.0),
            repo: self.repo_id.map(|id| id.0),
            archive: self.archive_id.map(|id| id.0),
        };
        listing::in_memory(list::list(conn, &filter).await?, self.query_opts.as_ref())
    }
}

/// Ends the buildroots whose tasks have ended: those a lost builder left. Answers how many.
///
/// # Errors
/// When the database is away.
pub async fn expire_of_ended_tasks(hub: &Hub, now: DateTime<Utc>) -> Result<usize> {
    let left = sqlx::query_scalar!(
        "SELECT buildroot.id FROM buildroot JOIN task ON task.id = buildroot.task_id
         WHERE buildroot.state <> 3 AND (task.state IN (2, 3, 5) OR task.attempt > buildroot.attempt)"
    )
    .fetch_all(&hub.pool)
    .await?;
    if left.is_empty() {
        return Ok(0);
    }
    let mut cx = Cx::internal(hub, now).await?;
    let event = cx.event().await?;
    let ended = sqlx::query!(
        "UPDATE buildroot SET state = 3, retire_event = $2 WHERE id = ANY($1) AND state <> 3",
        &left,
        event.0
    )
    .execute(cx.db().await?)
    .await?;
    cx.commit().await?;
    Ok(ended.rows_affected() as usize)
}
