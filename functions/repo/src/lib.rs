//! Package repositories, made: a message says which newRepo task wants one.

mod fetch;

use anyhow::Result;
use chrono::{DateTime, Utc};
pub use fetch::HttpFetch;
use toji_hub::{Error, Hub, repo::Fetch};
use toji_protocol::queue_name::MakeRepo;

/// Handles one message of the repo queue. It may come twice.
///
/// # Errors
/// When it is to come again: the database or S3 is away, say. What is wrong with a repo is written into its task.
pub async fn handle(hub: &Hub, body: &str, now: DateTime<Utc>, fetch: &dyn Fetch) -> Result<()> {
    let task = match serde_json::from_str(body) {
        Ok(MakeRepo { task }) => task,
        Err(error) => {
            // it would come for ever
            tracing::error!(%error, body, "a message that is none is dropped");
            return Ok(());
        }
    };
    // on the heap: the types of what awaits what grow too deep for the compiler otherwise
    match Box::pin(toji_hub::repo::make(hub, task, now, fetch)).await {
        Ok(()) => Ok(()),
        Err(error @ (Error::Unavailable(_) | Error::Deadlock(_))) => Err(error.into()),
        Err(error) => {
            tracing::error!(%task, %error, "no repo was made");
            Ok(toji_hub::coordinate::fail_task(hub, task, &error, now).await?)
        }
    }
}
