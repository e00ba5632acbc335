//! What becomes of logs that nobody writes to any more: each is packed and uploaded, in place of the parts that were sent of it.
//!
//! Until an upload has ended, the hub reads the parts. So whenever the builder dies, nothing is lost that was ever sent.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use toji_protocol::packed_log;
use tokio::time::timeout;

use super::{Ending, collector::open_no_follow};
use crate::{
    context::TaskContext,
    upload::{Log, NamedFile, upload_with_logs},
};

/// The logs of what was stopped are given this long.
const LAST_WORDS: Duration = Duration::from_secs(120);

/// Packs logs into a folder. One that cannot be packed is sent as it is.
pub(crate) async fn pack(logs: Vec<NamedFile>, dir: &Path) -> Vec<Log> {
    let (dir, unpacked) = (dir.to_owned(), logs.clone());
    let packing = tokio::task::spawn_blocking(move || logs.into_iter().map(|log| pack_one(log, &dir)).collect());
    packing.await.unwrap_or_else(|error| {
        tracing::error!(%error, "packing the logs has died");
        unpacked.into_iter().map(|file| Log { file, unpacked: None }).collect()
    })
}

fn pack_one(log: NamedFile, dir: &Path) -> Log {
    match packed(&log, dir) {
        Ok((path, size)) => Log { file: NamedFile { path, name: log.name }, unpacked: Some(size) },
        Err(error) => {
            tracing::warn!(log = log.name, %error, "a log is not packed");
            Log { file: log, unpacked: None }
        }
    }
}

fn packed(log: &NamedFile, dir: &Path) -> io::Result<(PathBuf, i64)> {
    std::fs::create_dir_all(dir)?;
    // a build could have laid a link to a secret of the host
    let source = open_no_follow(&log.path)?;
    let size = source.metadata()?.len();
    let path = dir.join(&log.name);
    let mut target = BufWriter::new(File::create(&path)?);
    packed_log::pack(&mut BufReader::new(source), size, &mut target)?;
    target.flush()?;
    Ok((path, i64::try_from(size).map_err(io::Error::other)?))
}

/// Where a task's logs are packed.
pub(crate) fn packed_dir(ctx: &TaskContext) -> PathBuf {
    ctx.dir.join("packed-logs")
}

/// Closes the logs of a task that has ended without doing so itself. What it ran must have ended, too.
pub(crate) async fn close(ctx: &TaskContext) {
    let closing = async {
        let logs = ctx.hub.sender().finish(Ending::Last).await;
        if logs.is_empty() {
            return Ok(());
        }
        upload_with_logs(&ctx.hub, &[], &pack(logs, &packed_dir(ctx)).await).await
    };
    match timeout(LAST_WORDS, closing).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::info!(%error, "the logs stay as they were sent"),
        Err(_) => tracing::warn!("the logs were not closed in time; they stay as they were sent"),
    }
}
