//! Why a call has no result.

use std::{error::Error as _, io, path::PathBuf};

use reqwest::{Response, StatusCode};
use serde::Deserialize;
use thiserror::Error;

use crate::value::ValueError;

/// Koji's code for an error without one of its own.
const NO_CODE: i32 = 1;
/// Of a body that is no problem details, so much is shown.
const SHOWN: usize = 300;

/// Why a call has no result.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The hub, or the store of its files, refused.
    #[error("{message}")]
    Fault {
        /// Koji's fault code.
        code: i32,
        /// What is wrong, for people.
        message: String,
        /// The HTTP status.
        status: u16,
        /// Finds the call in the hub's logs.
        request_id: Option<String>,
    },
    /// No connection, or it broke.
    #[error("cannot reach {server}: {}", root_cause(.error))]
    Transport {
        /// Whom.
        server: String,
        /// What happened.
        error: reqwest::Error,
    },
    /// The hub's address is not one.
    #[error("'{0}' is no address of a hub: it begins with https:// or http://")]
    Address(String),
    /// The token has characters that no token has.
    #[error("the token is malformed: it has a line break or another control character in it")]
    Token,
    /// An argument has no form on the wire.
    #[error("an argument cannot be sent: {0}")]
    Value(#[from] ValueError),
    /// The arguments have no form on the wire.
    #[error("the arguments cannot be sent: {0}")]
    Arguments(serde_json::Error),
    /// The answer is not what the method is known to answer.
    #[error("the answer to {method} is not understood (is {} at a version that fits the hub?): {error}", env!("CARGO_PKG_VERSION"))]
    Answer {
        /// The method.
        method: String,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// A file that was to be sent cannot be read.
    #[error("cannot read {}: {error}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Problem details, RFC 9457, as the hub writes them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
    fault_code: Option<i32>,
    request_id: Option<String>,
}

impl ClientError {
    /// Whether it clashes with what is there: a stale attempt, a name that is taken.
    pub fn is_conflict(&self) -> bool {
        self.status() == Some(409)
    }

    /// Whether nobody answered, or nobody who could: the same call may go well later.
    pub fn is_unavailable(&self) -> bool {
        match self {
            ClientError::Fault { status, .. } => matches!(status, 429 | 502 | 503 | 504),
            ClientError::Transport { error, .. } => !error.is_builder() && !is_handshake(error),
            _ => false,
        }
    }

    /// Koji's fault code, where the hub answered one.
    pub fn code(&self) -> Option<i32> {
        match self {
            ClientError::Fault { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The HTTP status, where there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            ClientError::Fault { status, .. } => Some(*status),
            _ => None,
        }
    }

    pub(super) fn transport(server: &str, error: reqwest::Error) -> Self {
        // A presigned URL is a secret: it does not belong in messages.
        ClientError::Transport { server: server.to_owned(), error: error.without_url() }
    }

    /// From an answer that is not a success. S3 and front doors answer in other shapes than the hub does.
    pub(super) async fn from_response(response: Response) -> Self {
        let status = response.status();
        let header = response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let body = response.bytes().await.unwrap_or_default();
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => ClientError::Fault {
                code: problem.fault_code.unwrap_or(NO_CODE),
                message: problem.detail.or(problem.title).unwrap_or_else(|| status.to_string()),
                status: status.as_u16(),
                request_id: problem.request_id.or(header),
            },
            Err(_) => ClientError::Fault {
                code: NO_CODE,
                message: describe(status, &String::from_utf8_lossy(&body)),
                status: status.as_u16(),
                request_id: header,
            },
        }
    }
}

fn describe(status: StatusCode, body: &str) -> String {
    let body = body.split_whitespace().collect::<Vec<_>>().join(" ");
    if body.is_empty() {
        status.to_string()
    } else {
        format!("{status}: {}", body.chars().take(SHOWN).collect::<String>())
    }
}

/// The innermost error: reqwest's own says little more than that there was one.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// A certificate that is wrong now, or a server that speaks no TLS, is so in a minute, too.
fn is_handshake(error: &reqwest::Error) -> bool {
    error.is_connect() && error.source().is_some_and(is_tls)
}

fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    if error.is::<rustls::Error>() {
        return true;
    }
    // An io::Error leaves what it wraps out of its chain of sources.
    match error.downcast_ref::<io::Error>().and_then(|error| error.get_ref()) {
        Some(wrapped) => is_tls(wrapped),
        None => error.source().is_some_and(is_tls),
    }
}
