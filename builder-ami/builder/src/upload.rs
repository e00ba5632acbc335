//! Files to the task's folder: all of a task's files in one go.

use std::{path::PathBuf, sync::Arc};

use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use toji_protocol::{
    client::FileDigest,
    method::{
        upload::UploadPlan,
        worker::{TaskFile, UploadedFile},
    },
};

use crate::{failure::TaskError, hub::TaskHub};

/// Files on their way at once; each has several parts on theirs.
const AT_ONCE: usize = 4;
/// The most files in one call.
const BATCH: usize = 200;

/// A file and the name that it goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it is called in the task's folder.
    pub name: String,
}

/// A log that is uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Log {
    /// The file that is sent.
    pub file: NamedFile,
    /// Bytes of the log, when the file is the packed one; None = it is sent as it is.
    pub unpacked: Option<i64>,
}

/// Uploads files under their names. When it returns they are there, whole and verified.
///
/// # Errors
/// When a file cannot be read, does not arrive, or the task is no longer ours.
pub(crate) async fn upload(hub: &TaskHub, files: &[NamedFile]) -> Result<(), TaskError> {
    upload_with_logs(hub, files, &[]).await
}

/// Uploads files, and logs.
///
/// # Errors
/// As [`upload`].
pub(crate) async fn upload_with_logs(hub: &TaskHub, files: &[NamedFile], logs: &[Log]) -> Result<(), TaskError> {
    let files = files.iter().map(|file| Log { file: file.clone(), unpacked: None });
    let all: Vec<Log> = files.chain(logs.iter().cloned()).collect();
    for batch in all.chunks(BATCH) {
        upload_batch(hub, batch).await?;
    }
    Ok(())
}

async fn upload_batch(hub: &TaskHub, files: &[Log]) -> Result<(), TaskError> {
    let described = stream::iter(files.to_vec()).map(describe).buffered(AT_ONCE).try_collect().await?;
    let plans = hub.start_upload(described).await?;
    if plans.len() != files.len() {
        return Err(TaskError::Invalid(format!("the hub planned {} uploads for {} files", plans.len(), files.len())));
    }
    let planned: Vec<_> = files.iter().map(|log| log.file.clone()).zip(plans).collect();
    let send = |(file, plan)| send(hub.clone(), file, plan);
    let uploaded = stream::iter(planned).map(send).buffered(AT_ONCE).try_collect().await?;
    Ok(hub.finish_upload(uploaded).await?)
}

async fn describe(Log { file, unpacked }: Log) -> Result<TaskFile, TaskError> {
    let FileDigest { size, sha256, parts } = FileDigest::of(&file.path).await?;
    Ok(TaskFile { name: file.name, size, sha256, parts, unpacked })
}

/// Boxed: the compiler cannot tell otherwise that it may move between threads.
fn send(hub: TaskHub, file: NamedFile, plan: UploadPlan) -> BoxFuture<'static, Result<UploadedFile, TaskError>> {
    async move {
        let meter = Arc::clone(hub.meter());
        let parts = hub.client().upload_parts(&plan, &file.path, move |bytes| meter.uploaded(bytes)).await?;
        Ok(UploadedFile { name: file.name, upload_id: plan.upload_id, parts })
    }
    .boxed()
}
