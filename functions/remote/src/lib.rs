//! How the hub calls what a deployment has added: hooks, receivers of messages, and methods that others answer.
//!
//! HTTP is always there; Lambda functions and event buses need the features `lambda` and `eventbridge`.

#[cfg(feature = "eventbridge")]
mod bus;
mod http;
#[cfg(feature = "lambda")]
mod lambda;

use std::time::Duration;

use toji_hub::callback::remote::{Called, Endpoint, Remote, RemoteError, Sent};

/// The longest answer that is read, in bytes.
const LONGEST: usize = 6 << 20;

/// Calls what is outside.
pub struct Outside {
    http: http::Http,
    #[cfg(feature = "lambda")]
    lambda: aws_sdk_lambda::Client,
    #[cfg(feature = "eventbridge")]
    bus: aws_sdk_eventbridge::Client,
}

impl Outside {
    /// Nothing is opened yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub async fn new() -> Result<Self, reqwest::Error> {
        let http = http::Http::new()?;
        #[cfg(any(feature = "lambda", feature = "eventbridge"))]
        let config = toji_protocol::aws::from_environment().load().await;
        Ok(Self {
            http,
            #[cfg(feature = "lambda")]
            lambda: aws_sdk_lambda::Client::new(&config),
            #[cfg(feature = "eventbridge")]
            bus: aws_sdk_eventbridge::Client::new(&config),
        })
    }

    async fn send(&self, endpoint: &Endpoint, sent: Sent) -> Result<Vec<u8>, RemoteError> {
        match endpoint {
            Endpoint::Url(url) => self.http.post(url, sent).await,
            #[cfg(feature = "lambda")]
            Endpoint::Lambda(name) => lambda::invoke(&self.lambda, name, sent).await,
            #[cfg(feature = "eventbridge")]
            Endpoint::Bus(name) => bus::put(&self.bus, name, sent).await,
            #[allow(unreachable_patterns, reason = "with both features there is nothing else")]
            other => Err(RemoteError::Refused(format!("this program was built without the feature for {other}"))),
        }
    }
}

impl Remote for Outside {
    fn call<'a>(&'a self, endpoint: &'a Endpoint, sent: Sent, limit: Duration) -> Called<'a> {
        Box::pin(async move {
            match tokio::time::timeout(limit, self.send(endpoint, sent)).await {
                Ok(answer) => answer,
                Err(_) => Err(RemoteError::Away(format!("{endpoint} has not answered within {limit:?}"))),
            }
        })
    }

    fn check(&self, endpoint: &Endpoint) -> Result<(), String> {
        let feature = match endpoint {
            Endpoint::Lambda(_) if !cfg!(feature = "lambda") => "lambda",
            Endpoint::Bus(_) if !cfg!(feature = "eventbridge") => "eventbridge",
            _ => return Ok(()),
        };
        Err(format!("this program cannot call {endpoint}: build it with the feature `{feature}`"))
    }
}
