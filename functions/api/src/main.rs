//! The API as a Lambda function, behind API Gateway. Where its stage is part of the path, set
//! `AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH=true`.

use toji_hub::Hub;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    toji_api::log_to_stdout();
    let hub = Hub::from_env().await?;
    lambda_http::run(toji_api::router(hub)).await
}
