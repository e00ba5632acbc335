//! Users: finding, making and changing them, the groups they are in, their `permission`s and their `token`s.

mod edit;
mod membership;
mod permission;
mod sql;
mod token;

pub use permission::{permissions, require_permission};
use sqlx::PgConnection;
use toji_protocol::{
    id::{Ref, UserId},
    method::{
        Listing, OneOrMany,
        user::{
            AddGroupMember, AddUserKrbPrincipal, CreateToken, CreateUser, DisableUser, DropGroupMember, EditPermission,
            EditUser, EnableUser, GetAllPerms, GetGroupMembers, GetLoggedInUser, GetPerms, GetUser, GetUserGroups,
            GetUserPerms, GetUserPermsInheritance, GrantPermission, HasPerm, ListTokens, ListUsers, LoggedInUser,
            NewGroup, RemoveUserKrbPrincipal, RevokePermission, RevokeToken, User, UserRef,
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
        .add::<EditUser>()
        .add::<AddUserKrbPrincipal>()
        .add::<RemoveUserKrbPrincipal>()
        .add::<NewGroup>()
        .add::<AddGroupMember>()
        .add::<DropGroupMember>()
        .add::<GetGroupMembers>()
        .add::<GetUserGroups>()
        .add::<EnableUser>()
        .add::<DisableUser>()
        .add::<GrantPermission>()
        .add::<RevokePermission>()
        .add::<EditPermission>()
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

/// Makes a user or a group.
async fn create(conn: &mut PgConnection, name: &str, status: i16, usertype: UserType) -> Result<UserId> {
    // a name finds who has it as a principal too: it must not mean two
    let is_taken = sql::find_by_principal(conn, name).await?.is_some();
    let id = if is_taken { None } else { sql::create(conn, name, status, usertype).await? };
    id.ok_or_else(|| Error::invalid(format!("user already exists: {name}")))
}

async fn add_principal(conn: &mut PgConnection, user: UserId, principal: Option<&str>) -> Result<()> {
    let Some(principal) = principal else { return Ok(()) };
    name::check_principal(principal)?;
    if !sql::add_principal(conn, user, principal).await? {
        return Err(Error::invalid(format!("user with this Kerberos principal already exists: {principal}")));
    }
    Ok(())
}

/// The same, however it is named.
async fn require_named(conn: &mut PgConnection, user: &UserRef) -> Result<User> {
    match user {
        UserRef::Named(user) => require(conn, user).await,
        UserRef::Principal(by) => {
            let found = sql::find_by_principal(conn, &by.krb_principal).await?;
            found.ok_or_else(|| Error::missing(format!("No such user: '{}'", by.krb_principal)))
        }
    }
}

/// The caller, for calls that mean it when they name nobody.
fn caller_or_fault(cx: &Cx) -> Result<UserId> {
    cx.caller.user_id().ok_or_else(|| Error::missing("No user provided: name one, or log in"))
}

impl Handle for GetUser {
    async fn handle(self, cx: &mut Cx) -> Result<Option<User>> {
        let asked = match self.user_info {
            Some(user) => user,
            None => UserRef::Named(Ref::Id(caller_or_fault(cx)?)),
        };
        let conn = cx.db().await?;
        let mut user = match require_named(conn, &asked).await {
            Ok(user) => user,
            Err(Error::NotFound(..)) if !self.strict => return Ok(None),
            Err(error) => return Err(error),
        };
        if self.groups {
            user.groups = Some(sql::groups(conn, user.id).await?.into_iter().map(|group| group.name).collect());
        }
        if !self.krb_princs {
            user.krb_principals = None;
        }
        Ok(Some(user))
    }
}

impl Handle for GetLoggedInUser {
    async fn handle(self, cx: &mut Cx) -> Result<Option<LoggedInUser>> {
        let Some(id) = cx.caller.user_id() else { return Ok(None) };
        let user = require(cx.db().await?, &Ref::Id(id)).await?;
        let krb_principals = user.krb_principals.unwrap_or_default();
        Ok(Some(LoggedInUser {
            id: user.id,
            name: user.name,
            status: user.status,
            usertype: user.usertype,
            krb_principal: krb_principals.first().cloned(),
            krb_principals,
            authtype: 0,
        }))
    }
}

impl Handle for ListUsers {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<User>> {
        if self.inherited_perm && self.perm.is_none() {
            return Err(Error::invalid("inherited_perm says how perm is meant: name a permission with it"));
        }
        if self.query_opts.as_ref().is_some_and(|opts| opts.group.is_some()) {
            return Err(Error::invalid("queryOpts.group is not available for listUsers: leave it out"));
        }
        let conn = cx.db().await?;
        if let Some(perm) = &self.perm {
            require_permission(conn, &perm.as_str().into()).await?;
        }
        let wanted = sql::Wanted {
            usertypes: self.user_type.map(OneOrMany::into_vec),
            prefix: self.prefix.as_deref(),
            perm: self.perm.as_deref(),
            through_groups: self.inherited_perm,
        };
        let users = sql::list(conn, wanted).await?;
        listing::in_memory(users, self.query_opts.as_ref())
    }
}

impl Handle for CreateUser {
    async fn handle(self, cx: &mut Cx) -> Result<UserId> {
        name::check_user(&self.username)?;
        let status = status(self.status.unwrap_or(0))?;
        let conn = cx.db().await?;
        let id = create(conn, &self.username, status, UserType::Normal).await?;
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
