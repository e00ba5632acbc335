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

/// How a build's weight grows with the time that builds of its package took.
const MONTHS: i64 = 6;
const SECONDS_A_UNIT: f64 = 4800.0;
const MOST_ADDED: f64 = 18.0;

pub(super) struct BuildArch;

#[async_trait]
impl TaskHandler for BuildArch {
    fn method(&self) -> &str {
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
            binds: Vec::new(),
        };
        let (session, ()) = tokio::join!(Session::open(ctx, &wish), weigh(ctx, &task.pkg));
        let session = session?;
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

/// Koji's weight of a build: more the longer the package's builds took lately. The task goes on without it.
async fn weigh(ctx: &TaskContext, pkg: &str) {
    let Some(name) = package_name(pkg) else { return };
    let told = async {
        match ctx.hub.average_duration(name, MONTHS).await? {
            Some(seconds) => ctx.hub.set_weight(weight(seconds)).await,
            None => Ok(()),
        }
    };
    if let Err(error) = told.await {
        tracing::debug!(%error, "the task keeps its weight");
    }
}

fn weight(average_seconds: f64) -> f64 {
    BuildArchTask::WEIGHT + (average_seconds / SECONDS_A_UNIT).clamp(0.0, MOST_ADDED)
}

/// From `…/name-version-release.src.rpm`.
fn package_name(pkg: &str) -> Option<&str> {
    let (name_version, _release) = pkg.rsplit('/').next()?.strip_suffix(".src.rpm")?.rsplit_once('-')?;
    Some(name_version.rsplit_once('-')?.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights() {
        assert_eq!([0.0, 4800.0, 1e9].map(weight), [1.5, 2.5, 19.5]);
        assert_eq!(package_name("tasks/7/7/a-b-1.0-2.fc42.src.rpm"), Some("a-b"));
        assert_eq!(package_name("x.src.rpm"), None);
    }
}
