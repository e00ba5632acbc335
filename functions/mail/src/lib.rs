//! Mail about builds and tags: a message in, a letter out. What it says and who receives it is the hub's to decide.

mod letter;
mod postman;
#[cfg(feature = "ses")]
mod ses;

use anyhow::Result;
use chrono::{DateTime, Utc};
pub use postman::{Postman, PostmanError};
use toji_hub::{Hub, notification};
use toji_protocol::queue_name::Notice;

/// Handles one message of the mail queue. It may come twice; the letter then has the same Message-ID.
///
/// # Errors
/// When it is to come again: the database or the mail server is away, say. What the mail server will never take is logged and dropped.
pub async fn handle(hub: &Hub, body: &str, now: DateTime<Utc>, postman: &Postman) -> Result<()> {
    let notice: Notice = match serde_json::from_str(body) {
        Ok(notice) => notice,
        Err(error) => {
            // it would come for ever
            tracing::error!(%error, body, "a message that is none is dropped");
            return Ok(());
        }
    };
    // on the heap: the types of what awaits what grow too deep for the compiler otherwise
    if let Some(mail) = Box::pin(notification::compose(hub, &notice, now)).await? {
        postman.deliver(&mail, &hub.config.mail).await?;
    }
    Ok(())
}
