//! `toji cancel`

use anyhow::bail;
use toji_protocol::method::{
    build::{BuildRef, CancelBuild},
    task::{CancelTask, CancelTaskFull},
};

use crate::session::Session;

/// Cancel tasks and builds
#[derive(clap::Args)]
pub(crate) struct Cancel {
    /// Tasks by id, builds by name-version-release
    #[arg(required = true, value_name = "TASK | NVR")]
    what: Vec<String>,
    /// Not their children
    #[arg(long, conflicts_with = "full")]
    justone: bool,
    /// The whole tree that a task is in
    #[arg(long)]
    full: bool,
}

impl Cancel {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let mut refused = Vec::new();
        for what in &self.what {
            let cancelled = match what.parse() {
                Ok(task_id) if self.full => {
                    session.call(&CancelTaskFull { task_id, strict: false }).await.map(|()| true)
                }
                Ok(task_id) => session.call(&CancelTask { task_id, recurse: !self.justone }).await.map(|()| true),
                Err(_) => session.call(&CancelBuild { build_id: BuildRef::Nvr(what.clone()), strict: true }).await,
            };
            // The others are still to be cancelled.
            match cancelled {
                Ok(true) => {}
                Ok(false) => refused.push(format!("{what}: it has ended already")),
                Err(error) => refused.push(format!("{what}: {error}")),
            }
        }
        if !refused.is_empty() {
            bail!("cannot cancel {}", refused.join("; "));
        }
        Ok(())
    }
}
