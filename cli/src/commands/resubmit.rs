//! `toji resubmit`

use toji_protocol::{id::TaskId, method::task::ResubmitTask};

use crate::{session::Session, watch};

/// Start a task anew that failed or was canceled
#[derive(clap::Args)]
pub(crate) struct Resubmit {
    /// The task
    task: TaskId,
    /// Only start it
    #[arg(long)]
    nowait: bool,
    /// Show the build log while watching
    #[arg(long)]
    log: bool,
}

impl Resubmit {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let task = session.call(&ResubmitTask { task_id: self.task }).await?;
        if session.json {
            session.say_json(&serde_json::json!({"task_id": task}))?;
        } else {
            session.say(&format!("Resubmitted task {} as new task {task}", self.task))?;
        }
        if self.nowait { Ok(()) } else { watch::watch(session, &[task], self.log && !session.json).await }
    }
}
