//! `toji grant-permission`

use toji_protocol::{
    id::{PermissionId, Ref, UserId},
    method::user::GrantPermission as Grant,
};

use crate::{argument, session::Session};

/// Give users a permission
#[derive(clap::Args)]
pub(crate) struct GrantPermission {
    /// The permission
    #[arg(value_parser = argument::named::<PermissionId>)]
    permission: Ref<PermissionId>,
    /// The users
    #[arg(required = true, value_name = "USER", value_parser = argument::named::<UserId>)]
    users: Vec<Ref<UserId>>,
    /// Make the permission when there is none of that name
    #[arg(long)]
    new: bool,
    /// What a new permission is for
    #[arg(long, requires = "new")]
    description: Option<String>,
}

impl GrantPermission {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        for userinfo in self.users {
            let grant = Grant {
                userinfo,
                permission: self.permission.clone(),
                create: self.new,
                description: self.description.clone(),
            };
            session.call(&grant).await?;
        }
        Ok(())
    }
}
