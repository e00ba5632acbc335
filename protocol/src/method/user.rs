//! Users, permissions and API tokens.

use super::{Listing, OneOrMany, QueryOpts, method};
use crate::{
    id::{PermissionId, Ref, UserId},
    state::UserType,
    time::Time,
};

/// A user.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its name.
    pub name: String,
    /// 0 = may log in, 1 = blocked.
    pub status: i64,
    /// What kind it is.
    pub usertype: UserType,
    /// Kerberos principals, kept for scripts that look for them; absent where not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub krb_principals: Option<Vec<String>>,
    /// Names of the groups it is in, where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
}

/// The caller.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct LoggedInUser {
    /// Its id.
    pub id: UserId,
    /// Its name.
    pub name: String,
    /// 0 = may log in.
    pub status: i64,
    /// What kind it is.
    pub usertype: UserType,
    /// Kerberos principals.
    pub krb_principals: Vec<String>,
    /// How it logged in: 0 = with a token.
    pub authtype: i64,
    /// The first of its principals.
    pub krb_principal: Option<String>,
}

/// A user, however it is named.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum UserRef {
    /// By a struct that holds nothing but a Kerberos principal.
    Principal(ByPrincipal),
    /// By id, by name or principal, or by a struct that holds either.
    Named(Ref<UserId>),
}

impl From<Ref<UserId>> for UserRef {
    fn from(user: Ref<UserId>) -> Self {
        UserRef::Named(user)
    }
}

/// A Kerberos principal, in a struct.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByPrincipal {
    /// The principal.
    pub krb_principal: String,
}

/// What is to happen to one of a user's Kerberos principals.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct PrincipalChange {
    /// The one to take away; nil = none.
    pub old: Option<String>,
    /// The one to add; nil = none.
    pub new: Option<String>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Member {
    /// Its id.
    pub id: UserId,
    /// Its name.
    pub name: String,
    /// What kind it is.
    pub usertype: UserType,
    /// Kerberos principals.
    pub krb_principals: Vec<String>,
}

/// A group that a user is in.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct UserGroup {
    /// Its id.
    pub id: UserId,
    /// Its name.
    pub name: String,
}

/// A permission.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Permission {
    /// Its id.
    pub id: PermissionId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
}

/// A new token. The secret is shown this once.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct NewToken {
    /// Names the token in lists.
    pub id: i64,
    /// The secret.
    pub token: String,
}

/// A token as it is listed.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct TokenInfo {
    /// Names the token.
    pub id: i64,
    /// What it is for.
    pub description: Option<String>,
    /// When it was made.
    pub create_time: Time,
    /// From when on it is refused.
    pub expire_time: Option<Time>,
}

