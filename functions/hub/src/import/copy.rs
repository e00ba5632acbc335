//! Files on their way to their final keys, within S3 and outside transactions.

use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use toji_protocol::id::TaskId;

use super::AT_ONCE;
use crate::{Hub, Result, task::output::TaskOutput};

/// A file's way to its final key.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    /// The task that has made it, whose old paths shall lead to it.
    pub(crate) task: Option<TaskId>,
    pub(crate) name: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) size: i64,
}

impl Copy {
    pub(crate) fn new(task: Option<TaskId>, file: &TaskOutput, to: String) -> Self {
        Self { task, name: file.name.clone(), from: file.key.clone(), to, size: file.size }
    }
}

/// Copies files, with a storage class if not the one that S3 gives by itself.
///
/// # Errors
/// When S3 is away; some may be copied then.
pub(crate) async fn copy_all(hub: &Hub, copies: &[Copy], storage_class: Option<&str>) -> Result<()> {
    let copying = |copy| copy_one(hub, copy, storage_class).boxed();
    let all: Vec<BoxFuture<'_, Result<()>>> = copies.iter().map(copying).collect();
    stream::iter(all).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(())
}

async fn copy_one(hub: &Hub, copy: &Copy, storage_class: Option<&str>) -> Result<()> {
    Ok(hub.store.copy(&copy.from, &copy.to, copy.size, storage_class).await?)
}
