//! Before the first task: is this machine fit, and what has a crashed predecessor left?

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
    time::Duration,
};

use rustix::fs::FlockOperation;

use super::RunError;
use crate::{
    config::{BuildrootKind, Config},
    mounts,
    process::{Groups, Limits, Scope, kill_all},
};

const MIB: u64 = 1024 * 1024;
/// What a predecessor's mock gets to take its mounts away.
const GRACE: Duration = Duration::from_secs(3);

/// A machine that is ready for tasks.
pub(super) struct Prepared {
    /// Held while the file is open.
    pub(super) lock: File,
    /// Where tasks' control groups are made; None = nowhere.
    pub(super) groups: Option<Arc<Groups>>,
}

/// Looks at the machine, takes the state folder, and clears away what is left.
pub(super) async fn machine(config: &Config) -> Result<Prepared, RunError> {
    if config.buildroot == BuildrootKind::Bwrap && !rustix::process::geteuid().is_root() {
        return Err(RunError::NotRoot);
    }
    tools(config)?;
    let lock = lock(config)?;
    let groups = groups(config);
    clear(config, groups.as_deref()).await;
    let work = config.work_dir();
    let making = |error| RunError::Machine { what: format!("making {}", work.display()), error };
    fs::create_dir_all(work.join("tasks")).map_err(making)?;
    Ok(Prepared { lock, groups })
}

/// Where groups can be made. If nowhere, says what holds instead.
fn groups(config: &Config) -> Option<Arc<Groups>> {
    let limits = &config.limits;
    let memory = Some(limits.memory).filter(|most| *most > 0).map(|most| most.saturating_mul(MIB));
    match Groups::find(&config.state_dir, Limits { processes: limits.processes, memory }) {
        Ok(groups) => Some(Arc::new(groups)),
        Err(error) => {
            tracing::warn!(
                %error,
                "no control groups can be made: limits.processes holds for the user that builds, on the whole machine and not for \
                 root, and limits.memory does not hold; run the builder by its systemd unit, or as root of the control groups"
            );
            None
        }
    }
}

fn tools(config: &Config) -> Result<(), RunError> {
    let mut tools = ["setpriv", "prlimit", "rpm", "git"].map(str::to_owned).to_vec();
    match config.buildroot {
        BuildrootKind::Bwrap => tools.extend(["bwrap", "dnf", "cp"].map(str::to_owned)),
        BuildrootKind::Mock => tools.push(config.mock.path.display().to_string()),
    }
    let missing: Vec<String> = tools.into_iter().filter(|tool| !is_there(tool)).collect();
    if missing.is_empty() { Ok(()) } else { Err(RunError::Missing(missing.join(", "))) }
}

fn is_there(tool: &str) -> bool {
    let executable =
        |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    if tool.contains('/') {
        return executable(Path::new(tool));
    }
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .any(|dir| executable(&Path::new(dir).join(tool)))
}

/// One builder a state folder: another would kill this one's processes.
fn lock(config: &Config) -> Result<File, RunError> {
    let machine = |error| RunError::Machine { what: format!("using {}", config.state_dir.display()), error };
    fs::create_dir_all(&config.state_dir).map_err(machine)?;
    // The token is in there.
    fs::set_permissions(&config.state_dir, fs::Permissions::from_mode(0o711)).map_err(machine)?;
    let file = File::options().create(true).truncate(false).write(true).open(config.state_dir.join("lock"));
    let file = file.map_err(machine)?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| RunError::Taken(config.state_dir.clone()))?;
    Ok(file)
}

/// Ends a predecessor's processes, and takes its mounts and its tasks' folders away. Filled roots stay, and what is kept of failed
/// tasks.
async fn clear(config: &Config, groups: Option<&Groups>) {
    let work = config.work_dir();
    if let Some(groups) = groups {
        groups.clear().await;
    }
    kill_all(&Scope::builder(&config.state_dir, &work), GRACE).await;
    mounts::unmount_below(&work);
    for left in [work.join("tasks"), work.join("trash")] {
        if left.is_dir() {
            mounts::delete(left).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Command;

    fn config(dir: &Path) -> Config {
        let dir = dir.display();
        let text = format!("server='http://h'\nname='b'\nstate_dir='{dir}'\narches=['x86_64']\nbuildroot='bwrap'");
        toml::from_str(&text).unwrap()
    }

    #[tokio::test]
    async fn a_predecessors_leftovers_are_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        let work = config.work_dir();
        fs::create_dir_all(work.join("tasks/7-1/root")).unwrap();
        fs::create_dir_all(work.join("roots/kept")).unwrap();
        fs::create_dir_all(work.join("kept/5")).unwrap();
        let scope = Scope::builder(&config.state_dir, &work);
        let task = scope.task("7-1", &work.join("tasks/7-1"));
        let left = tokio::spawn(async move { Command::new("sleep").arg("1000").run(&task).await });
        while scope.processes().is_empty() {
            tokio::task::yield_now().await;
        }
        clear(&config, None).await;
        assert!(!left.await.unwrap().unwrap().is_success());
        assert!(!work.join("tasks").exists());
        assert!(work.join("roots/kept").exists() && work.join("kept/5").exists());
    }

    #[test]
    fn one_builder_a_state_folder() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        let held = lock(&config).unwrap();
        assert!(matches!(lock(&config), Err(RunError::Taken(_))));
        drop(held);
        lock(&config).unwrap();
    }

    #[test]
    fn missing_tools_are_named() {
        assert!(is_there("sh") && !is_there("no-such-tool-here"));
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        config.buildroot = BuildrootKind::Mock;
        config.mock.path = "/no/mock".into();
        let error = tools(&config).unwrap_err().to_string();
        assert!(error.contains("/no/mock"), "{error}");
    }
}
