//! The API as a Lambda function, behind API Gateway. Where its stage is part of the path, set
//! `AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH=true`. Where the gateway streams responses, set `TOJI_STREAM_RESPONSES=true`: answers may
//! then be longer than the 6 MB of one that is handed over whole.

use std::sync::Arc;

use toji_hub::Hub;
use toji_remote::Outside;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    toji_api::log_to_stdout();
    let hub = Hub::from_env(Arc::new(Outside::new().await?)).await?;
    let router = toji_api::router(hub);
    match std::env::var("TOJI_STREAM_RESPONSES").as_deref() {
        Ok("true") => lambda_http::run_with_streaming_response(router).await,
        _ => lambda_http::run(router).await,
    }
}
