//! Whether this machine may take a task now: free space, load and memory.

use std::path::Path;

use crate::{config::Config, context::Machine};

const MIB: u64 = 1024 * 1024;

/// Looks at the machine; what was kept of failed tasks makes room first. Answers why no task is to be taken, if none is.
pub(super) async fn closed(machine: &Machine) -> Option<String> {
    let config = &machine.config;
    while space(config).is_some() {
        if !machine.kept.drop_oldest().await {
            break;
        }
        tracing::info!("there was too little free space: what a failed task left is gone");
    }
    space(config)
        .or_else(|| load(config, Path::new("/proc/loadavg")))
        .or_else(|| memory(config, Path::new("/proc/meminfo")))
}

/// What cannot be told does not close a gate.
fn space(config: &Config) -> Option<String> {
    let stat = rustix::fs::statvfs(config.work_dir()).ok()?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize) / MIB;
    let least = config.minspace;
    (free < least).then(|| format!("{free} MiB are free in {}, less than {least}", config.work_dir().display()))
}

fn load(config: &Config, loadavg: &Path) -> Option<String> {
    let text = std::fs::read_to_string(loadavg).ok()?;
    let load: f64 = text.split_whitespace().next()?.parse().ok()?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let most = config.max_load * processors as f64;
    (config.max_load > 0.0 && load > most).then(|| format!("the load is {load}, more than {most}"))
}

fn memory(config: &Config, meminfo: &Path) -> Option<String> {
    let text = std::fs::read_to_string(meminfo).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let free = line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? / 1024;
    let least = config.min_memory;
    (free < least).then(|| format!("{free} MiB of memory are available, less than {least}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(dir: &Path, more: &str) -> Config {
        let text = format!(
            "server='http://h'\nname='b'\nstate_dir='{0}'\nwork_dir='{0}'\narches=['x86_64']\nbuildroot='bwrap'\n{more}",
            dir.display()
        );
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn each_gate_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let (loadavg, meminfo) = (dir.path().join("loadavg"), dir.path().join("meminfo"));
        std::fs::write(&loadavg, "100000.25 3.00 2.00 2/300 4711\n").unwrap();
        std::fs::write(&meminfo, "MemTotal: 8000000 kB\nMemAvailable:   204800 kB\n").unwrap();
        let open = config(dir.path(), "minspace = 0\nmax_load = 0.0\nmin_memory = 200");
        assert_eq!((space(&open), load(&open, &loadavg), memory(&open, &meminfo)), (None, None, None));
        let shut = config(dir.path(), "minspace = 1000000000\nmin_memory = 201");
        assert!(space(&shut).unwrap().contains("less than 1000000000"));
        assert!(load(&shut, &loadavg).unwrap().starts_with("the load is 100000.25, more than"));
        assert_eq!(memory(&shut, &meminfo).unwrap(), "200 MiB of memory are available, less than 201");
        let none = dir.path().join("none");
        assert_eq!((load(&shut, &none), memory(&shut, &none)), (None, None));
    }

    #[tokio::test]
    async fn what_failed_tasks_left_makes_room() {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::new(config(dir.path(), "minspace = 1000000000"), crate::handlers::Handlers::own());
        let task = dir.path().join("tasks/1-1");
        std::fs::create_dir_all(&task).unwrap();
        let remains = crate::buildroot::Remains { root: "root".into(), lower: None };
        machine.kept.note(&task, 1.into(), remains).unwrap();
        assert!(machine.kept.adopt(&task).await);
        assert!(closed(&machine).await.unwrap().contains("are free"));
        assert!(machine.kept.find(1.into()).is_none());
    }
}
