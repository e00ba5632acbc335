//! `toji list-permissions`

use toji_protocol::{
    id::{Ref, UserId},
    method::user::{GetAllPerms, GetUserPerms, Permission},
};

use crate::{argument, output::Table, session::Session};

/// List permissions: all, or a user's
#[derive(clap::Args)]
pub(crate) struct ListPermissions {
    /// This user's
    #[arg(long, value_parser = argument::named::<UserId>, conflicts_with = "mine")]
    user: Option<Ref<UserId>>,
    /// Your own
    #[arg(long)]
    mine: bool,
}

impl ListPermissions {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let quiet = session.quiet;
        if self.mine || self.user.is_some() {
            let list = GetUserPerms { user_id: self.user, with_groups: true };
            return session.show(&list, |names| of_user(names, quiet)).await;
        }
        session.show(&GetAllPerms {}, |permissions| all(permissions, quiet)).await
    }
}

fn of_user(mut names: Vec<String>, quiet: bool) -> String {
    names.sort();
    let mut table = Table::new([("Permission name", 30)]);
    for name in names {
        table.row([name]);
    }
    table.text(quiet)
}

fn all(mut permissions: Vec<Permission>, quiet: bool) -> String {
    permissions.sort_by(|a, b| a.name.cmp(&b.name));
    let mut table = Table::new([("Permission name", 18), ("Description", 50)]);
    for permission in permissions {
        table.row([permission.name, permission.description.unwrap_or_default()]);
    }
    table.text(quiet)
}
