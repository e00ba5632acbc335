//! Scheduled passes: each reconciles what crashes and lost messages leave behind, and may run twice at once. A program a pass.
//! Most ask S3 first whether they are needed: see [`toji_hub::pass`].

use std::{future::Future, sync::Arc};

use chrono::{DateTime, Utc};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use toji_hub::Hub;
use toji_remote::Outside;
use tracing_subscriber::EnvFilter;

/// Answers each of a schedule's events with one pass.
///
/// # Errors
/// When the environment lacks something, or Lambda goes away.
pub async fn run<P, F, T>(pass: P) -> Result<(), Error>
where
    P: Fn(Hub, DateTime<Utc>) -> F,
    F: Future<Output = toji_hub::Result<T>>,
{
    let filter = EnvFilter::try_from_env("TOJI_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).init();
    let hub = Hub::from_env(Arc::new(Outside::new().await?)).await?;
    let pass = &pass;
    let answer = |_: LambdaEvent<Value>| {
        let hub = hub.clone();
        async move {
            // on the heap: the types of what awaits what grow too deep for the compiler otherwise
            Box::pin(pass(hub, Utc::now())).await?;
            Ok::<_, Error>(json!({}))
        }
    };
    lambda_runtime::run(service_fn(answer)).await
}
