//! `toji download-build`

use anyhow::{Context, bail};
use toji_protocol::{
    id::{Ref, TagId, TaskId},
    method::{
        OneOrMany,
        build::{BuildRef, GetBuild, ListBuilds},
        content::GetLatestBuilds,
        rpm::{ListRpms, Rpm},
    },
    nvr::{Nvr, Nvra},
    object_key,
    state::BuildState,
};

use crate::{
    argument,
    fetch::{Wanted, fetch},
    session::Session,
};

/// Download the RPMs of a build into the current folder
#[derive(clap::Args)]
pub(crate) struct DownloadBuild {
    /// A build's name-version-release or id, with --latestfrom a package, with --task-id a task
    build: String,
    /// Only this architecture; may be repeated
    #[arg(long, short, value_name = "ARCH")]
    arch: Vec<String>,
    /// With debug RPMs
    #[arg(long)]
    debuginfo: bool,
    /// BUILD is the id of the task that made it
    #[arg(long, conflicts_with = "latestfrom")]
    task_id: bool,
    /// The newest build of the package in this tag
    #[arg(long, value_name = "TAG", value_parser = argument::named::<TagId>)]
    latestfrom: Option<Ref<TagId>>,
    /// No progress bar
    #[arg(long)]
    noprogress: bool,
}

impl DownloadBuild {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let build = self.build(session).await?;
        let build = session.call(&GetBuild { build_info: build, strict: true }).await?.context("no such build")?;
        if build.state != BuildState::Complete {
            bail!("build {} is {}: it has no RPMs to download", build.nvr, build.state);
        }
        let arches = (!self.arch.is_empty()).then(|| OneOrMany::Many(self.arch.clone()));
        let list = ListRpms {
            build_id: Some(BuildRef::Id(build.id)),
            buildroot_id: None,
            image_id: None,
            component_buildroot_id: None,
            host_id: None,
            arches,
            query_opts: None,
            draft: None,
        };
        let mut rpms = session.call(&list).await?.into_rows();
        rpms.retain(|rpm| self.debuginfo || !is_debug(&rpm.name));
        if rpms.is_empty() {
            bail!("build {} has no such RPMs", build.nvr);
        }
        let nvr = Nvr { name: build.name, version: build.version, release: build.release, epoch: None };
        let files = rpms.iter().map(|rpm| wanted(&nvr, rpm)).collect::<anyhow::Result<Vec<_>>>()?;
        fetch(session, &files, !self.noprogress).await
    }

    async fn build(&self, session: &Session) -> anyhow::Result<BuildRef> {
        if let Some(tag) = &self.latestfrom {
            let latest = GetLatestBuilds {
                tag: tag.clone(),
                event: None,
                package: Some(Ref::Name(self.build.clone())),
                kind: None,
                draft: None,
            };
            let builds = session.call(&latest).await?;
            let latest = builds.first().with_context(|| format!("no build of {} in that tag", self.build))?;
            return Ok(BuildRef::Id(latest.build_id));
        }
        if self.task_id {
            let task: TaskId = self.build.parse().with_context(|| format!("'{}' is no task id", self.build))?;
            let builds = session.call(&of_task(task)).await?.into_rows();
            let build = builds.first().with_context(|| format!("task {task} made no build"))?;
            return Ok(BuildRef::Id(build.build_id));
        }
        argument::build(&self.build).map_err(anyhow::Error::msg)
    }
}

/// The builds that a task made.
pub(crate) fn of_task(task: TaskId) -> ListBuilds {
    ListBuilds {
        package_id: None,
        user_id: None,
        task_id: Some(OneOrMany::One(task)),
        prefix: None,
        state: None,
        volume_id: None,
        source: None,
        created_before: None,
        created_after: None,
        complete_before: None,
        complete_after: None,
        kind: None,
        type_info: None,
        query_opts: None,
        pattern: None,
        cg_id: None,
        draft: None,
        promoted_before: None,
        promoted_after: None,
        promoter: None,
    }
}

fn wanted(build: &Nvr, rpm: &Rpm) -> anyhow::Result<Wanted> {
    Wanted::here(path(build, rpm)?, u64::try_from(rpm.size).ok())
}

/// Where an RPM is below the top URL.
pub(crate) fn path(build: &Nvr, rpm: &Rpm) -> anyhow::Result<String> {
    let nvra = Nvra::parse(&format!("{}-{}-{}.{}", rpm.name, rpm.version, rpm.release, rpm.arch))?;
    Ok(object_key::rpm(build, &nvra))
}

fn is_debug(name: &str) -> bool {
    name.ends_with("-debuginfo") || name.ends_with("-debugsource") || name.contains("-debuginfo-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_rpms_are_known_by_their_names() {
        assert!(is_debug("hello-debuginfo") && is_debug("hello-libs-debuginfo") && is_debug("hello-debugsource"));
        assert!(is_debug("kernel-debuginfo-common-x86_64"));
        assert!(!is_debug("hello") && !is_debug("debuginfod"));
    }
}
