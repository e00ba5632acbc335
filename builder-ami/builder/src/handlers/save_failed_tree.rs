//! `saveFailedTree`: packs what a failed task has left in its chroot, as long as it is kept.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use toji_protocol::{
    task::{TaskMethod, save_failed_tree::SaveFailedTreeTask},
    value::Value,
};

use super::{TaskHandler, answer};
use crate::{
    buildroot::KeptTree,
    context::TaskContext,
    failure::{Doing, TaskError, with_last_words},
    process::Command,
    upload::{NamedFile, upload},
};

/// tar's status when all that it could not do is not worth a failure.
const SOME_DIFFER: i32 = 1;
/// What no file of is.
const VIRTUAL: [&str; 3] = ["./proc/*", "./sys/*", "./dev/*"];

pub(super) struct SaveFailedTree;

#[async_trait]
impl TaskHandler for SaveFailedTree {
    fn method(&self) -> &str {
        SaveFailedTreeTask::METHOD
    }

    async fn run(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let task = SaveFailedTreeTask::from_request(ctx.task.request.clone())?;
        let id = task.buildroot_id;
        let tree = ctx.machine.kept.find(id).ok_or_else(|| {
            TaskError::Invalid(format!(
                "nothing of buildroot {id} is kept on {}, or no longer",
                ctx.machine.config.name
            ))
        })?;
        let name = format!("broot-{id}.tar.gz");
        let path = ctx.dir.join(&name);
        std::fs::create_dir_all(&ctx.dir).doing(|| "making the task's folder".to_owned())?;
        let turn = tree.turn.lock().await;
        let packed = pack(ctx, &tree, task.full, &path).await;
        tree.close();
        drop(turn);
        packed?;
        upload(&ctx.hub, &[NamedFile { path, name }]).await?;
        answer(&())
    }
}

/// Packs the folder that builds run in, or all.
async fn pack(ctx: &TaskContext, tree: &KeptTree, full: bool, to: &Path) -> Result<(), TaskError> {
    let dir = folder(tree.open()?, full)?;
    let log = ctx.dir.join("tar.log");
    let mut command = Command::new("tar").args(["--create", "--gzip", "--one-file-system", "--file"]).arg(to);
    command = command.arg("--directory").arg(&dir).args(["--transform", "s,^\\.,broot,S", "--anchored", "--wildcards"]);
    for hidden in ctx.machine.kept.hidden() {
        // As it is seen from the folder that is packed.
        let below = if full { Some(hidden.as_str()) } else { hidden.strip_prefix("/builddir") };
        if let Some(below) = below {
            command = command.arg("--exclude").arg(format!(".{below}"));
        }
    }
    for unreal in VIRTUAL.iter().filter(|_| full) {
        command = command.args(["--exclude", unreal]);
    }
    let ended = command.arg(".").log(&log).run(&ctx.scope).await.doing(|| "running tar".to_owned())?;
    if ended.is_success() || ended.status == SOME_DIFFER {
        return Ok(());
    }
    let message = format!("tar exited with status {}", ended.status);
    Err(TaskError::Invalid(with_last_words(message, &log)))
}

/// Not through a link: what was installed in the chroot may have laid one that leads out.
fn folder(root: PathBuf, full: bool) -> Result<PathBuf, TaskError> {
    let dir = if full { root } else { root.join("builddir") };
    match std::fs::symlink_metadata(&dir) {
        Ok(meta) if meta.is_dir() => Ok(dir),
        _ => Err(TaskError::Invalid("the chroot has no folder that builds run in; ask for all of it".to_owned())),
    }
}
