//! `toji watch-logs`

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use toji_protocol::{
    id::TaskId,
    method::{
        OneOrMany,
        task::{GetTaskDescendents, GetTaskInfo, TaskInfo},
    },
    state::TaskState,
    task::traits_of,
};
use tokio::sync::mpsc;

use super::watch_task::mine;
use crate::{
    failure::Told,
    log_stream::{LogStream, Said},
    output,
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
        let mut watcher = Watcher::new(session, self);
        let mut pauses = Pauses::new();
        loop {
            // States first: what is written before the end is then read after it.
            let tasks = self.tasks(session, tops).await?;
            for task in tasks.iter().filter(|task| task.state != TaskState::Free) {
                watcher.look(task).await?;
            }
            if tasks.iter().all(|task| task.state.is_final()) {
                return self.end(&tasks, &watcher.tails);
            }
            watcher.listen(pauses.pause()).await?;
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
        logs.retain(|name| task_log::is_log(name) && !task_log::is_timestamps(name));
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

/// Follows tasks' logs: streamed while the server does that, and read off it otherwise, and at their end.
struct Watcher<'a> {
    session: &'a Session,
    wanted: &'a WatchLogs,
    tails: Tails,
    /// The streams of tasks at work.
    streams: BTreeMap<TaskId, LogStream>,
    /// Tasks whose logs were read to their end.
    done: BTreeSet<TaskId>,
    /// Whether the server streams, as far as is known.
    is_streamed: bool,
    said: mpsc::Receiver<Said>,
    tell: mpsc::Sender<Said>,
}

impl<'a> Watcher<'a> {
    fn new(session: &'a Session, wanted: &'a WatchLogs) -> Self {
        let (tell, said) = mpsc::channel(64);
        let (tails, streams, done) = (Tails::default(), BTreeMap::new(), BTreeSet::new());
        Self { session, wanted, tails, streams, done, is_streamed: true, said, tell }
    }

    async fn look(&mut self, task: &TaskInfo) -> anyhow::Result<()> {
        if task.state.is_final() {
            if self.done.insert(task.id) {
                // what a stream would still tell is read, too
                self.streams.remove(&task.id);
                self.drain().await?;
                self.read(task.id, true).await?;
            }
            return Ok(());
        }
        if !self.is_streamed {
            return self.read(task.id, false).await;
        }
        // what the hub itself runs writes no logs
        if !traits_of(&task.method).1 && !self.streams.contains_key(&task.id) {
            let log = self.wanted.log.as_deref();
            let stream = LogStream::start(self.session.client.clone(), task.id, log, self.tell.clone());
            self.streams.insert(task.id, stream);
        }
        Ok(())
    }

    async fn read(&mut self, task: TaskId, ended: bool) -> anyhow::Result<()> {
        for name in self.wanted.logs(self.session, task).await? {
            self.tails.follow(self.session, task, &name, ended).await?;
        }
        Ok(())
    }

    /// Shows what is streamed, until it is time to look at the tasks again.
    async fn listen(&mut self, pause: impl Future<Output = ()>) -> anyhow::Result<()> {
        let mut pause = std::pin::pin!(pause);
        loop {
            tokio::select! {
                biased;
                () = &mut pause => return Ok(()),
                Some(said) = self.said.recv() => self.take(said).await?,
            }
        }
    }

    /// Shows what has come already.
    async fn drain(&mut self) -> anyhow::Result<()> {
        while let Ok(said) = self.said.try_recv() {
            self.take(said).await?;
        }
        Ok(())
    }

    async fn take(&mut self, said: Said) -> anyhow::Result<()> {
        match said {
            Said::Text(_, text) if self.wanted.log.is_none() && task_log::is_timestamps(&text.log) => Ok(()),
            Said::Text(task, text) => self.tails.take(self.session, task, text).await,
            Said::Attempt(task, attempt) => {
                self.tails.attempt(task, attempt);
                Ok(())
            }
            Said::Unavailable(reason) => {
                if self.is_streamed {
                    output::warn(&format!("the server does not stream logs ({reason}); they are asked for instead"));
                }
                self.is_streamed = false;
                self.streams.clear();
                Ok(())
            }
        }
    }
}
