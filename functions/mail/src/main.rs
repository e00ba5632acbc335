//! The mail function as a Lambda function behind its queue, whose mapping reports failures one by one.

use std::{env, sync::Arc};

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use chrono::Utc;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use toji_hub::Hub;
use toji_mail::Postman;
use toji_remote::Outside;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let filter = EnvFilter::try_from_env("TOJI_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).init();
    let hub = Hub::from_env(Arc::new(Outside::new().await?)).await?;
    let postman = postman().await?;
    lambda_runtime::run(service_fn(async |event| batch(&hub, &postman, event).await)).await
}

/// The mail server that `TOJI_SMTP_URL` names, or else SES.
async fn postman() -> Result<Postman, Error> {
    match env::var("TOJI_SMTP_URL").ok().filter(|url| !url.is_empty()) {
        Some(url) => Ok(Postman::smtp(&url)?),
        None => ses().await,
    }
}

#[cfg(feature = "ses")]
async fn ses() -> Result<Postman, Error> {
    let config = toji_protocol::aws::from_environment().load().await;
    Ok(Postman::Ses(aws_sdk_sesv2::Client::new(&config)))
}

#[cfg(not(feature = "ses"))]
async fn ses() -> Result<Postman, Error> {
    Err("set TOJI_SMTP_URL to a mail server, or build this program with the feature `ses`".into())
}

async fn batch(hub: &Hub, postman: &Postman, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let mut answer = SqsBatchResponse::default();
    for message in event.payload.records {
        let body = message.body.unwrap_or_default();
        if let Err(error) = toji_mail::handle(hub, &body, Utc::now(), postman).await {
            tracing::warn!(error = format!("{error:#}"), body, "handling failed; the message comes again");
            answer.add_failure(message.message_id.unwrap_or_default());
        }
    }
    Ok(answer)
}
