//! `toji revoke-permission`

use toji_protocol::{
    id::{PermissionId, Ref, UserId},
    method::user::RevokePermission as Revoke,
};

use crate::{argument, session::Session};

/// Take a permission away from users
#[derive(clap::Args)]
pub(crate) struct RevokePermission {
    /// The permission
    #[arg(value_parser = argument::named::<PermissionId>)]
    permission: Ref<PermissionId>,
    /// The users
    #[arg(required = true, value_name = "USER", value_parser = argument::named::<UserId>)]
    users: Vec<Ref<UserId>>,
}

impl RevokePermission {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for userinfo in self.users {
            session.call(&Revoke { userinfo, permission: self.permission.clone() }).await?;
        }
        Ok(())
    }
}
