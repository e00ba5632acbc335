//! Signatures of what was tagged: a message says which build is to be signed for which tag. The rules are in `toji_hub::sign`.

use anyhow::Result;
use chrono::{DateTime, Utc};
use toji_hub::{Hub, sign};
use toji_protocol::queue_name::SignBuild;

/// Handles one message of the sign queue. It may come twice.
///
/// # Errors
/// When it is to come again: the database is away, say. That a key is away is noted, and tried again later.
pub async fn handle(hub: &Hub, body: &str, now: DateTime<Utc>) -> Result<()> {
    let message: SignBuild = match serde_json::from_str(body) {
        Ok(message) => message,
        Err(error) => {
            // it would come for ever
            tracing::error!(%error, body, "a message that is none is dropped");
            return Ok(());
        }
    };
    // on the heap: the types of what awaits what grow too deep for the compiler otherwise
    Ok(Box::pin(sign::build(hub, message, now)).await?)
}
