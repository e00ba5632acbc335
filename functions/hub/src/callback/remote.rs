//! How anything outside is called. The hub itself knows no HTTP and no Lambda: `toji-remote` does.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use thiserror::Error as ThisError;

/// Where somebody answers, or takes messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// By HTTP: POST.
    Url(String),
    /// A Lambda function, by name or ARN, called for its answer.
    Lambda(String),
    /// An EventBridge bus, by name or ARN.
    Bus(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Url(url) => f.write_str(url),
            Endpoint::Lambda(name) => write!(f, "the Lambda function {name}"),
            Endpoint::Bus(name) => write!(f, "the event bus {name}"),
        }
    }
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// What it is about: an event bus files it under this.
    pub topic: String,
    /// JSON.
    pub body: String,
    /// Of HTTP: names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum RemoteError {
    /// Nobody is there, or not in time, or says that it is our turn to wait.
    #[error("{0}")]
    Away(String),
    /// It was understood, and not taken.
    #[error("{0}")]
    Refused(String),
}

/// The answer of [`Remote::call`].
pub type Called<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, RemoteError>> + Send + 'a>>;

/// Calls what is outside.
pub trait Remote: Send + Sync {
    /// Sends `sent`, and waits for the answer as long as `limit`.
    fn call<'a>(&'a self, endpoint: &'a Endpoint, sent: Sent, limit: Duration) -> Called<'a>;

    /// Whether this program can call an endpoint at all.
    ///
    /// # Errors
    /// What to do about it.
    fn check(&self, endpoint: &Endpoint) -> Result<(), String>;
}

impl fmt::Debug for dyn Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remote")
    }
}

/// Nobody is called: for a deployment that has named nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Remote for Nobody {
    fn call<'a>(&'a self, endpoint: &'a Endpoint, _sent: Sent, _limit: Duration) -> Called<'a> {
        Box::pin(async move { Err(RemoteError::Away(format!("this program cannot call {endpoint}"))) })
    }

    fn check(&self, endpoint: &Endpoint) -> Result<(), String> {
        Err(format!("this program cannot call {endpoint}"))
    }
}
