//! Users: finding and making them, their `permission`s and their `token`s.

mod permission;
mod sql;
mod token;

pub use permission::{permissions, require_permission};
use sqlx::PgConnection;
use toji_protocol::{
    id::{Ref, UserId},
    method::{
        Listing,
        user::{
            CreateToken, CreateUser, DisableUser, EnableUser, GetAllPerms, GetLoggedInUser, GetPerms, GetUser,
            GetUserPerms, GetUserPermsInheritance, GrantPermission, HasPerm, ListTokens, ListUsers, LoggedInUser,
            RevokePermission, RevokeToken, User,
        },
    },
    state::UserType,
};
pub use token::{bootstrap_admin, new_token};

use crate::{
    Error, Result,
    call::{Cx, Handle, Table},
    listing, name,
};

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<GetUser>()
        .add::<GetLoggedInUser>()
        .add::<ListUsers>()
        .add::<CreateUser>()
        .add::<EnableUser>()
        .add::<DisableUser>()
        .add::<GrantPermission>()
        .add::<RevokePermission>()
        .add::<HasPerm>()
        .add::<GetPerms>()
        .add::<GetUserPerms>()
        .add::<GetUserPermsInheritance>()
        .add::<GetAllPerms>()
        .add::<CreateToken>()
        .add::<ListTokens>()
        .add::<RevokeToken>();
}

/// A user, by id, name or Kerberos principal.
///
/// # Errors
/// When the database is away.
pub async fn find(conn: &mut PgConnection, user: &Ref<UserId>) -> Result<Option<User>> {
    sql::find(conn, user).await
}

/// The same; a fault when there is none.
///
/// # Errors
/// When there is no such user.
pub async fn require(conn: &mut PgConnection, user: &Ref<UserId>) -> Result<User> {
    find(conn, user).await?.ok_or_else(|| Error::missing(format!("No such user: {user}")))
}

/// A user's name.
///
/// # Errors
/// When there is no such user.
pub async fn name(conn: &mut PgConnection, user: UserId) -> Result<String> {
    Ok(require(conn, &Ref::Id(user)).await?.name)
}

/// Makes the user that a new host is.
///
/// # Errors
/// When the name is taken, unless `force` turns an ordinary user into a host.
pub(crate) async fn create_host_user(
    conn: &mut PgConnection,
    name: &str,
    principal: Option<&str>,
    force: bool,
) -> Result<UserId> {
    name::check_user(name)?;
    let id = match sql::create(conn, name, 0, UserType::Host).await? {
        Some(id) => id,
        None => {
            let user = require(conn, &name.into()).await?;
            match user.usertype {
                UserType::Group => return Err(Error::invalid(format!("{name} is a group: choose another name"))),
                UserType::Normal if !force => {
                    return Err(Error::invalid(format!("user {name} exists; force turns it into a host")));
                }
                UserType::Normal => sql::set_type(conn, user.id, UserType::Host).await?,
                UserType::Host => {}
            }
            user.id
        }
    };
    add_principal(conn, id, principal).await?;
    Ok(id)
}

async fn add_principal(conn: &mut PgConnection, user: UserId, principal: Option<&str>) -> Result<()> {
    match principal {
        Some(principal) if !sql::add_principal(conn, user, principal).await? => {
            Err(Error::invalid(format!("another user has the principal {principal}")))
        }
        _ => Ok(()),
    }
}

impl Handle for GetUser {
    async fn handle(self, cx: &mut Cx) -> Result<Option<User>> {
        let asked = match (self.user_info, cx.caller.user_id()) {
            (Some(user), _) => user,
            (None, Some(caller)) => Ref::Id(caller),
            (None, None) if self.strict => return Err(Error::missing("nobody is logged in")),
            (None, None) => return Ok(None),
        };
        let conn = cx.db().await?;
        let mut found = if self.strict { Some(require(conn, &asked).await?) } else { find(conn, &asked).await? };
        if let (true, Some(user)) = (self.groups, &mut found) {
            user.groups = Some(sql::groups(conn, user.id).await?);
        }
        Ok(found)
    }
}

impl Handle for GetLoggedInUser {
    async fn handle(self, cx: &mut Cx) -> Result<Option<LoggedInUser>> {
        let Some(id) = cx.caller.user_id() else { return Ok(None) };
        let user = require(cx.db().await?, &Ref::Id(id)).await?;
        Ok(Some(LoggedInUser {
            id: user.id,
            name: user.name,
            status: user.status,
            usertype: user.usertype,
            krb_principals: user.krb_principals,
            authtype: 0,
            krb_principal: None,
        }))
    }
}

impl Handle for ListUsers {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<User>> {
        let wanted = sql::Wanted {
            usertype: self.user_type,
            prefix: self.prefix.as_deref(),
            perm: self.perm.as_deref(),
            through_groups: self.inherited_perm,
        };
        let users = sql::list(cx.db().await?, wanted).await?;
        listing::in_memory(users, self.query_opts.as_ref())
    }
}

impl Handle for CreateUser {
    async fn handle(self, cx: &mut Cx) -> Result<UserId> {
        name::check_user(&self.username)?;
        let status = status(self.status.unwrap_or(0))?;
        let conn = cx.db().await?;
        let id = sql::create(conn, &self.username, status, UserType::Normal).await?;
        let id = id.ok_or_else(|| Error::invalid(format!("user already exists: {}", self.username)))?;
        add_principal(conn, id, self.krb_principal.as_deref()).await?;
        Ok(id)
    }
}

fn status(status: i64) -> Result<i16> {
    match status {
        0 => Ok(0),
        1 => Ok(1),
        other => Err(Error::parameter(format!("status must be 0 (may log in) or 1 (blocked), not {other}"))),
    }
}

impl Handle for EnableUser {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        set_status(cx, &self.username, 0).await
    }
}

impl Handle for DisableUser {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        set_status(cx, &self.username, 1).await
    }
}

async fn set_status(cx: &mut Cx, user: &Ref<UserId>, status: i16) -> Result<()> {
    let conn = cx.db().await?;
    let user = require(conn, user).await?;
    sql::set_status(conn, user.id, status).await
}
