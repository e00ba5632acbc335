//! What killed builders leave behind: processes and mounts.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

/// Whether a process runs whose command line has this in it.
pub fn is_running(marker: &str) -> bool {
    let marker = marker.as_bytes();
    processes().any(|(_, proc)| contains(&fs::read(proc.join("cmdline")).unwrap_or_default(), marker))
}

/// Kills all processes that belong to a folder: by their environment, or by what their root is. Then unmounts what is
/// mounted in it.
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
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points: Vec<&str> = mounts.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    // later mounts lie above earlier ones
    for point in points.iter().rev().filter(|point| Path::new(point).starts_with(dir)) {
        let _ = Command::new("umount").arg("--lazy").arg(point).stderr(Stdio::null()).status();
    }
}

fn processes() -> impl Iterator<Item = (i32, PathBuf)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
