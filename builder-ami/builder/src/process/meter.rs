//! What a task takes: processors, memory, disk and uploads.
//!
//! A program that has ended is looked at once more before it is let go: until then the kernel tells what it and all that it waited for
//! took. Memory is looked at now and then, as the kernel keeps no sum of several programs' (what runs is not in a control group of
//! its own everywhere).

use std::{
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use toji_protocol::method::worker::TaskUsage;
use tokio::{process::Child, sync::oneshot, time::sleep};

use super::Scope;

/// In `/proc`, Linux counts time in hundredths of a second on every architecture.
const TICKS: f64 = 100.0;
/// When memory is looked at: soon at first, so that something is known of short tasks, too.
const FIRST_LOOK: Duration = Duration::from_millis(250);
const LATER_LOOKS: Duration = Duration::from_secs(5);
/// A thread that only waits needs little.
const STACK: usize = 128 * 1024;

/// Adds up what a task takes.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Sums>);

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    ticks: u64,
    read: u64,
    written: u64,
    peak: u64,
    uploaded: u64,
    /// Any program has ended and was looked at.
    has_programs: bool,
}

impl Meter {
    /// What it took so far.
    pub(crate) fn usage(&self) -> TaskUsage {
        let sums = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = |bytes: u64| Some(i64::try_from(bytes).unwrap_or(i64::MAX));
        let of_programs = |value| if sums.has_programs { value } else { None };
        TaskUsage {
            cpu_seconds: sums.has_programs.then_some(sums.ticks as f64 / TICKS),
            peak_memory: bytes(sums.peak).filter(|peak| *peak > 0),
            read_bytes: of_programs(bytes(sums.read)),
            written_bytes: of_programs(bytes(sums.written)),
            uploaded_bytes: bytes(sums.uploaded),
        }
    }

    /// So many bytes were uploaded.
    pub(crate) fn uploaded(&self, bytes: u64) {
        self.change(|sums| sums.uploaded += bytes);
    }

    /// Waits until a program has ended, and notes what it took. It is still to be waited for.
    pub(super) async fn watch(&self, child: &Child) {
        let Some(pid) = child.id() else { return };
        // Whoever cannot be watched is waited for all the same, and not counted.
        if let Err(error) = ended(pid).await {
            tracing::debug!(%error, "a program is not watched");
            return;
        }
        let (ticks, (read, written)) = (ticks(pid), bytes(pid));
        self.change(|sums| {
            sums.has_programs = true;
            sums.ticks += ticks;
            sums.read += read;
            sums.written += written;
        });
    }

    /// Looks at the memory of a task's programs again and again. Never ends by itself.
    pub(crate) async fn look_at_memory(&self, scope: &Scope) {
        let mut pause = FIRST_LOOK;
        loop {
            sleep(pause).await;
            let now = scope.processes().into_iter().map(resident).sum();
            self.change(|sums| sums.peak = sums.peak.max(now));
            pause = (pause * 2).min(LATER_LOOKS);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Sums)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Waits until a program has ended, and leaves it to be waited for: by a thread, as the kernel has no other way to ask.
async fn ended(pid: u32) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    let (end, ended) = oneshot::channel();
    // Where the program is no longer wanted, somebody else waits for it; then this ends, too.
    std::thread::Builder::new().name("watcher".to_owned()).stack_size(STACK).spawn(move || {
        let waited = loop {
            match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Err(rustix::io::Errno::INTR) => {}
                waited => break waited,
            }
        };
        let _ = end.send(waited.map(drop).map_err(io::Error::from));
    })?;
    ended.await.map_err(io::Error::other)?
}

/// The time of a program and of all that it has waited for.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name stands in brackets and may hold anything; the times are fields 14 to 17.
    let Some((_, fields)) = stat.rsplit_once(')') else { return 0 };
    fields.split_whitespace().skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// What a program, and all that it has waited for, read from and wrote to disk.
fn bytes(pid: u32) -> (u64, u64) {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let field = |name: &str| {
        let line = io.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    (field("read_bytes"), field("write_bytes"))
}

/// The memory that a program has of its own now.
fn resident(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib =
        status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::process::Command;

    #[tokio::test]
    async fn what_programs_took() {
        let dir = tempfile::tempdir().unwrap();
        let meter = Arc::new(Meter::default());
        let scope = Scope::builder(dir.path(), dir.path()).task("1-1", dir.path()).metered(&meter);
        assert_eq!(meter.usage().cpu_seconds, None, "nothing has run");
        // The children of a child that was waited for count, too.
        let script = "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; \
                      dd if=/dev/zero of=./zero bs=1M count=3 conv=fsync 2>/dev/null'; exit 3";
        let command = Command::new("sh").args(["-c", &format!("cd {}; {script}", dir.path().display())]);
        assert_eq!(command.run(&scope).await.unwrap().status, 3);
        let usage = meter.usage();
        assert!(usage.cpu_seconds.unwrap() > 0.05, "{usage:?}");
        assert!(usage.written_bytes.unwrap() >= 3 << 20, "{usage:?}");
        let before = usage.cpu_seconds;
        let (ended, output) = Command::new("echo").arg("x").output(&scope).await.unwrap();
        assert!(ended.is_success() && output == b"x\n");
        meter.uploaded(7);
        let usage = meter.usage();
        assert!(usage.cpu_seconds >= before && usage.uploaded_bytes == Some(7));
    }

    #[tokio::test]
    async fn memory_at_its_peak() {
        let dir = tempfile::tempdir().unwrap();
        let meter = Arc::new(Meter::default());
        let scope = Scope::builder(dir.path(), dir.path()).task("1-1", dir.path()).metered(&meter);
        // Says when it has it, and then waits to be killed.
        let ready = dir.path().join("ready");
        let script = format!(
            "x = bytearray(b'x') * 40_000_000\nopen('{}', 'w')\nimport time\ntime.sleep(1000)",
            ready.display()
        );
        let program = {
            let scope = scope.clone();
            tokio::spawn(async move { Command::new("python3").args(["-c", &script]).run(&scope).await })
        };
        let seen = async {
            while meter.usage().peak_memory.is_none_or(|peak| peak < 40_000_000) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = meter.look_at_memory(&scope) => {}
            () = seen => {}
        }
        crate::process::kill_all(&scope, Duration::ZERO).await;
        assert!(!program.await.unwrap().unwrap().is_success());
    }
}
