//! `toji watch-task`

use anyhow::{Context, bail};
use toji_protocol::{
    id::{TaskId, UserId},
    method::{Named, task::ListTasks, user::GetLoggedInUser},
    state::TaskState,
    value::Value,
};

use crate::{session::Session, watch};

/// Watch tasks to their end; exit code 1 unless all end well
#[derive(clap::Args)]
pub(crate) struct WatchTask {
    /// The tasks
    #[arg(required_unless_present = "mine", value_name = "TASK")]
    tasks: Vec<TaskId>,
    /// All of yours that have not ended
    #[arg(long, conflicts_with = "tasks")]
    mine: bool,
    /// Show their build logs, too
    #[arg(long)]
    log: bool,
}

impl WatchTask {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let tasks = if self.mine { mine(session).await? } else { self.tasks };
        watch::watch(session, &tasks, self.log).await
    }
}

/// The caller's tasks that have not ended and have no parent.
pub(crate) async fn mine(session: &Session) -> anyhow::Result<Vec<TaskId>> {
    let me = session.call(&GetLoggedInUser {}).await?.context("not logged in: there is no telling which are yours")?;
    let list = ListTasks { opts: Some(unfinished(me.id)), query_opts: None };
    let tasks = session.call(&list).await?.into_rows();
    let tasks: Vec<_> =
        tasks.iter().filter(|listed| listed.task.parent.is_none()).map(|listed| listed.task.id).collect();
    if tasks.is_empty() {
        bail!("none of your tasks is running");
    }
    Ok(tasks)
}

fn unfinished(owner: UserId) -> Named {
    let states = [TaskState::Free, TaskState::Open, TaskState::Assigned];
    let states: Vec<Value> = states.iter().map(|state| Value::Int(i64::from(*state))).collect();
    let mut opts = Named::new();
    opts.insert("owner", owner.0);
    opts.insert("state", states);
    opts
}
