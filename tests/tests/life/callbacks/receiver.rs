//! A program of somebody else's: it is asked, told and called, and keeps what it hears.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::{net::TcpListener, task::JoinHandle};

/// What everything is signed with.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

type Answer = Box<dyn Fn(&Value) -> (u16, String) + Send>;

/// Something that was heard.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Heard {
    /// Whether it was signed with [`SECRET`].
    pub(crate) fn is_signed(&self) -> bool {
        let header = |name: &str| self.headers[name].to_str().unwrap();
        let key = BASE64_STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), self.text).as_bytes());
        let signature = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
        header("webhook-signature").split(' ').any(|one| one == signature)
    }
}

struct Shared {
    heard: Mutex<Vec<Heard>>,
    answer: Mutex<Answer>,
}

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    server: Option<JoinHandle<()>>,
}

impl Receiver {
    /// One that says yes to all.
    pub(crate) async fn new() -> Self {
        let mut receiver = Self::away().await;
        receiver.come().await;
        receiver
    }

    /// One that is not there yet.
    pub(crate) async fn away() -> Self {
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let answer: Answer = Box::new(|_| (200, "{}".to_owned()));
        let shared = Arc::new(Shared { heard: Mutex::default(), answer: Mutex::new(answer) });
        Self { address, shared, server: None }
    }

    /// It is there now.
    pub(crate) async fn come(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let router = Router::new().fallback(hear).with_state(Arc::clone(&self.shared));
        self.server = Some(tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it answers so.
    pub(crate) fn answers(&self, answer: impl Fn(&Value) -> (u16, String) + Send + 'static) {
        *self.shared.answer.lock().unwrap() = Box::new(answer);
    }

    /// What it has heard since it was last asked.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut self.shared.heard.lock().unwrap())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

async fn hear(
    State(shared): State<Arc<Shared>>,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    let (status, answer) = (shared.answer.lock().unwrap())(&body);
    shared.heard.lock().unwrap().push(Heard { path: uri.path().to_owned(), headers, text, body });
    (StatusCode::from_u16(status).unwrap(), answer)
}
