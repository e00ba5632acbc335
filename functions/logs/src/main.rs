//! Live logs as a Lambda function whose responses are streamed. It needs the bucket (`TOJI_BUCKET`, as the hub), and no database.

use toji_store::{Store, StoreAccess};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let filter = EnvFilter::try_from_env("TOJI_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).init();
    let store = Store::connect(&StoreAccess::from_env()?).await;
    lambda_http::run_with_streaming_response(toji_logs::router(store)).await
}
