//! `toji free-task`

use toji_protocol::{id::TaskId, method::task::FreeTask as Free};

use crate::session::Session;

/// Take tasks from their builders, so that they wait again
#[derive(clap::Args)]
pub(crate) struct FreeTask {
    /// The tasks
    #[arg(required = true, value_name = "TASK")]
    tasks: Vec<TaskId>,
}

impl FreeTask {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for task_id in self.tasks {
            session.call(&Free { task_id }).await?;
        }
        Ok(())
    }
}
