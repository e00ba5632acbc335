//! Parent tasks, advanced: a message says that a task of the hub's own is new, or that a child of it has ended. And repos that tags want by
//! themselves, asked for: a message says which tags have changed.

use anyhow::Result;
use chrono::{DateTime, Utc};
use toji_hub::Hub;
use toji_protocol::queue_name::ForCoordinator;

/// Handles one message of the coordinator's queue. It may come twice.
///
/// # Errors
/// When it is to come again: the database or S3 is away, say. What is wrong with a task is written into the task.
pub async fn handle(hub: &Hub, body: &str, now: DateTime<Utc>) -> Result<()> {
    match serde_json::from_str(body) {
        // on the heap: the types of what awaits what grow too deep for the compiler otherwise
        Ok(ForCoordinator::Advance(told)) => Ok(Box::pin(toji_hub::coordinate::advance(hub, told.task, now)).await?),
        Ok(ForCoordinator::TagsChanged(told)) => {
            Ok(Box::pin(toji_hub::repo::auto::changed(hub, &told.tags, now)).await?)
        }
        Err(error) => {
            // it would come for ever
            tracing::error!(%error, body, "a message that is none is dropped");
            Ok(())
        }
    }
}
