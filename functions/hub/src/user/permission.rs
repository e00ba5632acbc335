//! Permissions: who has them, and how they are given and taken.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use toji_protocol::{
    id::{PermissionId, Ref, UserId},
    method::user::{
        EditPermission, GetAllPerms, GetPerms, GetUserPerms, GetUserPermsInheritance, GrantPermission, HasPerm,
        Permission, RevokePermission,
    },
};

use super::{caller_or_fault, require, sql};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    name,
};

/// A permission.
///
/// # Errors
/// When there is none of that id or name.
pub async fn require_permission(conn: &mut PgConnection, permission: &Ref<PermissionId>) -> Result<Permission> {
    let found = sql::permission(conn, permission).await?;
    found.ok_or_else(|| Error::missing(format!("No such permission: {permission}")))
}

/// What a user may do: its own permissions and those of its groups.
///
/// # Errors
/// When the database is away.
pub async fn permissions(conn: &mut PgConnection, user: UserId) -> Result<Vec<String>> {
    Ok(sql::perms(conn, user).await?.into_keys().collect())
}

impl Handle for GrantPermission {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        if self.description.is_some() && !self.create {
            return Err(Error::invalid("Description should be specified only with create; editPermission changes it"));
        }
        let conn = cx.db().await?;
        let user = require(conn, &self.userinfo).await?;
        let permission = match sql::permission(conn, &self.permission).await? {
            Some(permission) => {
                if let Some(description) = &self.description {
                    sql::describe_permission(conn, permission.id, description).await?;
                }
                permission.id
            }
            None => match self.permission.name() {
                Some(new) if self.create => {
                    name::check("permission", new)?;
                    sql::create_permission(conn, new, self.description.as_deref()).await?
                }
                _ => return Err(Error::missing(format!("No such permission: {}", self.permission))),
            },
        };
        sql::lock(conn, user.id).await?;
        if sql::has_own(conn, user.id, permission).await? {
            return Err(Error::invalid(format!("user {} has the permission {} already", user.name, self.permission)));
        }
        let event = cx.event().await?;
        sql::grant(cx.db().await?, user.id, permission, event, by).await
    }
}

impl Handle for RevokePermission {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let user = require(conn, &self.userinfo).await?;
        let permission = require_permission(conn, &self.permission).await?;
        sql::lock(conn, user.id).await?;
        if !sql::has_own(conn, user.id, permission.id).await? {
            let message = format!("user {} does not have the permission {}", user.name, permission.name);
            return Err(Error::missing(message));
        }
        let event = cx.event().await?;
        sql::revoke(cx.db().await?, user.id, permission.id, event, by).await
    }
}

impl Handle for EditPermission {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let conn = cx.db().await?;
        let permission = require_permission(conn, &self.permission).await?;
        sql::describe_permission(conn, permission.id, &self.description).await
    }
}

impl Handle for HasPerm {
    async fn handle(self, cx: &mut Cx) -> Result<bool> {
        if self.strict {
            require_permission(cx.db().await?, &self.perm.as_str().into()).await?;
        }
        Ok(cx.caller.has_perm(&self.perm))
    }
}

impl Handle for GetPerms {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<String>> {
        let mut perms = cx.caller.user()?.perms.clone();
        perms.sort();
        perms.dedup();
        Ok(perms)
    }
}

impl Handle for GetUserPerms {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<String>> {
        let user = match &self.user_id {
            Some(user) => require(cx.db().await?, user).await?.id,
            None => caller_or_fault(cx)?,
        };
        let perms = sql::perms(cx.db().await?, user).await?.into_iter();
        Ok(perms.filter(|(_, from)| self.with_groups || from.contains(&None)).map(|(perm, _)| perm).collect())
    }
}

impl Handle for GetUserPermsInheritance {
    async fn handle(self, cx: &mut Cx) -> Result<BTreeMap<String, Vec<Option<String>>>> {
        let conn = cx.db().await?;
        let user = require(conn, &self.user_id).await?;
        sql::perms(conn, user.id).await
    }
}

impl Handle for GetAllPerms {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<Permission>> {
        sql::permissions(cx.db().await?).await
    }
}
