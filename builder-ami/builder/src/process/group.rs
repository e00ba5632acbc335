//! Control groups: one for each task, below the builder's own.
//!
//! Whatever a task starts is in its group, and stays there: it sees no way out. So the kernel can be told how many processes and how
//! much memory a task may have, and which processes are to die. There are two forms. In the older one (v1) each controller has a
//! tree of its own, in the newer one (v2) all share one. Names of files differ for memory alone.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};
use tokio::time::sleep;

use super::hierarchy::{self, Form};

/// A group is busy for a moment when its last process has died.
const TRIES: u32 = 100;
const LOOK: Duration = Duration::from_millis(10);

/// What a task may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Processes and threads at once.
    pub processes: u64,
    /// Bytes of memory; None = as much as there is.
    pub memory: Option<u64>,
}

/// Where the groups of a builder's tasks are made.
#[derive(Debug)]
pub(crate) struct Groups {
    form: Form,
    /// What their names begin with: another builder's begin otherwise.
    prefix: String,
    limits: Limits,
}

/// A task's group. It is removed when nothing is in it any more, see [`Group::close`].
#[derive(Debug)]
pub(crate) struct Group {
    /// Where processes are counted; in v2 everything is there.
    pids: PathBuf,
    memory: Option<PathBuf>,
    limits: Limits,
}

impl Groups {
    /// Where the builder with this state folder can make groups with these limits.
    ///
    /// # Errors
    /// When it can make none: why.
    pub(crate) fn find(state_dir: &Path, limits: Limits) -> io::Result<Self> {
        let own = hierarchy::own(limits.memory.is_some())?;
        Self::within(own, state_dir, limits)
    }

    /// The same, with the builder's own group told.
    fn within(form: Form, state_dir: &Path, limits: Limits) -> io::Result<Self> {
        let digest = Sha256::digest(state_dir.as_os_str().as_encoded_bytes());
        let groups = Self { form, prefix: format!("toji-{}-", hex::encode(&digest[..4])), limits };
        hierarchy::hand_down(&groups.form, limits.memory.is_some())?;
        // Better now than with the first task.
        groups.make("probe")?.remove()?;
        Ok(groups)
    }

    /// Makes a group.
    ///
    /// # Errors
    /// When it cannot be made, or the limits cannot be set.
    pub(crate) fn make(&self, name: &str) -> io::Result<Group> {
        let group = self.at(&format!("{}{name}", self.prefix));
        let set = || {
            for dir in group.dirs() {
                match fs::create_dir(dir) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                    _ => {}
                }
            }
            group.let_start()?;
            match (&group.memory, self.limits.memory) {
                (Some(dir), Some(most)) => fs::write(dir.join(self.form.memory_limit()), most.to_string()),
                _ => Ok(()),
            }
        };
        if let Err(error) = set() {
            // What was made of it is empty.
            let _ = group.remove();
            return Err(error);
        }
        Ok(group)
    }

    /// Kills all that an earlier life of this builder has left in groups, and removes them.
    pub(crate) async fn clear(&self) {
        let entries = fs::read_dir(self.form.pids()).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        for left in names.filter(|name| name.starts_with(&self.prefix)) {
            let group = self.at(&left);
            group.kill();
            group.close().await;
        }
    }

    fn at(&self, name: &str) -> Group {
        let memory = self.limits.memory.and_then(|_| self.form.memory());
        Group { pids: self.form.pids().join(name), memory: memory.map(|dir| dir.join(name)), limits: self.limits }
    }
}

impl Group {
    /// The files that a process writes `0` to so as to be in it.
    pub(super) fn doors(&self) -> impl Iterator<Item = PathBuf> {
        self.dirs().map(|dir| dir.join("cgroup.procs"))
    }

