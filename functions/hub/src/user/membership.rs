//! Groups of users: a group is a user itself, and its members have its permissions.

use sqlx::PgConnection;
use toji_protocol::{
    id::{Ref, UserId},
    method::user::{
        AddGroupMember, DropGroupMember, GetGroupMembers, GetUserGroups, Member, NewGroup, User, UserGroup,
    },
    state::UserType,
};

use super::{create, find, require, require_named, sql};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    name,
};

async fn require_group(conn: &mut PgConnection, group: &Ref<UserId>) -> Result<User> {
    let found = find(conn, group).await?.filter(|found| found.usertype == UserType::Group);
    found.ok_or_else(|| Error::missing(format!("Not a group: {group}")))
}

impl Handle for NewGroup {
    async fn handle(self, cx: &mut Cx) -> Result<UserId> {
        name::check("group", &self.name)?;
        let conn = cx.db().await?;
        if find(conn, &self.name.as_str().into()).await?.is_some() {
            return Err(Error::invalid(format!("user/group already exists: {}", self.name)));
        }
        create(conn, &self.name, 0, UserType::Group).await
    }
}

impl Handle for AddGroupMember {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let group = require_group(conn, &self.group).await?;
        let user = find(conn, &self.user).await?;
        let user = user.ok_or_else(|| Error::missing(format!("Not a user: {}", self.user)))?;
        if user.usertype == UserType::Group {
            return Err(Error::invalid("Groups cannot be members of other groups"));
        }
        sql::lock(conn, user.id).await?;
        if sql::is_member(conn, user.id, group.id).await? {
            return match self.strict {
                true => Err(Error::invalid("User already in group")),
                false => Ok(()),
            };
        }
        let event = cx.event().await?;
        sql::join_group(cx.db().await?, user.id, group.id, event, by).await
    }
}

impl Handle for DropGroupMember {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let user = require(conn, &self.user).await?;
        let group = require_group(conn, &self.group).await?;
        sql::lock(conn, user.id).await?;
        if !sql::is_member(conn, user.id, group.id).await? {
            return Err(Error::missing(format!("No such user in group: {}", group.name)));
        }
        let event = cx.event().await?;
        sql::leave_group(cx.db().await?, user.id, group.id, event, by).await
    }
}

impl Handle for GetGroupMembers {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<Member>> {
        let conn = cx.db().await?;
        match require_group(conn, &self.group).await {
            Ok(group) => sql::members(conn, group.id).await,
            Err(Error::NotFound(..)) => Err(Error::missing(format!("No such group: {}", self.group))),
            Err(error) => Err(error),
        }
    }
}

impl Handle for GetUserGroups {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<UserGroup>> {
        let conn = cx.db().await?;
        let user = require_named(conn, &self.user).await?;
        sql::groups(conn, user.id).await
    }
}
