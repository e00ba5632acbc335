//! `toji watch-logs`

use anyhow::bail;
use toji_protocol::{
    id::TaskId,
    method::{
        OneOrMany,
        task::{GetTaskDescendents, GetTaskInfo, TaskInfo},
    },
    state::TaskState,
};

use super::watch_task::mine;
use crate::{
    failure::Told,
    poll::Pauses,
    session::Session,
    task_log::{self, Tails},
};

/// Follow the logs of tasks until they end
#[derive(clap::Args)]
pub(crate) struct WatchLogs {
    /// The tasks
    #[arg(required_unless_present = "mine", value_name = "TASK")]
    tasks: Vec<TaskId>,
    /// All of yours that have not ended
    #[arg(long, conflicts_with = "tasks")]
    mine: bool,
    /// Only this log, such as build.log
    #[arg(long, value_name = "NAME")]
    log: Option<String>,
    /// The logs of what the tasks start, too
    #[arg(long, short)]
    follow: bool,
}

impl WatchLogs {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let tops = if self.mine { mine(session).await? } else { self.tasks.clone() };
        tokio::select! {
            ended = self.watch(session, &tops) => ended,
            _ = tokio::signal::ctrl_c() => Err(Told::Interrupted.into()),
        }
    }

    async fn watch(&self, session: &Session, tops: &[TaskId]) -> anyhow::Result<()> {
        let mut tails = Tails::default();
        let mut pauses = Pauses::new();
        loop {
            // States first: what is written before the end is then read after it.
            let tasks = self.tasks(session, tops).await?;
            for task in tasks.iter().filter(|task| task.state != TaskState::Free) {
                for name in self.logs(session, task.id).await? {
                    tails.follow(session, task.id, &name, task.state.is_final()).await?;
                }
            }
            if tasks.iter().all(|task| task.state.is_final()) {
                return self.end(&tasks, &tails);
            }
            pauses.pause().await;
        }
    }

    fn end(&self, tasks: &[TaskInfo], tails: &Tails) -> anyhow::Result<()> {
        if tasks.iter().any(|task| tails.has_read(task.id)) {
            return Ok(());
        }
        let what = self.log.as_deref().unwrap_or("logs");
        let hint = if self.follow { "" } else { "; --follow shows those of the tasks it started" };
        bail!("there are no {what}{hint}")
    }

    async fn logs(&self, session: &Session, task: TaskId) -> anyhow::Result<Vec<String>> {
        if let Some(name) = &self.log {
            return Ok(vec![name.clone()]);
        }
        let mut logs = task_log::files(session, task).await?;
        logs.retain(|name| task_log::is_log(name));
        logs.sort();
        Ok(logs)
    }

    async fn tasks(&self, session: &Session, tops: &[TaskId]) -> anyhow::Result<Vec<TaskInfo>> {
        let ask = GetTaskInfo { task_id: OneOrMany::Many(tops.to_vec()), request: false, strict: true };
        let mut tasks: Vec<_> = session.call(&ask).await?.into_vec().into_iter().flatten().collect();
        for top in tops.iter().filter(|_| self.follow) {
            let below = session.call(&GetTaskDescendents { task_id: *top, request: false }).await?;
            tasks.extend(below.into_values().flatten().filter(|task| !tops.contains(&task.id)));
        }
        Ok(tasks)
    }
}
