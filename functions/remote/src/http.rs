//! By HTTP: a POST of JSON.

use reqwest::{
    Client, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
    redirect::Policy,
};
use toji_hub::callback::remote::{RemoteError, Sent};

use crate::LONGEST;

/// So much of a refusal is told.
const TOLD: usize = 200;

pub(crate) struct Http(Client);

impl Http {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        // a second call finds the provider installed: that is as well
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("toji/", env!("CARGO_PKG_VERSION")))
            // what is signed is meant for the one who is named
            .redirect(Policy::none())
            .build()?;
        Ok(Self(client))
    }

    pub(crate) async fn post(&self, url: &str, sent: Sent) -> Result<Vec<u8>, RemoteError> {
        let mut request = self
            .0
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(sent.body);
        for (name, value) in sent.headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.map_err(|error| away(url, &error))?;
        let status = answer.status();
        let body = read(url, answer).await;
        if status.is_success() {
            return body;
        }
        let said = body.unwrap_or_default();
        let said = String::from_utf8_lossy(&said[..said.len().min(TOLD)]).trim().to_owned();
        let problem = format!("{url} answers {status}: {said}");
        let is_away = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        Err(if is_away { RemoteError::Away(problem) } else { RemoteError::Refused(problem) })
    }
}

async fn read(url: &str, mut answer: Response) -> Result<Vec<u8>, RemoteError> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| away(url, &error))? {
        body.extend_from_slice(&piece);
        if body.len() > LONGEST {
            return Err(RemoteError::Refused(format!("{url} answers more than {} MiB", LONGEST >> 20)));
        }
    }
    Ok(body)
}

/// With its causes: the outermost text alone only says that there was an error.
fn away(url: &str, error: &reqwest::Error) -> RemoteError {
    let mut text = format!("{url} cannot be reached");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    RemoteError::Away(text)
}
