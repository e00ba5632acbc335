//! The signer as a Lambda function behind its queue, whose mapping reports failures one by one.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use chrono::Utc;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use toji_hub::Hub;
use toji_remote::Outside;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let filter = EnvFilter::try_from_env("TOJI_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).init();
    let hub = Hub::from_env(Arc::new(Outside::new().await?)).await?;
    lambda_runtime::run(service_fn(async |event| batch(&hub, event).await)).await
}

async fn batch(hub: &Hub, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let mut answer = SqsBatchResponse::default();
    for message in event.payload.records {
        let body = message.body.unwrap_or_default();
        if let Err(error) = toji_sign::handle(hub, &body, Utc::now()).await {
            tracing::warn!(error = format!("{error:#}"), body, "handling failed; the message comes again");
            answer.add_failure(message.message_id.unwrap_or_default());
        }
    }
    Ok(answer)
}
