//! What processes have used, from `/proc`.

use std::fs;

use anyhow::{Context, Result};

/// What `/proc` counts in, a second: USER_HZ is the same on every Linux.
const TICKS: f64 = 100.0;

/// CPU seconds of the hub and the database so far, user and system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    pub(crate) hub: f64,
    pub(crate) database: f64,
}

impl Cpu {
    pub(crate) fn since(self, before: Cpu) -> Cpu {
        Cpu { hub: self.hub - before.hub, database: self.database - before.database }
    }
}

/// The processes that are measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched {
    pub(crate) hub: u32,
    pub(crate) postmaster: u32,
}

impl Watched {
    /// What they have used so far. Backends that have ended count by what the postmaster has waited for.
    pub(crate) fn cpu(self) -> Result<Cpu> {
        let mut database = used(self.postmaster, true)?;
        for entry in fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            // it may end while we look
            if parent(pid).ok() == Some(self.postmaster) {
                database += used(pid, false).unwrap_or(0.0);
            }
        }
        Ok(Cpu { hub: used(self.hub, false)?, database })
    }

    /// The hub's resident memory, in MB.
    pub(crate) fn hub_memory(self) -> Result<f64> {
        in_status(self.hub, "VmRSS:")
    }
}

/// The fields of `/proc/PID/stat` behind the name, which may hold anything.
fn stat(pid: u32) -> Result<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("an odd /proc/PID/stat")?;
    Ok(fields.split(' ').map(str::to_owned).collect())
}

/// A process's parent.
pub(crate) fn parent(pid: u32) -> Result<u32> {
    Ok(stat(pid)?.get(1).context("no parent")?.parse()?)
}

fn used(pid: u32, with_children: bool) -> Result<f64> {
    let fields = stat(pid)?;
    let last = if with_children { 14 } else { 12 };
    let ticks: u64 = fields[11..=last].iter().map(|field| field.parse::<u64>()).sum::<Result<u64, _>>()?;
    Ok(ticks as f64 / TICKS)
}

/// CPU seconds of our children that have ended.
pub(crate) fn of_children() -> Result<f64> {
    Ok(used(std::process::id(), true)? - used(std::process::id(), false)?)
}

/// Has the kernel forget the most memory that a process has had.
pub(crate) fn forget_peak(pid: u32) -> Result<()> {
    Ok(fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

/// The most memory that a process has had, in MB.
pub(crate) fn peak(pid: u32) -> Result<f64> {
    in_status(pid, "VmHWM:")
}

/// What a process has read and written by any call, in MB.
pub(crate) fn io(pid: u32) -> Result<(f64, f64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let of = |name: &str| -> Result<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).context("an odd /proc/PID/io")?;
        Ok(line.trim().parse::<f64>()? / 1e6)
    };
    Ok((of("rchar:")?, of("wchar:")?))
}

fn in_status(pid: u32, name: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("a line is missing in its status")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024.0 / 1e6)
}
