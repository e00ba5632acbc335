//! `rebuildSRPM`: makes an uploaded source RPM anew in the build tag's own buildroot.

use std::path::PathBuf;

use async_trait::async_trait;
use toji_protocol::{
    task::{
        TaskMethod,
        rebuild_srpm::{RebuildSrpmTask, SrpmMade},
    },
    value::{Map, Value},
};

use super::{TaskHandler, answer, source::fetch_srpm};
use crate::{
    buildroot::{Group, Session, Wish},
    context::TaskContext,
    failure::TaskError,
    srpm,
};

pub(super) struct RebuildSrpm;

#[async_trait]
impl TaskHandler for RebuildSrpm {
    fn method(&self) -> &str {
        RebuildSrpmTask::METHOD
    }

    async fn run(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let task = RebuildSrpmTask::from_request(ctx.task.request.clone())?;
        let wish = Wish {
            tag: task.build_tag,
            repo: task.opts.repo_id,
            arch: ctx.task.arch.clone(),
            group: Group::SrpmBuild,
            network: false,
            binds: Vec::new(),
        };
        let session = Session::open(ctx, &wish).await?;
        let outcome = rebuild(ctx, &session, &task.srpm).await;
        let finished = session.finish(ctx, outcome).await?;
        let name = task.srpm.rsplit('/').next().unwrap_or(&task.srpm);
        answer(&made(finished, source_of_upload(name)))
    }
}

async fn rebuild(ctx: &TaskContext, session: &Session, path: &str) -> Result<Vec<PathBuf>, TaskError> {
    let fetch = session.stages().time("fetch", fetch_srpm(ctx, path));
    let ((), srpm) = tokio::try_join!(session.fill(), fetch)?;
    let made = session.rebuild_srpm(&srpm).await?;
    srpm::well_named(&made).await?;
    Ok(vec![made])
}

/// The result of a task that made a source RPM.
pub(super) fn made(finished: crate::buildroot::Finished, source: Value) -> SrpmMade {
    SrpmMade {
        srpm: finished.files.into_iter().next().unwrap_or_default(),
        logs: finished.logs,
        brootid: finished.brootid,
        source: Some(source),
    }
}

fn source_of_upload(name: &str) -> Value {
    let mut source = Map::new();
    source.insert("source", name);
    source.insert("url", name);
    Value::Struct(source)
}
