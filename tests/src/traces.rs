//! What killed builders leave behind: processes and mounts.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};

/// Whether a process runs whose command line has this in it.
pub fn is_running(marker: &str) -> bool {
    let marker = marker.as_bytes();
    processes().any(|(_, proc)| contains(&fs::read(proc.join("cmdline")).unwrap_or_default(), marker))
}

/// How many processes run whose first argument begins with this.
pub fn running(marker: &str) -> usize {
    let is_it =
        |line: &[u8]| line.split(|byte| *byte == 0).nth(1).is_some_and(|first| first.starts_with(marker.as_bytes()));
    processes().filter(|(_, proc)| is_it(&fs::read(proc.join("cmdline")).unwrap_or_default())).count()
}

/// How many processes have their root in a folder.
pub fn count(dir: &Path) -> usize {
    processes().filter(|(_, proc)| fs::read_link(proc.join("root")).is_ok_and(|root| root.starts_with(dir))).count()
}

/// Kills all processes that belong to a folder: by their environment, or by what their root is. Then unmounts what is
/// mounted in it, and removes the control groups of tasks that its builders were killed with.
pub(crate) fn clear(dir: &Path) {
    let name = dir.as_os_str().as_encoded_bytes();
    let own = std::process::id() as i32;
    for (pid, proc) in processes().filter(|(pid, _)| *pid != own) {
        let is_inside = || fs::read_link(proc.join("root")).is_ok_and(|root| root.starts_with(dir));
        if contains(&fs::read(proc.join("environ")).unwrap_or_default(), name) || is_inside() {
            // it may have ended just now
            let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
        }
    }
    // later mounts lie above earlier ones
    for point in mounts_below(dir).iter().rev() {
        let _ = Command::new("umount").arg("--lazy").arg(point).stderr(Stdio::null()).status();
    }
    fs::read_dir(dir).into_iter().flatten().flatten().for_each(|entry| remove_groups(&entry.path()));
}

/// Removes the groups that bear the name of a builder's state folder. Where they are of the newer form, they go with the builder's own.
fn remove_groups(state_dir: &Path) {
    let digest = Sha256::digest(state_dir.as_os_str().as_encoded_bytes());
    let prefix = format!("toji-{}-", hex::encode(&digest[..4]));
    for entry in fs::read_dir("/sys/fs/cgroup/pids").into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            // nothing is in there any more
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// What is mounted below a folder, in order.
pub(crate) fn mounts_below(dir: &Path) -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    points.filter(|point| Path::new(point).starts_with(dir)).map(str::to_owned).collect()
}

/// The command lines of what a builder with this state folder has started: by the mark that it gives them, or by their root.
pub(crate) fn started_by(state_dir: &Path) -> Vec<String> {
    let mark = format!("TOJI_BUILDER_TASK={}:", state_dir.display());
    let is_of_it = |proc: &Path| {
        contains(&fs::read(proc.join("environ")).unwrap_or_default(), mark.as_bytes())
            || fs::read_link(proc.join("root")).is_ok_and(|root| root.starts_with(state_dir))
    };
    let command = |proc: &Path| {
        let line = fs::read(proc.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned()
    };
    processes().filter(|(_, proc)| is_of_it(proc)).map(|(pid, proc)| format!("{pid} {}", command(&proc))).collect()
}

fn processes() -> impl Iterator<Item = (i32, PathBuf)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
