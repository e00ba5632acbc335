//! Watches a task while its programs run. One that takes more than it may is stopped, and fails with the reason.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::sleep;

use crate::{
    context::TaskContext,
    failure::TaskError,
    logs::Source,
    process::{Scope, kill_all},
};

const MIB: u64 = 1024 * 1024;
const LOOK: Duration = Duration::from_millis(250);
/// With less than this, and fewer files to be made, a disk is full for any build.
const LEAST_SPACE: u64 = MIB;
const LEAST_FILES: u64 = 16;
/// How programs say that a disk is full.
const FULL: &str = "No space left on device";

/// Watches one task.
pub(super) struct Guard {
    scope: Scope,
    logs: Vec<Source>,
    /// MiB of logs.
    most_logs: u64,
    work_dir: PathBuf,
    /// The disk was seen to be full.
    was_full: AtomicBool,
}

impl Guard {
    /// For a task whose logs are there.
    pub(super) fn new(ctx: &TaskContext, logs: Vec<Source>) -> Self {
        let config = &ctx.machine.config;
        let (most_logs, work_dir) = (config.limits.logs, config.work_dir());
        Self { scope: ctx.scope.clone(), logs, most_logs, work_dir, was_full: AtomicBool::new(false) }
    }

    /// Does some work under watch.
    ///
    /// # Errors
    /// The work's, named for what caused it, or what the task took too much of.
    pub(super) async fn over<T>(&self, work: impl Future<Output = Result<T, TaskError>>) -> Result<T, TaskError> {
        let why = tokio::select! {
            done = work => return done.map_err(|error| self.named(error)),
            why = self.exceeded() => why,
        };
        kill_all(&self.scope, Duration::ZERO).await;
        self.cut_logs();
        Err(TaskError::Exceeded(why))
    }

    /// Waits until the task has taken too much. Answers what.
    async fn exceeded(&self) -> String {
        loop {
            sleep(LOOK).await;
            if is_full(&self.work_dir) {
                self.was_full.store(true, Ordering::Relaxed);
            }
            if let Some(why) = self.too_many_processes().or_else(|| self.too_long_logs()) {
                return why;
            }
        }
    }

    /// The same failure, named for what has caused it.
    pub(super) fn named(&self, error: TaskError) -> TaskError {
        let said = error.to_string();
        match &error {
            TaskError::Build(_) => {
                if let Some(why) = self.too_many_processes() {
                    return TaskError::Exceeded(format!("{why}\n{said}"));
                }
                if said.contains(FULL) && !self.is_full() {
                    // It has tidied up since.
                    return TaskError::NoSpace(format!("{}\n{said}", self.no_space("was full for a moment")));
                }
                if self.is_full() {
                    return TaskError::NoSpace(format!("{}\n{said}", self.no_space("ran full")));
                }
                error
            }
            TaskError::Machine { error: cause, .. } if cause.kind() == io::ErrorKind::StorageFull => {
                TaskError::NoSpace(format!("{}\n{said}", self.no_space("ran full")))
            }
            _ => error,
        }
    }

    fn too_many_processes(&self) -> Option<String> {
        let group = self.scope.group()?;
        let most = group.limits().processes;
        (group.refused() > 0).then(|| {
            format!(
                "too many processes: this task wanted more than the {most} that a task may have at once on this builder \
                 (limits.processes), and was stopped"
            )
        })
    }

    fn too_long_logs(&self) -> Option<String> {
        let size: u64 = self.log_files().iter().map(|(size, _)| size).sum();
        let most = self.most_logs;
        (size > most.saturating_mul(MIB)).then(|| {
            format!(
                "too much output: the logs grew beyond the {most} MiB that a task may write on this builder (limits.logs), and the \
                 task was stopped; they are kept up to there"
            )
        })
    }

    fn is_full(&self) -> bool {
        self.was_full.load(Ordering::Relaxed) || is_full(&self.work_dir)
    }

    fn no_space(&self, what: &str) -> String {
        let size = rustix::fs::statvfs(&self.work_dir).map(|stat| stat.f_blocks.saturating_mul(stat.f_frsize) / MIB);
        let size = size.map(|size| format!(" of {size} MiB")).unwrap_or_default();
        format!(
            "no space left on device: the builder's disk for builds{size} {what} while this task ran, by its own files or by those of \
             other tasks on this builder"
        )
    }

