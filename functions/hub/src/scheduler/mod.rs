//! What Koji's scheduler can be asked. Here hosts take tasks themselves ([`crate::task::claim`]); what was decided is noted as it
//! happens, in the transaction of the decision.

pub(crate) mod log;
mod view;

use chrono::TimeDelta;
use toji_protocol::{
    id::HostId,
    method::{
        Listing,
        scheduler::{DoRun, GetHostData, GetLogMessages, GetTaskRefusals, GetTaskRuns, HostData, HostFacts},
    },
    value::Map,
};

use crate::{
    Result,
    call::{Cx, Handle, Table},
    clause::Asked,
    task::rescue,
};

/// Unless forced, the rescue pass is not run more often.
const RUN_INTERVAL: TimeDelta = TimeDelta::seconds(60);

pub(crate) fn methods(table: &mut Table) {
    table.add::<GetTaskRuns>().add::<GetTaskRefusals>().add::<GetLogMessages>().add::<GetHostData>().add::<DoRun>();
}

/// Oldest first, unless something else is asked for.
fn by_id(opts: Option<toji_protocol::method::QueryOpts>) -> Option<toji_protocol::method::QueryOpts> {
    Some(
        opts.unwrap_or_else(|| toji_protocol::method::QueryOpts { order: Some("id".to_owned()), ..Default::default() }),
    )
}

impl Handle for GetTaskRuns {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<Map>> {
        let asked = Asked { clauses: self.clauses, fields: self.fields, opts: by_id(self.opts) };
        view::RUNS.query(cx.db().await?, asked).await
    }
}

impl Handle for GetTaskRefusals {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<Map>> {
        let asked = Asked { clauses: self.clauses, fields: self.fields, opts: by_id(None) };
        view::REFUSALS.query(cx.db().await?, asked).await
    }
}

impl Handle for GetLogMessages {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<Map>> {
        let asked = Asked { clauses: self.clauses, fields: self.fields, opts: by_id(self.opts) };
        view::MESSAGES.query(cx.db().await?, asked).await
    }
}

impl Handle for GetHostData {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<HostData>> {
        let rows = sqlx::query!(
            r#"SELECT id, methods AS "methods!", max_jobs FROM host
               WHERE methods IS NOT NULL AND ($1::bigint IS NULL OR id = $1) ORDER BY id"#,
            self.host_id.map(|id| id.0)
        )
        .fetch_all(cx.db().await?)
        .await?;
        let data = |methods, maxjobs| HostFacts { methods, maxjobs };
        Ok(rows
            .into_iter()
            .map(|row| HostData { host_id: HostId(row.id), data: data(row.methods, row.max_jobs) })
            .collect())
    }
}

impl Handle for DoRun {
    async fn handle(self, cx: &mut Cx) -> Result<bool> {
        let last = sqlx::query_scalar!("SELECT time FROM pass_run WHERE name = 'rescue'")
            .fetch_optional(cx.db().await?)
            .await?;
        cx.release();
        let now = cx.now;
        if !self.force && last.is_some_and(|last| now - last < RUN_INTERVAL) {
            return Ok(false);
        }
        rescue::run_once(&cx.hub, now).await?;
        Ok(true)
    }
}
