//! `toji buildinfo`

use anyhow::Context;
use serde_json::json;
use toji_protocol::{
    method::{
        OneOrMany,
        build::{Build, BuildRef, GetBuild},
        rpm::{ListRpms, Rpm},
        tag::ListTags,
        task::{GetTaskInfo, TaskInfo},
    },
    nvr::Nvr,
};

use super::download_build::path;
use crate::{argument, output::long_time, session::Session, task_label};

/// Show a build: how it stands, where it is tagged, and its RPMs
#[derive(clap::Args)]
pub(crate) struct Buildinfo {
    /// The builds
    #[arg(required = true, value_name = "NVR", value_parser = argument::build)]
    builds: Vec<BuildRef>,
}

/// Everything that is shown.
struct Info {
    build: Build,
    task: Option<TaskInfo>,
    tags: Vec<String>,
    rpms: Vec<Rpm>,
}

impl Buildinfo {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for (place, build) in self.builds.into_iter().enumerate() {
            let info = Info::ask(session, build).await?;
            if session.json {
                session.say_json(&info.json())?;
                continue;
            }
            if place > 0 {
                session.say("\n")?;
            }
            session.say(&info.text(&session.topurl)?)?;
        }
        Ok(())
    }
}

impl Info {
    async fn ask(session: &Session, build: BuildRef) -> anyhow::Result<Self> {
        let build = session.call(&GetBuild { build_info: build, strict: true }).await?.context("no such build")?;
        let id = || Some(BuildRef::Id(build.id));
        let tags = ListTags { build: id(), package: None, perms: false, query_opts: None, pattern: None };
        let rpms = ListRpms {
            build_id: id(),
            buildroot_id: None,
            image_id: None,
            component_buildroot_id: None,
            host_id: None,
            arches: None,
            query_opts: None,
            draft: None,
        };
        let task = match build.task_id {
            Some(task) => {
                let ask = GetTaskInfo { task_id: OneOrMany::One(task), request: true, strict: false };
                session.call(&ask).await?.into_vec().pop().flatten()
            }
            None => None,
        };
        let mut tags: Vec<_> = session.call(&tags).await?.into_rows().into_iter().map(|tag| tag.name).collect();
        tags.sort();
        let mut rpms = session.call(&rpms).await?.into_rows();
        rpms.sort_by(|a, b| (&a.arch, &a.name).cmp(&(&b.arch, &b.name)));
        Ok(Self { build, task, tags, rpms })
    }

    fn json(&self) -> serde_json::Value {
        let mut json = json!(self.build);
        json["tags"] = json!(self.tags);
        json["rpms"] = json!(self.rpms);
        json
    }

    fn text(&self, topurl: &str) -> anyhow::Result<String> {
        let build = &self.build;
        let mut lines = vec![
            format!("BUILD: {} [{}]", build.nvr, build.id),
            format!("Draft: {}", if build.draft { "YES" } else { "NO" }),
            format!("State: {}", build.state),
            format!("Built by: {}", build.owner_name),
        ];
        if let Some(source) = &build.source {
            lines.push(format!("Source: {source}"));
        }
        lines.push(format!("Volume: {}", build.volume_name));
        match (&self.task, build.task_id) {
            (Some(task), _) => lines.push(format!("Task: {}", task_label::with_id(task))),
            (None, Some(id)) => lines.push(format!("Task: {id}")),
            (None, None) => lines.push("Task: none".to_owned()),
        }
        if let Some(time) = build.start_time {
            lines.push(format!("Started: {}", long_time(time)));
        }
        if let Some(time) = build.completion_time {
            lines.push(format!("Finished: {}", long_time(time)));
        }
        lines.push(format!("Tags: {}", self.tags.join(" ")));
        if !self.rpms.is_empty() {
            lines.push("RPMs:".to_owned());
        }
        let nvr = Nvr {
            name: build.name.clone(),
            version: build.version.clone(),
            release: build.release.clone(),
            epoch: None,
        };
        for rpm in &self.rpms {
            lines.push(format!("{topurl}/{}", path(&nvr, rpm)?));
        }
        Ok(lines.join("\n"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::task_label::tests::task;

    /// A build as the hub would show it.
    pub(crate) fn build() -> serde_json::Value {
        json!({"build_id": 1, "cg_id": null, "completion_time": "2026-11-21 00:00:13.997101+00:00",
            "completion_ts": 1795219213.997101, "creation_event_id": 40, "creation_time": "2026-11-21 00:00:14.000551+00:00",
            "creation_ts": 1795219214.000551, "draft": false, "epoch": null, "extra": null, "id": 1, "name": "hello",
            "nvr": "hello-1.0-1", "owner_id": 1, "owner_name": "admin", "package_id": 1, "package_name": "hello",
            "promoter_id": null, "promoter_name": null, "promotion_time": null, "promotion_ts": null, "release": "1",
            "source": null, "start_time": null, "start_ts": null, "state": 1, "task_id": 4, "version": "1.0",
            "volume_id": 0, "volume_name": "DEFAULT", "cg_name": null})
    }

    /// An RPM as the hub would show it.
    pub(crate) fn rpm(arch: &str) -> Rpm {
        let rpm = json!({"arch": arch, "build_id": 1, "buildroot_id": 1, "buildtime": 1795219213, "draft": false,
            "epoch": null, "external_repo_id": 0, "external_repo_name": "INTERNAL", "extra": null, "id": 7,
            "metadata_only": false, "name": "hello", "payloadhash": "abcd", "release": "1", "size": 6567, "version": "1.0"});
        serde_json::from_value(rpm).unwrap()
    }

    #[test]
    fn shows_everything() {
        let info = Info {
            build: serde_json::from_value(build()).unwrap(),
            task: Some(task(4, "build", 2, vec!["cli-build/x/hello-1.0-1.src.rpm".into(), "demo".into()])),
            tags: vec!["demo".to_owned()],
            rpms: vec![rpm("src"), rpm("x86_64")],
        };
        insta::assert_snapshot!(info.text("http://hub/kojifiles").unwrap(), @r"
        BUILD: hello-1.0-1 [1]
        Draft: NO
        State: COMPLETE
        Built by: admin
        Volume: DEFAULT
        Task: 4 build (demo, hello-1.0-1.src.rpm)
        Finished: Sat, 21 Nov 2026 00:00:13 UTC
        Tags: demo
        RPMs:
        http://hub/kojifiles/packages/hello/1.0/1/src/hello-1.0-1.src.rpm
        http://hub/kojifiles/packages/hello/1.0/1/x86_64/hello-1.0-1.x86_64.rpm
        ");
    }
}
