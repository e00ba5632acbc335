//! `toji add-channel`

use toji_protocol::method::channel::AddChannel as Add;

use crate::session::Session;

/// Add a channel: a group of builders for a kind of task
#[derive(clap::Args)]
pub(crate) struct AddChannel {
    /// Its name
    name: String,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
}

impl AddChannel {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let name = self.name.clone();
        let id = session.call(&Add { channel_name: self.name, description: self.description }).await?;
        session.tell(&format!("{name} added: id {id}"))
    }
}
