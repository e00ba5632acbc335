//! `toji rpminfo`

use anyhow::Context;
use serde_json::json;
use toji_protocol::{
    method::{
        build::{Build, BuildRef, GetBuild},
        buildroot::{Buildroot, GetBuildroot},
        rpm::{GetRpm, Rpm, RpmRef},
    },
    nvr::Nvr,
};

use super::download_build::path;
use crate::{output::long_ts, session::Session};

/// Show an RPM: the build it is of, and the buildroot it was made in
#[derive(clap::Args)]
pub(crate) struct Rpminfo {
    /// RPMs, as name-version-release.arch or id
    #[arg(required = true, value_name = "NVRA")]
    rpms: Vec<String>,
}

impl Rpminfo {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for (place, name) in self.rpms.iter().enumerate() {
            let name = name.strip_suffix(".rpm").unwrap_or(name);
            let rpminfo = name.parse().map_or_else(|_| RpmRef::Nvra(name.to_owned()), RpmRef::Id);
            let rpm = session.call(&GetRpm { rpminfo, strict: true, multi: false }).await?;
            let rpm = rpm.and_then(|rpm| rpm.into_vec().into_iter().next()).context("no such RPM")?;
            let build = match rpm.build_id {
                Some(id) => session.call(&GetBuild { build_info: BuildRef::Id(id), strict: false }).await?,
                None => None,
            };
            let root = match rpm.buildroot_id {
                Some(buildroot_id) => session.call(&GetBuildroot { buildroot_id, strict: false }).await?,
                None => None,
            };
            if session.json {
                let mut json = json!(rpm);
                json["build"] = json!(build);
                json["buildroot"] = json!(root);
                session.say_json(&json)?;
                continue;
            }
            if place > 0 {
                session.say("\n")?;
            }
            session.say(&render(&rpm, build.as_ref(), root.as_ref(), &session.topurl)?)?;
        }
        Ok(())
    }
}

fn render(rpm: &Rpm, build: Option<&Build>, root: Option<&Buildroot>, topurl: &str) -> anyhow::Result<String> {
    let epoch = rpm.epoch.map(|epoch| format!("{epoch}:")).unwrap_or_default();
    let mut lines = vec![format!("RPM: {epoch}{}-{}-{}.{} [{}]", rpm.name, rpm.version, rpm.release, rpm.arch, rpm.id)];
    match build {
        Some(build) => {
            let (name, version, release) = (build.name.clone(), build.version.clone(), build.release.clone());
            lines.push(format!("Build: {} [{}]", build.nvr, build.id));
            lines.push(format!("RPM Path: {topurl}/{}", path(&Nvr { name, version, release, epoch: None }, rpm)?));
        }
        None => lines.push(format!("External Repository: {} [{}]", rpm.external_repo_name, rpm.external_repo_id)),
    }
    lines.push(format!("Built: {}", long_ts(rpm.buildtime as f64)));
    lines.push(format!("SIGMD5: {}", rpm.payloadhash));
    lines.push(format!("Size: {}", rpm.size));
    if let Some(build) = build {
        lines.push(format!("Build ID: {}", build.id));
    }
    if let Some(root) = root {
        let tag = root.tag_name.as_deref().unwrap_or("-");
        let repo = root.repo_id.map(|id| id.to_string()).unwrap_or_default();
        lines.push(format!("Buildroot: {} (tag {tag}, arch {}, repo {repo})", root.id, root.arch));
        if let Some(host) = &root.host_name {
            lines.push(format!("Build Host: {host}"));
        }
        if let Some(task) = root.task_id {
            lines.push(format!("Build Task: {task}"));
        }
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::{super::buildinfo::tests, *};

    #[test]
    fn shows_everything() {
        let build = serde_json::from_value(tests::build()).unwrap();
        insta::assert_snapshot!(render(&tests::rpm("x86_64"), Some(&build), None, "http://hub/kojifiles").unwrap(), @r"
        RPM: hello-1.0-1.x86_64 [7]
        Build: hello-1.0-1 [1]
        RPM Path: http://hub/kojifiles/packages/hello/1.0/1/x86_64/hello-1.0-1.x86_64.rpm
        Built: Sat, 21 Nov 2026 00:00:13 UTC
        SIGMD5: abcd
        Size: 6567
        Build ID: 1
        ");
    }
}
