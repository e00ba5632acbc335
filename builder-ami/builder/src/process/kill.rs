//! Killing all that a task has started, however it has tried to get away.
//!
//! A process is a task's when it is in the task's control group, when its environment carries the task's mark, when its root lies in
//! the task's folder, or when its parent is the task's. What runs in a buildroot is besides in a PID namespace of its own, whose end the
//! kernel makes the end of everything in it. (Adopting orphans as a child subreaper would add nothing, and the program that this
//! library is part of would have to reap them.)

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::{Groups, Meter, group::Group};

const MARK: &str = "TOJI_BUILDER_TASK";
/// How often is looked whether all are gone.
const LOOK: Duration = Duration::from_millis(10);
/// What has not gone after this long is stuck in the kernel, and no signal helps.
const HOPELESS: Duration = Duration::from_secs(10);

/// How processes of one task, or of one builder, are told.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    mark: String,
    dir: PathBuf,
    /// What they take is noted here.
    meter: Arc<Meter>,
    /// Where tasks' groups are made.
    groups: Option<Arc<Groups>>,
    /// The task's group.
    group: Option<Arc<Group>>,
    /// Where there are no groups: how many processes a user of this machine may have if he builds.
    most_of_user: Option<u64>,
}

impl Scope {
    /// Everything that the builder with this state folder has ever started; its buildroots are below `work_dir`.
    pub(crate) fn builder(state_dir: &Path, work_dir: &Path) -> Self {
        let mark = format!("{}:", state_dir.display());
        let (groups, group, most_of_user) = (None, None, None);
        Self { mark, dir: work_dir.to_owned(), meter: Arc::default(), groups, group, most_of_user }
    }

    /// The same, with a control group for each task.
    pub(crate) fn grouped(self, groups: &Arc<Groups>) -> Self {
        Self { groups: Some(Arc::clone(groups)), ..self }
    }

    /// The same where there are no groups: whoever builds may have so many processes on the whole machine.
    pub(crate) fn with_most_of_user(self, most: u64) -> Self {
        Self { most_of_user: Some(most), ..self }
    }

    /// One task of this builder, whose folder is `dir`.
    pub(crate) fn task(&self, name: &str, dir: &Path) -> Self {
        let group = self.groups.as_ref().and_then(|groups| {
            let made = groups.make(name);
            made.inspect_err(|error| tracing::error!(%error, name, "a task runs without a control group")).ok()
        });
        let mark = format!("{}{name}:", self.mark);
        Self { mark, dir: dir.to_owned(), meter: Arc::default(), group: group.map(Arc::new), ..self.clone() }
    }

    /// The same, with what they take noted there.
    pub(crate) fn metered(self, meter: &Arc<Meter>) -> Self {
        Self { meter: Arc::clone(meter), ..self }
    }

    /// The task's control group, where it has one.
    pub(crate) fn group(&self) -> Option<&Arc<Group>> {
        self.group.as_ref()
    }

    /// Removes the task's control group. Nothing may run in it any more.
    pub(crate) async fn close(&self) {
        if let Some(group) = &self.group {
            group.close().await;
        }
    }

    pub(super) fn most_of_user(&self) -> Option<u64> {
        self.most_of_user
    }

    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    pub(super) fn mark(&self) -> (&'static str, &str) {
        (MARK, &self.mark)
    }

    /// The processes that are alive now.
    pub(crate) fn processes(&self) -> HashSet<i32> {
        let marked = format!("{MARK}={}", self.mark).into_bytes();
        let own = std::process::id() as i32;
        let mut parents = HashMap::new();
        let mut found: HashSet<i32> = self.group.iter().flat_map(|group| group.processes()).collect();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let proc = entry.path();
            let Some(parent) = std::fs::read_to_string(proc.join("stat")).ok().and_then(|stat| living_parent(&stat))
            else {
                continue;
            };
            parents.insert(pid, parent);
            let is_marked = || {
                let environ = std::fs::read(proc.join("environ")).unwrap_or_default();
                environ.split(|byte| *byte == 0).any(|variable| variable.starts_with(&marked))
            };
            let is_inside = || std::fs::read_link(proc.join("root")).is_ok_and(|root| root.starts_with(&self.dir));
            if pid != own && (is_marked() || is_inside()) {
                found.insert(pid);
            }
        }
        // Children may be younger than their parents' place in /proc: again until nothing is added.
        loop {
            let before = found.len();
            found.extend(
                parents.iter().filter(|(_, parent)| found.contains(parent)).map(|(pid, _)| *pid).collect::<Vec<_>>(),
            );
            found.remove(&own);
            if found.len() == before {
                return found;
            }
        }
    }
}

