//! The hub's errors as clients are told of them: the one place that maps them.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use toji_hub::Error;
use toji_protocol::xmlrpc::{Fault, encode_fault};

use crate::request_id::RequestId;

/// An error, ready to be told in any encoding.
#[derive(Debug)]
pub(crate) struct Told {
    status: StatusCode,
    code: i32,
    message: String,
}

impl Told {
    /// What the caller is to know. The cause of what is our own fault goes to the log, and only there.
    pub(crate) fn new(error: &Error, id: &RequestId) -> Self {
        let status = StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let message = match error {
            Error::Internal(cause) => {
                tracing::error!(cause = format!("{cause:#}"), "internal error");
                format!("internal error; the hub's log has its cause under request {id}")
            }
            Error::Unavailable(cause) => {
                tracing::warn!(cause = format!("{cause:#}"), "unavailable");
                error.to_string()
            }
            Error::Deadlock(cause) => {
                tracing::warn!(%cause, "given up after several tries");
                error.to_string()
            }
            error => error.to_string(),
        };
        Self { status, code: error.fault_code(), message }
    }

    /// The same, for somebody who is not logged in: what is denied may be had by logging in.
    pub(crate) fn for_nobody(mut self) -> Self {
        if self.status == StatusCode::FORBIDDEN {
            self.status = StatusCode::UNAUTHORIZED;
        }
        self
    }

    /// As an XML-RPC fault within a multicall.
    pub(crate) fn fault(self) -> Fault {
        Fault { code: self.code, message: self.message }
    }

    /// As the members that a JSON multicall has for a call that failed.
    pub(crate) fn problem(self, id: &RequestId) -> Problem {
        Problem {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.message,
            fault_code: self.code,
            request_id: id.to_string(),
        }
    }

    /// As an XML-RPC reply: faults have status 200. What may go well later has another, since clients send only those again.
    pub(crate) fn xmlrpc(self) -> Response {
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            return (self.status, [(header::RETRY_AFTER, "1")], self.message).into_response();
        }
        xml(encode_fault(self.code, &self.message))
    }

    /// As problem details, RFC 9457.
    pub(crate) fn json(self, id: &RequestId) -> Response {
        problem_response(self.problem(id))
    }
}

/// Problem details.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    fault_code: i32,
    request_id: String,
}

/// A request that the hub has never seen, for it is malformed: Koji's code for wrong parameters.
pub(crate) fn malformed(status: StatusCode, detail: impl Into<String>, id: &RequestId) -> Response {
    let code = toji_hub::error::FaultCode::Parameter as i32;
    Told { status, code, message: detail.into() }.json(id)
}

fn problem_response(problem: Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
    let headers = response.headers_mut();
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"toji\""));
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        _ => {}
    }
    response
}

/// An XML-RPC document. Koji's hub names no charset.
pub(crate) fn xml(document: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, "text/xml")], document.into()).into_response()
}
