//! What keeps hostile packages within their test, whatever the builder under test does or fails to do: a fence around its processes, and
//! a disk of its own.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// Becomes a member of the group, and then the program.
const ENTER: &str = r#"echo 0 > "$0" && exec "$@""#;
/// All that is within has died by then.
const PATIENCE: Duration = Duration::from_secs(20);

/// A control group of the test's own, in which there can only be so many processes.
pub struct Fence {
    dir: PathBuf,
    most: u32,
}

impl Fence {
    /// Puts a fence up.
    ///
    /// # Panics
    /// When the kernel does not promise to keep it: nothing that multiplies may run then.
    pub fn up(most: u32) -> Self {
        let name = format!("toji-test-{}-{:08x}", std::process::id(), rand::random::<u32>());
        // In the older form processes are counted in a tree of their own.
        let trees = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"];
        let tree = trees.iter().map(Path::new).find(|tree| tree.join("cgroup.procs").is_file());
        let dir = tree.expect("control groups are mounted").join(name);
        let limit = dir.join("pids.max");
        let set = fs::create_dir(&dir).and_then(|()| fs::write(&limit, most.to_string()));
        let fence = Self { dir, most };
        let holds = set.and_then(|()| fs::read_to_string(&limit)).is_ok_and(|text| text.trim() == most.to_string());
        assert!(holds, "no fence can be put up at {}: hostile packages are not run without one", fence.dir.display());
        fence
    }

    /// What a program is to be run by so as to be within, and all that it starts.
    pub fn through(&self) -> Vec<OsString> {
        ["sh", "-c", ENTER].map(OsString::from).into_iter().chain([self.dir.join("cgroup.procs").into()]).collect()
    }

    /// Whether a process is within.
    pub fn holds(&self, pid: u32) -> bool {
        self.members(&self.dir).contains(&(pid as i32))
    }

    /// The groups of tasks within.
    ///
    /// # Panics
    /// When they cannot be listed.
    pub fn groups(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.dir).expect("a group can be listed").flatten();
        let groups = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        groups.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| name != "toji-builder").collect()
    }

    /// How often the fence itself was run against.
    pub fn touched(&self) -> u64 {
        let events = fs::read_to_string(self.dir.join("pids.events")).unwrap_or_default();
        events.lines().find_map(|line| line.strip_prefix("max ")?.parse().ok()).unwrap_or(0)
    }

    /// The most that may be within.
    pub fn most(&self) -> u32 {
        self.most
    }

    fn members(&self, dir: &Path) -> Vec<i32> {
        let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
        let mut members: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
        for entry in fs::read_dir(dir).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir()) {
            members.extend(self.members(&entry.path()));
        }
        members
    }

    fn remove(dir: &Path) -> io::Result<()> {
        for entry in fs::read_dir(dir)?.flatten().filter(|entry| entry.path().is_dir()) {
            Self::remove(&entry.path())?;
        }
        fs::remove_dir(dir)
    }
}

impl Drop for Fence {
    #[expect(clippy::disallowed_methods, reason = "called where a test ends, and on no runtime's thread")]
    fn drop(&mut self) {
        let begun = Instant::now();
        // Nothing within starts anything more.
        let _ = fs::write(self.dir.join("pids.max"), "0");
        while let Err(error) = Self::remove(&self.dir) {
            for pid in self.members(&self.dir).into_iter().filter_map(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
            if begun.elapsed() > PATIENCE {
                eprintln!("{} is left behind: {error}", self.dir.display());
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A disk that may be filled: a file system of its own, in memory.
pub struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    /// With so many MiB.
    ///
    /// # Panics
    /// When it cannot be mounted.
    pub fn of(mib: u32) -> Self {
        let dir = tempfile::Builder::new().prefix("toji-disk-").tempdir().expect("a folder can be made");
        let options = format!("size={mib}m,mode=755");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "toji-disk"]).arg(dir.path()).status();
        assert!(mounted.is_ok_and(|status| status.success()), "a disk can be mounted");
        Self { dir }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// How many MiB are free.
    ///
    /// # Panics
    /// When it is not there any more.
    pub fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.path()).expect("a disk tells its size");
        stat.f_bavail * stat.f_frsize / (1024 * 1024)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}