method! {
    /// A user.
    GetUser = "getUser", Anonymous, Read => Option<User> {
        /// Who; nil = the caller.
        user_info "userInfo": Option<UserRef> = nil,
        /// A fault when there is none.
        strict "strict": bool = no,
        /// Tell its Kerberos principals.
        krb_princs "krb_princs": bool = yes,
        /// Tell its groups.
        groups "groups": bool = no,
    }

    /// The caller, or nil.
    GetLoggedInUser = "getLoggedInUser", Anonymous, Read => Option<LoggedInUser> {}

    /// Users of a kind.
    ListUsers = "listUsers", Anonymous, Read => Listing<User> {
        /// 0 = people, 1 = builders, 2 = groups; several as a list; nil = all.
        user_type "userType": Option<OneOrMany<UserType>> = int 0,
        /// Only names that begin so; upper and lower case are the same.
        prefix "prefix": Option<String> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
        /// Only who has this permission.
        perm "perm": Option<String> = nil,
        /// With `perm`: count permissions had through a group.
        inherited_perm "inherited_perm": bool = no,
    }

    /// Makes a user.
    CreateUser = "createUser", Permission("admin"), Write => UserId {
        /// Its name.
        username "username": String = required,
        /// 0 = may log in, 1 = blocked.
        status "status": Option<i64> = nil,
        /// A Kerberos principal to note.
        krb_principal "krb_principal": Option<String> = nil,
    }

    /// Changes a user's name and Kerberos principals.
    EditUser = "editUser", Permission("admin"), Write => () {
        /// Who.
        user_info "userInfo": Ref<UserId> = required,
        /// The new name; nil = it stays.
        name "name": Option<String> = nil,
        /// Principals to take away and to add.
        krb_principal_mappings "krb_principal_mappings": Option<Vec<PrincipalChange>> = nil,
    }

    /// Notes a Kerberos principal of a user. Answers the user's id.
    AddUserKrbPrincipal = "addUserKrbPrincipal", Permission("admin"), Write => UserId {
        /// Who.
        user "user": Ref<UserId> = required,
        /// The principal.
        krb_principal "krb_principal": String = required,
    }

    /// Takes a Kerberos principal of a user away. Answers the user's id.
    RemoveUserKrbPrincipal = "removeUserKrbPrincipal", Permission("admin"), Write => UserId {
        /// Who.
        user "user": Ref<UserId> = required,
        /// The principal.
        krb_principal "krb_principal": String = required,
    }

    /// Makes a group of users.
    NewGroup = "newGroup", Permission("admin"), Write => UserId {
        /// Its name.
        name "name": String = required,
    }

    /// Puts a user into a group.
    AddGroupMember = "addGroupMember", Permission("admin"), Write => () {
        /// The group.
        group "group": Ref<UserId> = required,
        /// The user.
        user "user": Ref<UserId> = required,
        /// A fault when the user is in the group already.
        strict "strict": bool = yes,
    }

    /// Takes a user out of a group.
    DropGroupMember = "dropGroupMember", Permission("admin"), Write => () {
        /// The group.
        group "group": Ref<UserId> = required,
        /// The user.
        user "user": Ref<UserId> = required,
    }

    /// The members of a group.
    GetGroupMembers = "getGroupMembers", Anonymous, Read => Vec<Member> {
        /// The group.
        group "group": Ref<UserId> = required,
    }

    /// The groups that a user is in.
    GetUserGroups = "getUserGroups", Anonymous, Read => Vec<UserGroup> {
        /// Who.
        user "user": UserRef = required,
    }

    /// Lets a blocked user in again.
    EnableUser = "enableUser", Permission("admin"), Write => () {
        /// Who.
        username "username": Ref<UserId> = required,
    }

    /// Blocks a user: its sessions and tokens are refused.
    DisableUser = "disableUser", Permission("admin"), Write => () {
        /// Who.
        username "username": Ref<UserId> = required,
    }

    /// Gives a permission.
    GrantPermission = "grantPermission", Permission("admin"), Write => () {
        /// To whom.
        userinfo "userinfo": Ref<UserId> = required,
        /// Which.
        permission "permission": Ref<PermissionId> = required,
        /// Make the permission when there is none of that name.
        create "create": bool = no,
        /// What a new one is for.
        description "description": Option<String> = nil,
    }

    /// Takes a permission away.
    RevokePermission = "revokePermission", Permission("admin"), Write => () {
        /// From whom.
        userinfo "userinfo": Ref<UserId> = required,
        /// Which.
        permission "permission": Ref<PermissionId> = required,
    }

    /// Changes what is said of a permission.
    EditPermission = "editPermission", Permission("admin"), Write => () {
        /// Which.
        permission "permission": Ref<PermissionId> = required,
        /// What it is for.
        description "description": String = required,
    }

    /// Whether the caller has a permission; `admin` has all.
    HasPerm = "hasPerm", Anonymous, Read => bool {
        /// Which.
        perm "perm": String = required,
        /// A fault when there is no such permission.
        strict "strict": bool = no,
    }

    /// The caller's permissions.
    GetPerms = "getPerms", LoggedIn, Read => Vec<String> {}

    /// A user's permissions.
    GetUserPerms = "getUserPerms", Anonymous, Read => Vec<String> {
        /// Who; nil = the caller.
        user_id "userID": Option<Ref<UserId>> = nil,
        /// Count those had through a group.
        with_groups "with_groups": bool = yes,
    }

    /// A user's permissions, each with the groups it comes from (nil = its own).
    GetUserPermsInheritance = "getUserPermsInheritance", Anonymous, Read => std::collections::BTreeMap<String, Vec<Option<String>>> {
        /// Who.
        user_id "userID": Ref<UserId> = required,
    }

    /// All permissions.
    GetAllPerms = "getAllPerms", Anonymous, Read => Vec<Permission> {}

    /// Makes an API token: a bearer token for JSON, the password for `login`. Not in Koji.
    CreateToken = "createToken", LoggedIn, Write => NewToken {
        /// For whom; another than the caller needs `admin`. nil = the caller.
        user "user": Option<Ref<UserId>> = nil,
        /// What it is for.
        description "description": Option<String> = nil,
        /// Seconds until it is refused; nil = never.
        lifetime "lifetime": Option<i64> = nil,
    }

    /// Tokens that are not revoked. Not in Koji.
    ListTokens = "listTokens", LoggedIn, Read => Vec<TokenInfo> {
        /// Whose; another than the caller's needs `admin`. nil = the caller's.
        user "user": Option<Ref<UserId>> = nil,
    }

    /// Revokes a token at once. Not in Koji.
    RevokeToken = "revokeToken", LoggedIn, Write => () {
        /// Its id.
        token_id "token_id": i64 = required,
    }
}
