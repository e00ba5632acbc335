//! `buildArch`: builds a source RPM for one architecture.

use std::path::PathBuf;

use async_trait::async_trait;
use toji_protocol::{
    task::{
        TaskMethod,
        build_arch::{BuildArchTask, Built},
    },
    value::Value,
};

use super::{TaskHandler, answer, source::fetch_srpm};
use crate::{
    buildroot::{Group, Session, Wish},
    context::TaskContext,
    failure::TaskError,
    srpm,
};

pub(super) struct BuildArch;

#[async_trait]
impl TaskHandler for BuildArch {
    fn method(&self) -> &'static str {
        BuildArchTask::METHOD
    }

    async fn run(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let task = BuildArchTask::from_request(ctx.task.request.clone())?;
        let wish = Wish {
            tag: task.root,
            repo: task.opts.repo_id,
            arch: task.arch.clone(),
            group: Group::Build,
            network: false,
        };
        let session = Session::open(ctx, &wish).await?;
        let outcome = build(ctx, &session, &task).await;
        let finished = session.finish(ctx, outcome).await?;
        let (srpms, rpms) = finished.files.into_iter().partition(|path| is_source(path));
        answer(&Built { rpms, srpms, logs: finished.logs, brootid: finished.brootid })
    }
}

async fn build(ctx: &TaskContext, session: &Session, task: &BuildArchTask) -> Result<Vec<PathBuf>, TaskError> {
    let fetch = session.stages().time("fetch", fetch_srpm(ctx, &task.pkg));
    let ((), srpm) = tokio::try_join!(session.fill(), fetch)?;
    let built = session.build(&srpm, &task.arch).await?;
    let (sources, mut rpms): (Vec<_>, Vec<_>) = built.into_iter().partition(|path| is_source(&path.to_string_lossy()));
    if rpms.is_empty() {
        return Err(TaskError::Build(format!("the build for {} made no RPMs; see build.log", task.arch)));
    }
    if task.keep_srpm {
        rpms.push(keepable(sources).await?);
    }
    Ok(rpms)
}

/// The one source RPM, if it says who made it.
async fn keepable(sources: Vec<PathBuf>) -> Result<PathBuf, TaskError> {
    let [source] = <[PathBuf; 1]>::try_from(sources)
        .map_err(|sources| TaskError::Build(format!("the build made {} source RPMs instead of one", sources.len())))?;
    match srpm::well_named(&source).await?.missing.as_slice() {
        [] => Ok(source),
        missing => Err(TaskError::Build(format!("the source RPM has no {}", missing.join(" and no ")))),
    }
}

fn is_source(path: &str) -> bool {
    path.ends_with(".src.rpm") || path.ends_with(".nosrc.rpm")
}
