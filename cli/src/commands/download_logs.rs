//! `toji download-logs`

use std::{fs, path::PathBuf};

use anyhow::{Context, bail};
use toji_protocol::{
    id::TaskId,
    method::{
        OneOrMany,
        build::{BuildRef, GetBuild},
        task::{GetTaskDescendents, GetTaskInfo, TaskInfo},
    },
    state::TaskState,
};

use crate::{
    fetch::safe,
    session::Session,
    task_log::{files, is_log, whole},
    watch::fault,
};

/// Download the logs of tasks, each task's into a folder kojilogs/ARCH-TASK
#[derive(clap::Args)]
pub(crate) struct DownloadLogs {
    /// The tasks
    #[arg(required = true, value_name = "TASK")]
    tasks: Vec<String>,
    /// TASK is a build's name-version-release; the task that made it is meant
    #[arg(long)]
    nvr: bool,
    /// The logs of what the tasks started, too
    #[arg(long, short)]
    recurse: bool,
    /// Only logs with this in their names
    #[arg(long = "match", short, value_name = "TEXT")]
    matching: Option<String>,
    /// Write below this folder
    #[arg(long, short, value_name = "FOLDER", default_value = "kojilogs")]
    dir: PathBuf,
}

impl DownloadLogs {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let mut written = 0;
        for name in &self.tasks {
            let top = self.task(session, name).await?;
            for task in self.tree(session, top).await? {
                written += self.save(session, &task).await?;
            }
        }
        if written == 0 {
            let hint = if self.recurse { "" } else { "; --recurse downloads those of the tasks it started" };
            bail!("there are no such logs{hint}");
        }
        Ok(())
    }

    async fn task(&self, session: &Session, name: &str) -> anyhow::Result<TaskId> {
        if !self.nvr {
            return name.parse().with_context(|| format!("'{name}' is no task id; a build takes --nvr"));
        }
        let build = GetBuild { build_info: BuildRef::Nvr(name.to_owned()), strict: true };
        let build = session.call(&build).await?.context("no such build")?;
        build.task_id.with_context(|| format!("build {name} was imported: no task made it"))
    }

    async fn tree(&self, session: &Session, top: TaskId) -> anyhow::Result<Vec<TaskInfo>> {
        let ask = GetTaskInfo { task_id: OneOrMany::One(top), request: false, strict: true };
        let mut tasks: Vec<_> = session.call(&ask).await?.into_vec().into_iter().flatten().collect();
        // A build's own task has none: what is meant are those of the tasks that it started.
        if self.recurse || self.nvr {
            let below = session.call(&GetTaskDescendents { task_id: top, request: false }).await?;
            tasks.extend(below.into_values().flatten().filter(|task| task.id != top));
        }
        Ok(tasks)
    }

    async fn save(&self, session: &Session, task: &TaskInfo) -> anyhow::Result<usize> {
        let folder = self.dir.join(format!("{}-{}", safe(&task.arch)?, task.id));
        let mut logs = files(session, task.id).await?;
        logs.retain(|name| is_log(name));
        logs.retain(|name| self.matching.as_ref().is_none_or(|part| name.contains(part.as_str())));
        let mut written = 0;
        let mut write = |name: &str, content: &[u8]| {
            let path = folder.join(safe(name)?);
            fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
            fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
            written += 1;
            session.tell(&format!("Writing: {}", path.display()))
        };
        for name in logs {
            write(&name, &whole(session, task.id, &name).await?)?;
        }
        if task.state == TaskState::Failed
            && let Some(message) = fault(session, task.id).await
        {
            write("task_failed.log", format!("{message}\n").as_bytes())?;
        }
        Ok(written)
    }
}
