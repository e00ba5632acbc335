//! `toji set-task-priority`

use toji_protocol::{id::TaskId, method::task::SetTaskPriority as Set};

use crate::session::Session;

/// Set the priority of tasks
#[derive(clap::Args)]
pub(crate) struct SetTaskPriority {
    /// The tasks
    #[arg(required = true, value_name = "TASK")]
    tasks: Vec<TaskId>,
    /// Lower runs first; 20 is usual
    #[arg(long)]
    priority: i32,
    /// Their children's, too
    #[arg(long)]
    recurse: bool,
}

impl SetTaskPriority {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for task_id in self.tasks {
            session.call(&Set { task_id, priority: self.priority, recurse: self.recurse }).await?;
        }
        Ok(())
    }
}
