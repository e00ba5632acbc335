//! Changing users: their names and their Kerberos principals.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use toji_protocol::{
    id::{Ref, UserId},
    method::user::{AddUserKrbPrincipal, EditUser, PrincipalChange, RemoveUserKrbPrincipal, User},
};

use super::{add_principal, require, sql};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    error::FaultCode,
    name,
};

/// Finds a user and keeps others from changing it until the commit.
async fn lock(conn: &mut PgConnection, user: &Ref<UserId>) -> Result<User> {
    let id = require(conn, user).await?.id;
    sql::lock(conn, id).await?;
    require(conn, &Ref::Id(id)).await
}

impl Handle for EditUser {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let conn = cx.db().await?;
        let user = lock(conn, &self.user_info).await?;
        if let Some(changes) = &self.krb_principal_mappings {
            change_principals(conn, &user, changes).await?;
        }
        match self.name.as_deref() {
            Some(name) if !name.is_empty() && name != user.name => rename(conn, &user, name).await,
            _ => Ok(()),
        }
    }
}

/// What references a user does so by its id, so a new name changes nothing else.
async fn rename(conn: &mut PgConnection, user: &User, name: &str) -> Result<()> {
    name::check_user(name)?;
    if let Some(taken) = super::find(conn, &name.into()).await?.filter(|taken| taken.id != user.id) {
        return Err(Error::invalid(format!("Name {name} already taken by user {}", taken.id)));
    }
    match sql::rename(conn, user.id, name).await? {
        true => Ok(()),
        // somebody else took it in this moment
        false => Err(Error::invalid(format!("Name {name} already taken by another user"))),
    }
}

async fn change_principals(conn: &mut PgConnection, user: &User, changes: &[PrincipalChange]) -> Result<()> {
    let named = |one: fn(&PrincipalChange) -> &Option<String>| -> BTreeSet<&str> {
        changes.iter().filter_map(|change| one(change).as_deref()).filter(|name| !name.is_empty()).collect()
    };
    let (removed, added) = (named(|change| &change.old), named(|change| &change.new));
    let current: BTreeSet<&str> = user.krb_principals.iter().flatten().map(String::as_str).collect();
    let refuse = |problem: &str, which: Vec<&str>| match which.is_empty() {
        true => Ok(()),
        false => Err(Error::invalid(format!("{problem}: {}", which.join(", ")))),
    };
    refuse("These Kerberos principals are both added and removed", added.intersection(&removed).copied().collect())?;
    refuse("Cannot add existing Kerberos principals", added.intersection(&current).copied().collect())?;
    refuse("Cannot remove non-existent Kerberos principals", removed.difference(&current).copied().collect())?;
    for principal in removed {
        sql::remove_principal(conn, user.id, principal).await?;
    }
    for principal in added {
        add_principal(conn, user.id, Some(principal)).await?;
    }
    Ok(())
}

impl Handle for AddUserKrbPrincipal {
    async fn handle(self, cx: &mut Cx) -> Result<UserId> {
        let conn = cx.db().await?;
        let user = lock(conn, &self.user).await?;
        add_principal(conn, user.id, Some(&self.krb_principal)).await?;
        Ok(user.id)
    }
}

impl Handle for RemoveUserKrbPrincipal {
    async fn handle(self, cx: &mut Cx) -> Result<UserId> {
        if self.krb_principal.is_empty() {
            return Err(Error::invalid("krb_principal must be specified"));
        }
        let conn = cx.db().await?;
        let user = lock(conn, &self.user).await?;
        if !sql::remove_principal(conn, user.id, &self.krb_principal).await? {
            let message = format!("user {} does not have the Kerberos principal {}", user.name, self.krb_principal);
            return Err(Error::NotFound(FaultCode::Auth, message));
        }
        Ok(user.id)
    }
}
