//! `toji enable-user`

use toji_protocol::{
    id::{Ref, UserId},
    method::user::EnableUser as Enable,
};

use crate::{argument, session::Session};

/// Let a blocked user in again
#[derive(clap::Args)]
pub(crate) struct EnableUser {
    /// The user
    #[arg(value_parser = argument::named::<UserId>)]
    user: Ref<UserId>,
}

impl EnableUser {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        session.call(&Enable { username: self.user }).await
    }
}
