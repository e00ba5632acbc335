//! `toji add-host`

use toji_protocol::method::{OneOrMany, host::AddHost as Add};

use crate::session::Session;

/// Make a builder known
#[derive(clap::Args)]
pub(crate) struct AddHost {
    /// Its name
    name: String,
    /// The architectures that it builds
    #[arg(required = true, value_name = "ARCH")]
    arches: Vec<String>,
    /// Turn an ordinary user of that name into a host
    #[arg(long)]
    force: bool,
}

impl AddHost {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let name = self.name.clone();
        let add =
            Add { hostname: self.name, arches: OneOrMany::Many(self.arches), krb_principal: None, force: self.force };
        let id = session.call(&add).await?;
        session.tell(&format!("{name} added: id {id}"))
    }
}
