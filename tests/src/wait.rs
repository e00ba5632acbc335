//! Waiting for conditions. Nothing in these tests sleeps and hopes.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long what takes some seconds may take on a machine that is busy with other tests.
pub const SOON: Duration = Duration::from_secs(90);

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until `condition` answers something, and answers that.
///
/// # Panics
/// When it has not done so within `limit`.
pub async fn until<T>(what: &str, limit: Duration, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(begun.elapsed() < limit, "waited {limit:?} in vain for {what}");
        sleep(LOOK).await;
    }
}