    /// Sizes and paths of the logs, smallest first.
    fn log_files(&self) -> Vec<(u64, PathBuf)> {
        let mut files = Vec::new();
        for source in &self.logs {
            for entry in fs::read_dir(&source.dir).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let is_log =
                    name.to_str().is_some_and(|name| name.ends_with(".log") && name.starts_with(source.prefix));
                // Neither links nor pipes: what runs in the chroot may have made them.
                if let Some(meta) = entry.metadata().ok().filter(|meta| is_log && meta.is_file()) {
                    files.push((meta.len(), entry.path()));
                }
            }
        }
        files.sort();
        files
    }

    /// Cuts the logs to what may be kept; the longest loses its end.
    fn cut_logs(&self) {
        let mut left = self.most_logs.saturating_mul(MIB);
        for (size, path) in self.log_files() {
            if size > left
                && let Err(error) = cut(&path, left, self.most_logs)
            {
                tracing::warn!(%error, path = %path.display(), "a log cannot be cut");
            }
            left = left.saturating_sub(size);
        }
    }
}

fn cut(log: &Path, at: u64, most: u64) -> io::Result<()> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut file = File::options().append(true).custom_flags(flags.bits() as i32).open(log)?;
    file.set_len(at)?;
    writeln!(file, "\n[cut off here: the task's logs grew beyond {most} MiB]")
}

/// Whether builds find no room on the disk of this folder. Where that cannot be told, they do.
fn is_full(dir: &Path) -> bool {
    rustix::fs::statvfs(dir).is_ok_and(|stat| {
        let has_no_files = stat.f_files > 0 && stat.f_favail < LEAST_FILES;
        stat.f_bavail.saturating_mul(stat.f_frsize) < LEAST_SPACE || has_no_files
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(dir: &Path, most_logs: u64) -> Guard {
        let logs = vec![Source { dir: dir.to_owned(), prefix: "" }];
        let scope = Scope::builder(dir, dir);
        Guard { scope, logs, most_logs, work_dir: dir.to_owned(), was_full: AtomicBool::new(false) }
    }

    #[tokio::test]
    async fn logs_that_grow_too_long_end_the_work() {
        let dir = tempfile::tempdir().unwrap();
        let guard = guard(dir.path(), 2);
        fs::write(dir.path().join("root.log"), "short\n").unwrap();
        let secret = tempfile::NamedTempFile::new().unwrap();
        secret.as_file().set_len(10 * MIB).unwrap();
        std::os::unix::fs::symlink(secret.path(), dir.path().join("link.log")).unwrap();
        guard.over(async { Ok(()) }).await.unwrap();
        let work = async {
            fs::write(dir.path().join("build.log"), "x".repeat(3 << 20)).unwrap();
            std::future::pending().await
        };
        let error = guard.over::<()>(work).await.unwrap_err();
        assert!(error.to_string().contains("beyond the 2 MiB"), "{error}");
        let log = fs::read_to_string(dir.path().join("build.log")).unwrap();
        assert!(log.len() < (2 << 20) + 100 && log.ends_with("grew beyond 2 MiB]\n"));
        assert_eq!(fs::read_to_string(dir.path().join("root.log")).unwrap(), "short\n");
        assert_eq!(secret.as_file().metadata().unwrap().len(), 10 * MIB, "links are not followed");
    }

    #[test]
    fn failures_on_a_full_disk_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let guard = guard(dir.path(), 2);
        let build = |said: &str| guard.named(TaskError::Build(said.to_owned()));
        assert!(matches!(build("rpmbuild exited with status 1"), TaskError::Build(_)));
        let tidied = build("rpmbuild exited with status 1\ncc: error: No space left on device");
        assert!(tidied.to_string().contains("was full for a moment"), "{tidied}");
        guard.was_full.store(true, Ordering::Relaxed);
        let error = build("rpmbuild exited with status 1");
        assert!(
            matches!(error, TaskError::NoSpace(_)) && error.to_string().ends_with("\nrpmbuild exited with status 1")
        );
        let machine = TaskError::Machine { what: "writing x".to_owned(), error: io::ErrorKind::StorageFull.into() };
        assert!(matches!(guard.named(machine), TaskError::NoSpace(_)));
        assert!(matches!(guard.named(TaskError::TimedOut("late".to_owned())), TaskError::TimedOut(_)));
    }
}
