//! What CloudFront does in production: files from the bucket, everything else to the API's function.

use std::net::{Ipv4Addr, SocketAddr};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use toji_hub::Hub;
use tokio::{net::TcpListener, task::JoinHandle};
use tower_http::services::ServeDir;

/// Lambda takes no larger request.
const MOST: usize = 6 << 20;

/// The front door, open. It closes when this is dropped.
pub(crate) struct FrontDoor {
    serving: JoinHandle<()>,
}

/// Where the function's URL is answered.
#[derive(Clone)]
struct Function {
    http: reqwest::Client,
    endpoint: String,
    host: String,
}

impl FrontDoor {
    /// Finds a place for it: functions want to know it before it can be opened.
    pub(crate) async fn bind() -> (TcpListener, String) {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        (listener, url)
    }

    /// Opens it: to the function at `host` of LocalStack at `endpoint`, to the hub's bucket, and to RPM repositories.
    pub(crate) fn open(listener: TcpListener, endpoint: &str, host: &str, hub: Hub, minidistro: &str) -> Self {
        let http = reqwest::Client::builder().no_gzip().redirect(reqwest::redirect::Policy::none());
        let http = http.build().expect("a client");
        let function = Function { http, endpoint: endpoint.to_owned(), host: host.to_owned() };
        let router = Router::new()
            .route("/kojifiles/work/{*path}", any(pass))
            .fallback(pass)
            .with_state(function)
            .merge(toji_api::files::router(hub))
            .nest_service("/minidistro", ServeDir::new(minidistro));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("the front door") });
        Self { serving }
    }
}

impl Drop for FrontDoor {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(State(function): State<Function>, request: Request) -> Response {
    match function.answer(request).await {
        Ok(answer) => answer,
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}\n")).into_response(),
    }
}

impl Function {
    async fn answer(&self, request: Request) -> anyhow::Result<Response> {
        let (parts, body) = request.into_parts();
        let url = format!("{}{}", self.endpoint, parts.uri);
        let mut headers = parts.headers;
        headers.insert(header::HOST, HeaderValue::from_str(&self.host)?);
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRANSFER_ENCODING);
        let body = to_bytes(body, MOST).await?;
        let answer = self.http.request(parts.method, url).headers(headers).body(body).send().await?;
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        headers.remove(header::TRANSFER_ENCODING);
        headers.remove(header::CONNECTION);
        let mut response = Response::new(Body::from(answer.bytes().await?));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}
