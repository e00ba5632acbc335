//! Login sessions, as Koji's client keeps them.

use super::{Named, OneOrMany, method};
use crate::{
    id::{Ref, SessionId, UserId},
    time::Time,
    value::Value,
};

/// What a login answers.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Login {
    /// To be sent with each call.
    pub session_id: SessionId,
    /// The secret that goes with it; only its hash is stored.
    pub session_key: String,
    /// Sessions travel in headers, not in the URL.
    pub header_auth: bool,
}

/// A session as it is shown.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct SessionInfo {
    /// 0 = token as password.
    pub authtype: i64,
    /// The last number of a call that changed something.
    pub callnum: Option<i64>,
    /// It locks out the user's other sessions.
    pub exclusive: Option<bool>,
    /// It must be renewed.
    pub expired: bool,
    /// The session it belongs to.
    pub master: Option<SessionId>,
    /// When it was last renewed.
    pub renew_time: Option<Time>,
    /// The same, in seconds.
    pub renew_ts: Option<f64>,
    /// When it began.
    pub start_time: Time,
    /// The same, in seconds.
    pub start_ts: f64,
    /// When it was last used.
    pub update_time: Time,
    /// The same, in seconds.
    pub update_ts: f64,
    /// Whose it is.
    pub user_id: UserId,
    /// Its id, with details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<SessionId>,
    /// With details; always `-`, since addresses are not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostip: Option<String>,
}

method! {
    /// Opens a session. The password is an API token.
    LoginCall = "login", Anonymous, Write => Login {
        /// The user's name.
        user "user": String = required,
        /// An API token of that user.
        password "password": String = required,
        /// `renew`, `exclusive`: how an expired session is taken up again.
        opts "opts": Option<Named> = nil,
        /// The same, as the stock client sends them.
        named "named": Named = named,
    }

    /// Certificates and Kerberos are not offered: a fault that says to use a token.
    SslLogin = "sslLogin", Anonymous, Read => Login {
        /// Ignored.
        args "args": Vec<Value> = rest,
        /// Ignored.
        opts "opts": Named = named,
    }

    /// Closes a session and those below it.
    Logout = "logout", LoggedIn, Write => () {
        /// Another session of the same user; nil = the caller's own.
        session_id "session_id": Option<SessionId> = nil,
    }

    /// Opens a session below the caller's; it ends with it.
    Subsession = "subsession", LoggedIn, Write => Login {}

    /// Closes a session below the caller's.
    LogoutChild = "logoutChild", LoggedIn, Write => () {
        /// The session.
        session_id "session_id": SessionId = required,
    }

    /// Makes the caller's session the user's only one that may call.
    ExclusiveSession = "exclusiveSession", LoggedIn, Write => () {
        /// Close the one that holds the lock.
        force "force": bool = no,
    }

    /// Gives the lock of an exclusive session back.
    SharedSession = "sharedSession", LoggedIn, Write => () {}

    /// The caller's session, or all of a user's that are not expired.
    GetSessionInfo = "getSessionInfo", Anonymous, Read => Option<OneOrMany<SessionInfo>> {
        /// Tell ids as well.
        details "details": bool = no,
        /// Whose sessions are listed; another's than the caller's need `admin`. nil = the caller's present one.
        user_id "user_id": Option<Ref<UserId>> = nil,
    }

    /// The caller's session in words, for people.
    ShowSession = "showSession", Anonymous, Read => String {}
}
