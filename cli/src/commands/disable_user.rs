//! `toji disable-user`

use toji_protocol::{
    id::{Ref, UserId},
    method::user::DisableUser as Disable,
};

use crate::{argument, session::Session};

/// Block a user: its sessions and tokens are refused
#[derive(clap::Args)]
pub(crate) struct DisableUser {
    /// The user
    #[arg(value_parser = argument::named::<UserId>)]
    user: Ref<UserId>,
}

impl DisableUser {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        session.call(&Disable { username: self.user }).await
    }
}
