//! The hub's error type.
//!
//! Use [`Error::missing`], [`Error::invalid`] and their like for what a caller can mend: their text is shown, and says what to do.
//! Use `?` on `sqlx` and store errors for what it cannot: those are logged with their cause and answered with a fixed text.
//! [`Error::conflict`] is for a write that came too late (a stale attempt, a changed state) and for nothing else.

use thiserror::Error as ThisError;

use crate::callback::Question;

/// Koji's fault codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum FaultCode {
    /// Anything unexpected.
    Unexpected = 1,
    /// What has no code of its own.
    Generic = 1000,
    /// Something is locked.
    Lock = 1001,
    /// Who are you?
    Auth = 1002,
    /// About a tag.
    Tag = 1003,
    /// Not allowed.
    NotAllowed = 1004,
    /// About a build.
    Build = 1005,
    /// Another session of the user is exclusive.
    AuthLock = 1006,
    /// The session must be renewed.
    AuthExpired = 1007,
    /// A call arrived after a later one.
    Sequence = 1008,
    /// A call was sent twice.
    Retry = 1009,
    /// Something is wrong before anything is built.
    PreBuild = 1010,
    /// About a buildroot.
    Buildroot = 1012,
    /// It no longer exists.
    Deprecated = 1013,
    /// Try again later.
    Offline = 1014,
    /// What a deployment has added has failed.
    Plugin = 1016,
    /// A hook refuses, or cannot be asked.
    Callback = 1017,
    /// Wrong arguments.
    Parameter = 1019,
    /// An import cannot be.
    Import = 1020,
    /// A name breaks the rules.
    NameValidation = 1024,
}

/// Why a call failed.
#[derive(Debug, ThisError)]
pub enum Error {
    /// Something that was named does not exist.
    #[error("{1}")]
    NotFound(FaultCode, String),
    /// What was asked for cannot be.
    #[error("{1}")]
    Invalid(FaultCode, String),
    /// It came too late: the state it was meant for is gone.
    #[error("{0}")]
    Conflict(String),
    /// The caller may not.
    #[error("{0}")]
    Denied(String),
    /// The caller's credentials are wrong, or the session cannot be used so.
    #[error("{1}")]
    Unauthenticated(FaultCode, String),
    /// The database or S3 is away; the same call may do later.
    #[error("the server is not available just now; try again")]
    Unavailable(#[source] anyhow::Error),
    /// Two transactions stood in each other's way; the request is run again.
    #[error("the server is busy; try again")]
    Deadlock(#[source] sqlx::Error),
    /// A hook of the deployment's refuses.
    #[error("{0}")]
    Vetoed(String),
    /// A hook or a method that the deployment has added cannot be asked, or makes no sense.
    #[error("{1}")]
    Remote(FaultCode, String),
    /// Hooks must be asked before this can be done: nothing was done. It is run again when they have answered.
    #[error("the server is busy; try again")]
    Unasked(Vec<Question>),
    /// Our own fault.
    #[error("internal error")]
    Internal(#[source] anyhow::Error),
    /// A task's own fault, handed on.
    #[error("{1}")]
    TaskFault(i32, String),
}

/// The answer of the hub's functions.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Whether a rule of ours says so; otherwise the connection to the database may be of no use any more.
    pub(crate) fn is_rule(&self) -> bool {
        !matches!(self, Error::Unavailable(_) | Error::Deadlock(_) | Error::Internal(_))
    }

    /// Something that was named does not exist.
    pub fn missing(message: impl Into<String>) -> Self {
        Self::NotFound(FaultCode::Generic, message.into())
    }

    /// What was asked for cannot be.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(FaultCode::Generic, message.into())
    }

    /// The arguments are wrong.
    pub fn parameter(message: impl Into<String>) -> Self {
        Self::Invalid(FaultCode::Parameter, message.into())
    }

    /// It came too late.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::Conflict(message.into())
    }

    /// The caller may not.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::Denied(message.into())
    }

    /// Our own fault.
    pub fn internal(error: impl Into<anyhow::Error>) -> Self {
        Self::Internal(error.into())
    }

    /// The number that Koji's clients know it by.
    pub fn fault_code(&self) -> i32 {
        match self {
            Self::NotFound(code, _)
            | Self::Invalid(code, _)
            | Self::Unauthenticated(code, _)
            | Self::Remote(code, _) => *code as i32,
            Self::Conflict(_) => FaultCode::Generic as i32,
            Self::Denied(_) => FaultCode::NotAllowed as i32,
            Self::Vetoed(_) => FaultCode::Callback as i32,
            Self::Unavailable(_) | Self::Deadlock(_) | Self::Unasked(_) => FaultCode::Offline as i32,
            Self::Internal(_) => FaultCode::Unexpected as i32,
            Self::TaskFault(code, _) => *code,
        }
    }

    /// The HTTP status that says the same.
    pub fn http_status(&self) -> u16 {
        match self {
            Self::NotFound(..) => 404,
            Self::Invalid(..) | Self::TaskFault(..) => 400,
            Self::Conflict(_) => 409,
            Self::Denied(_) | Self::Vetoed(_) => 403,
            Self::Unauthenticated(..) => 401,
            Self::Unavailable(_) | Self::Deadlock(_) | Self::Unasked(_) => 503,
            Self::Remote(..) => 502,
            Self::Internal(_) => 500,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|e| e.code());
        match code.as_deref() {
            Some("40P01" | "40001") => return Self::Deadlock(error),
            // the server is shutting down, starting, or out of connections
            // what Postgres cannot store, although our types can say it
            Some("22021" | "22P05") => return Self::parameter("a text has a NUL character, which cannot be stored"),
            Some("22003") => return Self::parameter("a number is too large for what it is meant for"),
            Some("57P01" | "57P02" | "57P03" | "53300") => return Self::Unavailable(error.into()),
            _ => {}
        }
        match error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Tls(_) => {
                Self::Unavailable(error.into())
            }
            error => Self::Internal(error.into()),
        }
    }
}

impl From<toji_store::StoreError> for Error {
    fn from(error: toji_store::StoreError) -> Self {
        match error {
            toji_store::StoreError::Failed { .. } => Self::Unavailable(error.into()),
            error => Self::Internal(error.into()),
        }
    }
}

impl From<toji_protocol::value::ValueError> for Error {
    fn from(error: toji_protocol::value::ValueError) -> Self {
        Self::parameter(error.to_string())
    }
}

impl From<toji_protocol::task::RequestError> for Error {
    fn from(error: toji_protocol::task::RequestError) -> Self {
        Self::parameter(error.to_string())
    }
}
