//! How parts of this process are told to stop.

use tokio::sync::watch;

/// Waits until `stop` becomes true, or nobody is left who could make it so.
pub(crate) async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