    /// The processes in it now.
    pub(super) fn processes(&self) -> Vec<i32> {
        let text = fs::read_to_string(self.pids.join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Sends SIGKILL to all that is in it, once. Until [`Group::let_start`] nothing in it can start another process.
    pub(super) fn kill(&self) {
        // What forks as fast as it is killed would never be gone.
        let _ = fs::write(self.pids.join("pids.max"), "0");
        let all_at_once = self.pids.join("cgroup.kill");
        if all_at_once.exists() && fs::write(all_at_once, "1").is_ok() {
            return;
        }
        for pid in self.processes().into_iter().filter_map(Pid::from_raw) {
            // It may have ended just now.
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    /// Lets what is in it start processes, up to the limit.
    pub(super) fn let_start(&self) -> io::Result<()> {
        fs::write(self.pids.join("pids.max"), self.limits.processes.to_string())
    }

    /// How often the kernel has refused to start a process, as there were too many.
    pub(crate) fn refused(&self) -> u64 {
        counter(&self.pids.join("pids.events"), "max ")
    }

    /// How many programs the kernel has killed, as the group's memory was used up.
    pub(crate) fn killed_for_memory(&self) -> u64 {
        let Some(dir) = &self.memory else { return 0 };
        let files = ["memory.events", "memory.oom_control"];
        files.iter().map(|file| counter(&dir.join(file), "oom_kill ")).max().unwrap_or(0)
    }

    /// What may be in it.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Removes it once all that was killed is gone. What does not go keeps it there; the next start removes it then.
    pub(crate) async fn close(&self) {
        for _ in 0..TRIES {
            match self.remove() {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => sleep(LOOK).await,
                Err(error) => return self.is_left(&error),
                Ok(()) => return,
            }
        }
        self.is_left(&io::ErrorKind::ResourceBusy.into());
    }

    fn is_left(&self, error: &io::Error) {
        tracing::warn!(%error, path = %self.pids.display(), "a control group cannot be removed");
    }

    fn remove(&self) -> io::Result<()> {
        self.dirs().try_for_each(|dir| match hierarchy::remove(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        })
    }

    fn dirs(&self) -> impl Iterator<Item = &PathBuf> {
        [Some(&self.pids), self.memory.as_ref().filter(|dir| **dir != self.pids)].into_iter().flatten()
    }
}

/// The number in a file's line that begins so; 0 where there is none.
fn counter(file: &Path, line: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().find_map(|text| text.strip_prefix(line)?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::process::{Command, Scope, kill_all};

    const FEW: Limits = Limits { processes: 20, memory: None };

    /// Makes real groups, where this machine lets us.
    fn real(dir: &Path) -> Option<Arc<Groups>> {
        match Groups::find(dir, FEW) {
            Ok(groups) => Some(Arc::new(groups)),
            Err(error) => {
                eprintln!("skipped: no control groups can be made here: {error}");
                None
            }
        }
    }

    #[tokio::test]
    async fn a_task_has_only_so_many_processes_and_all_die() {
        let dir = tempfile::tempdir().unwrap();
        let Some(groups) = real(dir.path()) else { return };
        let scope = Scope::builder(dir.path(), dir.path()).grouped(&groups).task("1-1", dir.path());
        let group = Arc::clone(scope.group().unwrap());
        // They leave their session and their parent, forget their environment, and do not hear of SIGTERM.
        let forks = "trap '' TERM; for n in $(seq 100); do env -i setsid sh -c 'trap \"\" TERM; sleep 1000 & wait' & done; wait";
        let running = tokio::spawn({
            let scope = scope.clone();
            async move { Command::new("sh").args(["-c", forks]).run(&scope).await }
        });
        while group.refused() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(scope.processes().len() as u64 <= FEW.processes);
        kill_all(&scope, std::time::Duration::ZERO).await;
        assert!(scope.processes().is_empty() && group.processes().is_empty());
        assert!(!running.await.unwrap().unwrap().is_success());
        // It may start processes again, once those that were killed have been waited for.
        while !Command::new("sh").args(["-c", "true & wait $!"]).run(&scope).await.unwrap().is_success() {}
        scope.close().await;
        assert!(!group.pids.exists());
    }

    #[tokio::test]
    async fn what_an_earlier_life_left_is_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        let Some(groups) = real(dir.path()) else { return };
        let other = tempfile::tempdir().unwrap();
        let others = real(other.path()).unwrap().make("1-1").unwrap();
        let scope = Scope::builder(dir.path(), dir.path()).grouped(&groups).task("2-1", dir.path());
        let running = tokio::spawn(async move { Command::new("sleep").arg("1000").run(&scope).await });
        while groups.at(&format!("{}2-1", groups.prefix)).processes().is_empty() {
            tokio::task::yield_now().await;
        }
        real(dir.path()).unwrap().clear().await;
        assert_eq!(running.await.unwrap().unwrap().status, 128 + 9);
        assert!(!groups.at(&format!("{}2-1", groups.prefix)).pids.exists());
        assert!(others.pids.exists(), "another builder's");
        others.remove().unwrap();
    }

    /// A folder that imitates v2: it holds what is written, and does nothing.
    #[test]
    fn the_newer_form() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("toji-builder.service");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        fs::write(own.join("cgroup.subtree_control"), "").unwrap();
        let form = Form::V2 { dir: own.clone() };
        let limits = Limits { processes: 7, memory: Some(1 << 30) };
        hierarchy::hand_down(&form, true).unwrap();
        assert_eq!(fs::read_to_string(own.join("cgroup.subtree_control")).unwrap(), "+pids +memory");
        let group = Groups { form, prefix: "toji-0-".to_owned(), limits }.make("1-1").unwrap();
        let at = own.join("toji-0-1-1");
        let has = |file: &str| fs::read_to_string(at.join(file)).unwrap();
        assert_eq!((has("pids.max"), has("memory.max")), ("7".to_owned(), (1_u64 << 30).to_string()));
        assert_eq!(group.doors().collect::<Vec<_>>(), [at.join("cgroup.procs")], "one door for all");
        fs::write(at.join("pids.events"), "max 3\n").unwrap();
        fs::write(at.join("memory.events"), "low 0\noom 5\noom_kill 4\n").unwrap();
        assert_eq!((group.refused(), group.killed_for_memory()), (3, 4));
        fs::write(at.join("cgroup.kill"), "").unwrap();
        group.kill();
        assert_eq!((has("cgroup.kill"), has("pids.max")), ("1".to_owned(), "0".to_owned()));
        group.let_start().unwrap();
        assert_eq!(has("pids.max"), "7");
    }

    /// The same for v1.
    #[test]
    fn the_older_form() {
        let dir = tempfile::tempdir().unwrap();
        let form = Form::V1 { pids: dir.path().join("pids"), memory: Some(dir.path().join("memory")) };
        fs::create_dir(dir.path().join("pids")).unwrap();
        fs::create_dir(dir.path().join("memory")).unwrap();
        let limits = Limits { processes: 7, memory: Some(4096) };
        let group = Groups { form, prefix: "toji-0-".to_owned(), limits }.make("1-1").unwrap();
        let memory = dir.path().join("memory/toji-0-1-1");
        assert_eq!(fs::read_to_string(memory.join("memory.limit_in_bytes")).unwrap(), "4096");
        assert_eq!(group.doors().count(), 2);
        fs::write(memory.join("memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n").unwrap();
        assert_eq!((group.refused(), group.killed_for_memory()), (0, 2));
    }
}