/// The parent of a process that has not ended, from its `/proc/PID/stat`.
fn living_parent(stat: &str) -> Option<i32> {
    // The name stands in brackets and may hold anything, brackets too.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    match fields.next()? {
        "Z" | "X" => None,
        _ => fields.next()?.parse().ok(),
    }
}

/// Kills all processes in the scope: SIGTERM, and SIGKILL for those that are still there after `grace`. Answers when
/// none is left.
pub(crate) async fn kill_all(scope: &Scope, grace: Duration) {
    let begun = Instant::now();
    let mut asked = HashSet::new();
    loop {
        let alive = scope.processes();
        if alive.is_empty() {
            break;
        }
        let force = begun.elapsed() >= grace;
        if let Some(group) = scope.group().filter(|_| force) {
            group.kill();
        }
        for pid in alive.iter().filter(|pid| force || asked.insert(**pid)) {
            let signal = if force { Signal::KILL } else { Signal::TERM };
            if let Some(pid) = Pid::from_raw(*pid) {
                // It may have ended just now.
                let _ = kill_process(pid, signal);
            }
        }
        if begun.elapsed() > grace + HOPELESS {
            tracing::error!(pids = ?alive, "processes do not die");
            break;
        }
        sleep(LOOK).await;
    }
    // The task may have more to do: to look at what was built, and say why it failed.
    if let Some(Err(error)) = scope.group().map(|group| group.let_start()) {
        tracing::warn!(%error, "a control group does not take its limit");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Command;

    /// Until it holds; the test's own time limit is the end of patience.
    async fn until(mut condition: impl FnMut() -> bool) {
        while !condition() {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn parents_are_read() {
        assert_eq!(living_parent("7 (a) b) S 3 7 7"), Some(3));
        assert_eq!(living_parent("7 (a) Z 3 7 7"), None);
        assert_eq!(living_parent(""), None);
    }

    #[tokio::test]
    async fn grandchildren_that_ran_away_are_killed() {
        let dir = tempfile::tempdir().unwrap();
        let scope = Scope::builder(dir.path(), dir.path()).task("1-1", dir.path());
        let other = Scope::builder(dir.path(), dir.path()).task("1-12", &dir.path().join("other"));
        // A child, one in a session of its own whose parent has ended, one that will not hear of SIGTERM,
        // and one that cleared its environment but still has a parent.
        let script = "setsid sh -c 'setsid sleep 1000 & exit' ; (trap '' TERM; while :; do sleep 1000; done) & \
                      sh -c 'exec env -i sleep 1001' & sleep 1000";
        let running = tokio::spawn({
            let scope = scope.clone();
            async move { Command::new("sh").args(["-c", script]).run(&scope).await }
        });
        let stranger = tokio::spawn({
            let other = other.clone();
            async move { Command::new("sleep").arg("1000").run(&other).await }
        });
        until(|| scope.processes().len() >= 6).await;
        until(|| other.processes().len() == 1).await;

        let begun = Instant::now();
        kill_all(&scope, Duration::from_millis(200)).await;
        assert!(begun.elapsed() < Duration::from_secs(2));
        assert!(scope.processes().is_empty());
        assert!(!running.await.unwrap().unwrap().is_success());
        assert_eq!(other.processes().len(), 1, "another task's processes live");

        kill_all(&other, Duration::from_secs(2)).await;
        assert_eq!(stranger.await.unwrap().unwrap().status, 128 + 15);
    }

    #[tokio::test]
    async fn output_status_and_a_clean_environment() {
        let dir = tempfile::tempdir().unwrap();
        let scope = Scope::builder(dir.path(), dir.path());
        let (ended, output) = Command::new("env").env("A", "b").output(&scope).await.unwrap();
        let output = String::from_utf8(output).unwrap();
        assert!(ended.is_success() && output.contains("A=b\n"));
        assert!(!output.contains("CARGO"), "{output}");

        let log = dir.path().join("x.log");
        let ended = Command::new("sh").args(["-c", "echo out; echo err >&2; exit 7"]).log(&log).run(&scope).await;
        assert_eq!(ended.unwrap().status, 7);
        assert_eq!(std::fs::read_to_string(log).unwrap(), "out\nerr\n");
        assert_eq!(Command::new("/no/such").run(&scope).await.unwrap().status, 127);
    }
}
