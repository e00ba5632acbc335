//! Messages to other programs: something has happened, and webhooks and event buses are told. What, and who, the database says; how it
//! goes on is the hub's to decide (`toji_hub::callback`). README.md is for those who write a hook, a receiver or a method.

use anyhow::Result;
use chrono::{DateTime, Utc};
use toji_hub::{Hub, callback::deliver};

/// Handles one message of the events queue, which only says that there is something to tell. It may come twice.
///
/// # Errors
/// When the database is away.
pub async fn handle(hub: &Hub, now: DateTime<Utc>) -> Result<()> {
    // on the heap: the types of what awaits what grow too deep for the compiler otherwise
    let delivered = Box::pin(deliver::run_once(hub, now)).await?;
    tracing::debug!(?delivered, "told");
    Ok(())
}
