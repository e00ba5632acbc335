//! `toji download-task`

use anyhow::bail;
use toji_protocol::{
    id::TaskId,
    method::{
        OneOrMany,
        task::{GetTaskDescendents, GetTaskInfo, ListTaskOutput, TaskInfo},
    },
    task::build::result_path,
    value::Value,
};

use crate::{
    fetch::{Wanted, fetch, safe},
    session::Session,
    task_log::is_log,
    watch,
};

/// Download what a task and its children have made
#[derive(clap::Args)]
pub(crate) struct DownloadTask {
    /// The task
    task: TaskId,
    /// Only this architecture; may be repeated
    #[arg(long, value_name = "ARCH")]
    arch: Vec<String>,
    /// With logs, each named NAME.ARCH.log
    #[arg(long)]
    logs: bool,
    /// Wait for the task's end first
    #[arg(long)]
    wait: bool,
    /// No progress bar
    #[arg(long)]
    noprogress: bool,
}

impl DownloadTask {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        if self.wait {
            watch::watch(session, &[self.task], false).await?;
        }
        let ask = GetTaskInfo { task_id: OneOrMany::One(self.task), request: false, strict: true };
        let mut tasks: Vec<_> = session.call(&ask).await?.into_vec().into_iter().flatten().collect();
        let below = session.call(&GetTaskDescendents { task_id: self.task, request: false }).await?;
        tasks.extend(below.into_values().flatten().filter(|task| task.id != self.task));
        if let Some(task) = tasks.iter().find(|task| !task.state.is_final()) {
            bail!("task {} is {}: --wait waits for it", task.id, task.state.name().to_lowercase());
        }
        let mut files: Vec<Wanted> = Vec::new();
        for task in &tasks {
            for file in self.files(session, task).await? {
                // Two architectures may both hand in the source RPM; one is enough.
                if !files.iter().any(|known| known.to == file.to) {
                    files.push(file);
                }
            }
        }
        if files.is_empty() {
            bail!("task {} has nothing to download", self.task);
        }
        fetch(session, &files, !self.noprogress).await
    }

    async fn files(&self, session: &Session, task: &TaskInfo) -> anyhow::Result<Vec<Wanted>> {
        let list = ListTaskOutput { task_id: task.id, stat: true, all_volumes: false, strict: false };
        let Value::Struct(files) = session.call(&list).await? else { return Ok(Vec::new()) };
        let mut wanted = Vec::new();
        for (name, stat) in files.iter() {
            let Some(to) = self.target(safe(name)?, &task.arch) else { continue };
            let size = stat.get("st_size").and_then(Value::as_str).and_then(|size| size.parse().ok());
            wanted.push(Wanted { path: format!("work/{}", result_path(task.id, name)), to: to.into(), size });
        }
        Ok(wanted)
    }

    /// What a file is called here; None = it is not wanted.
    fn target(&self, name: &str, task_arch: &str) -> Option<String> {
        if is_log(name) {
            let wanted = self.logs && (self.arch.is_empty() || self.arch.iter().any(|arch| arch == task_arch));
            return wanted.then(|| format!("{}.{task_arch}.log", name.trim_end_matches(".log")));
        }
        let stem = name.strip_suffix(".rpm")?;
        let arch = stem.rsplit('.').next()?;
        (self.arch.is_empty() || self.arch.iter().any(|wanted| wanted == arch)).then(|| name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted() {
        let task = |arch: &[&str], logs| DownloadTask {
            task: TaskId(1),
            arch: arch.iter().map(|arch| (*arch).to_owned()).collect(),
            logs,
            wait: false,
            noprogress: true,
        };
        let all = task(&[], false);
        assert_eq!(all.target("a-1-1.x86_64.rpm", "x86_64").as_deref(), Some("a-1-1.x86_64.rpm"));
        assert_eq!(all.target("build.log", "x86_64"), None);
        assert_eq!(all.target("state.json", "x86_64"), None);
        let some = task(&["src"], true);
        assert_eq!(some.target("a-1-1.src.rpm", "x86_64").as_deref(), Some("a-1-1.src.rpm"));
        assert_eq!(some.target("a-1-1.x86_64.rpm", "x86_64"), None);
        assert_eq!(task(&[], true).target("build.log", "x86_64").as_deref(), Some("build.x86_64.log"));
    }
}
