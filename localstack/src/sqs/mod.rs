//! SQS, as far as toji uses it, over a directory: standard queues, in the JSON protocol that AWS's clients speak now.
//!
//! Queues live in memory, and in a journal that is written before a request is answered; a message that was in flight
//! when the server stopped comes again when its visibility timeout ends, and its receipt handle stays good. A waiting
//! receiver is woken by the send itself. Signatures are checked in full.
//!
//! Not as on AWS: messages come in the order of sending; FIFO queues, message moves, permissions and system attributes
//! are refused; policies and encryption settings are kept and shown without effect; a queue may be purged, or made again
//! after its removal, at once; the limit of a message is 256 KiB.

mod admin;
mod attributes;
mod batch;
mod consume;
mod error;
mod message;
mod name;
mod operation;
mod queue;
mod send;
mod signature;
mod store;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chrono::Utc;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::credentials::Credentials;
use error::{Refusal, Result};

/// The largest request: a batch of the largest size in which every character is escaped.
const LARGEST_REQUEST: usize = 2 << 20;

/// What all requests share.
struct Shared {
    store: store::Store,
    credentials: Credentials,
    base_url: String,
    /// Becomes true when the server stops, to end long polls.
    closing: watch::Sender<bool>,
}

/// An SQS server over one directory.
pub struct Server {
    shared: Arc<Shared>,
}

impl Server {
    /// Opens the server's directory, made if it is not there, and reads its journal. Queue URLs begin with
    /// `public_base_url` (`http://host:port`); requests may call the queues by any other host.
    ///
    /// # Errors
    /// `WouldBlock` if another process or server has the directory; `InvalidData` if its journal is damaged; what the
    /// file system says.
    pub fn open(dir: &Path, credentials: Credentials, public_base_url: &str) -> io::Result<Self> {
        let (closing, _) = watch::channel(false);
        let shared =
            Shared { store: store::Store::open(dir)?, credentials, base_url: public_base_url.to_owned(), closing };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Answers on `listener` until `shutdown`; long polls under way then end empty.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let shared = self.shared.clone();
        let service = service_fn(move |request| {
            let shared = shared.clone();
            async move { Ok::<_, Infallible>(answer(&shared, request).await) }
        });
        let stop = async {
            shutdown.await;
            self.shared.closing.send_replace(true);
        };
        tokio::select! {
            () = crate::listen::serve(listener, service, stop) => {}
            () = self.shared.store.run_clock() => {}
        }
    }
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    match handle(shared, request).await {
        Ok(value) => respond(StatusCode::OK, &value, None),
        Err(refusal) => {
            tracing::debug!(code = refusal.code, message = refusal.message, "refused");
            let value = json!({
                "__type": format!("com.amazonaws.sqs#{}", refusal.name),
                "message": refusal.message,
            });
            let fault = if refusal.status.is_client_error() { "Sender" } else { "Receiver" };
            let code = format!("{};{fault}", refusal.code);
            respond(refusal.status, &value, Some(&code))
        }
    }
}

async fn handle(shared: &Shared, request: Request<Incoming>) -> Result<Value> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_REQUEST).collect().await;
    let body = body.map_err(|error| Refusal::malformed(error.to_string()))?.to_bytes();
    let (method, uri, headers) = (&parts.method, &parts.uri, &parts.headers);
    let caller = signature::caller(&shared.credentials, method, uri, headers, &body, Utc::now())?;
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    operation::run(shared, &caller, target.unwrap_or_default(), &body).await
}

fn respond(status: StatusCode, value: &Value, code: Option<&str>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    let id = format!("{:032x}", rand::random::<u128>());
    let code = code.map(|code| ("x-amzn-query-error", code));
    let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amzn-requestid", id.as_str())];
    for (name, value) in headers.into_iter().chain(code) {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
