//! `toji edit-host`

use anyhow::bail;
use toji_protocol::{
    id::{HostId, Ref},
    method::{Named, host::EditHost as Edit},
};

use crate::{argument, session::Session};

/// Change builders
#[derive(clap::Args)]
pub(crate) struct EditHost {
    /// The hosts
    #[arg(required = true, value_name = "HOST", value_parser = argument::named::<HostId>)]
    hosts: Vec<Ref<HostId>>,
    /// The architectures that they build, with blanks between
    #[arg(long)]
    arches: Option<String>,
    /// The sum of task weights that they take
    #[arg(long)]
    capacity: Option<f64>,
    /// What they are
    #[arg(long)]
    description: Option<String>,
    /// Why they are as they are
    #[arg(long)]
    comment: Option<String>,
}

impl EditHost {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let mut changes = Named::new();
        if let Some(arches) = self.arches {
            changes.insert("arches", arches);
        }
        if let Some(capacity) = self.capacity {
            changes.insert("capacity", capacity);
        }
        if let Some(description) = self.description {
            changes.insert("description", description);
        }
        if let Some(comment) = self.comment {
            changes.insert("comment", comment);
        }
        if changes.is_empty() {
            bail!("nothing to change: see toji edit-host --help");
        }
        for host in self.hosts {
            let shown = host.to_string();
            let changed = session.call(&Edit { host_info: host, changes: changes.clone() }).await?;
            let said = if changed { "Edited" } else { "No changes made to" };
            session.tell(&format!("{said} {}", shown.trim_matches('\'')))?;
        }
        Ok(())
    }
}
