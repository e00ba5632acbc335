//! The events function as a Lambda function behind its queue, whose mapping reports failures one by one. What a receiver has not taken,
//! the pass `toji-pass-events` tells again.

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

/// All of a batch say the same.
async fn batch(hub: &Hub, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let mut answer = SqsBatchResponse::default();
    if let Err(error) = toji_events::handle(hub, Utc::now()).await {
        tracing::warn!(error = format!("{error:#}"), "handling failed; the messages come again");
        for message in event.payload.records {
            answer.add_failure(message.message_id.unwrap_or_default());
        }
    }
    Ok(answer)
}
