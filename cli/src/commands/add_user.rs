//! `toji add-user`

use toji_protocol::method::user::CreateUser;

use crate::session::Session;

/// Add a user
#[derive(clap::Args)]
pub(crate) struct AddUser {
    /// Its name
    name: String,
    /// A Kerberos principal to note
    #[arg(long)]
    principal: Option<String>,
    /// Do not let it in yet
    #[arg(long)]
    disable: bool,
}

impl AddUser {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let name = self.name.clone();
        let create =
            CreateUser { username: self.name, status: Some(i64::from(self.disable)), krb_principal: self.principal };
        let id = session.call(&create).await?;
        session.tell(&format!("Added user {name} ({id})"))
    }
}
