//! Where control groups are mounted, and which one the builder itself is in.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// In v2 no group that hands controllers down may hold processes of its own: the builder moves into this one.
const LEAF: &str = "toji-builder";

/// The builder's own group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One folder a controller.
    V1 {
        /// Where processes are counted.
        pids: PathBuf,
        /// Where memory is.
        memory: Option<PathBuf>,
    },
    /// One folder for all of them.
    V2 {
        /// That folder.
        dir: PathBuf,
    },
}

impl Form {
    pub(super) fn pids(&self) -> &Path {
        match self {
            Form::V1 { pids, .. } => pids,
            Form::V2 { dir } => dir,
        }
    }

    pub(super) fn memory(&self) -> Option<&Path> {
        match self {
            Form::V1 { memory, .. } => memory.as_deref(),
            Form::V2 { dir } => Some(dir),
        }
    }

    /// The file with the limit.
    pub(super) fn memory_limit(&self) -> &'static str {
        match self {
            Form::V1 { .. } => "memory.limit_in_bytes",
            Form::V2 { .. } => "memory.max",
        }
    }
}

/// This process's group.
///
/// # Errors
/// When no controller counts processes here, or none limits memory where that is wanted.
pub(super) fn own(with_memory: bool) -> io::Result<Form> {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo")?;
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let has_pids = |dir: &Path| fs::read_to_string(dir.join("cgroup.controllers")).is_ok_and(|text| has(&text, "pids"));
    let form = locate(&mountinfo, &groups, has_pids);
    let form = form.ok_or_else(|| io::Error::other("no controller that counts processes is mounted"))?;
    if with_memory && form.memory().is_none() {
        return Err(io::Error::other("no controller that limits memory is mounted"));
    }
    Ok(form)
}

/// By the tables of mounts and of a process's groups; `has_pids` says whether a folder of v2 counts processes.
fn locate(mountinfo: &str, groups: &str, has_pids: impl Fn(&Path) -> bool) -> Option<Form> {
    let v1 = |controller: &str| folder(mountinfo, groups, Some(controller));
    if let Some(pids) = v1("pids") {
        return Some(Form::V1 { pids, memory: v1("memory") });
    }
    let own = folder(mountinfo, groups, None)?;
    let dir = if own.ends_with(LEAF) { own.parent()?.to_owned() } else { own };
    has_pids(&dir).then_some(Form::V2 { dir })
}

/// The folder of the process's group in a controller's tree; None = in v2's.
fn folder(mountinfo: &str, groups: &str, controller: Option<&str>) -> Option<PathBuf> {
    let path = groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let is_it = match controller {
            Some(controller) => controllers.split(',').any(|name| name == controller),
            None => controllers.is_empty(),
        };
        is_it.then_some(path)
    })?;
    mountinfo.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let (mut mount, mut file_system) = (mount.split(' ').skip(3), file_system.split(' '));
        let (root, point) = (mount.next()?, mount.next()?);
        let is_it = match (file_system.next()?, controller) {
            ("cgroup", Some(controller)) => file_system.nth(1)?.split(',').any(|name| name == controller),
            ("cgroup2", None) => true,
            _ => false,
        };
        // In a container only a part of the tree may be mounted.
        let below = Path::new(path).strip_prefix(root).ok().filter(|_| is_it)?;
        Some(if below.as_os_str().is_empty() { PathBuf::from(point) } else { Path::new(point).join(below) })
    })
}

/// Sees to it that groups below can have limits. In v1 they can anyway.
///
/// # Errors
/// When they cannot: the builder's group is not its own, and others are in it.
pub(super) fn hand_down(form: &Form, with_memory: bool) -> io::Result<()> {
    let Form::V2 { dir } = form else { return Ok(()) };
    let wanted: &[&str] = if with_memory { &["pids", "memory"] } else { &["pids"] };
    let control = dir.join("cgroup.subtree_control");
    let handed = fs::read_to_string(&control)?;
    if wanted.iter().all(|controller| has(&handed, controller)) {
        return Ok(());
    }
    let line = wanted.iter().map(|controller| format!("+{controller}")).collect::<Vec<_>>().join(" ");
    let hand = || fs::write(&control, &line);
    match hand() {
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
            let leaf = dir.join(LEAF);
            fs::create_dir_all(&leaf)?;
            fs::write(leaf.join("cgroup.procs"), std::process::id().to_string())?;
            hand()
        }
        handed => handed,
    }
}

/// Removes a group and those that a container made within it.
///
/// # Errors
/// When something is in them, or has been until just now.
pub(super) fn remove(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)?.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove(&entry.path())?;
    }
    fs::remove_dir(dir)
}

fn has(list: &str, name: &str) -> bool {
    list.split_whitespace().any(|word| word == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_groups_are() {
        let older = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
                     39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n\
                     35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                     41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let v1 =
            |pids: &str, memory: Option<&str>| Some(Form::V1 { pids: pids.into(), memory: memory.map(Into::into) });
        let v2 = |dir: &str| Some(Form::V2 { dir: dir.into() });
        let groups = "8:pids:/\n4:cpuacct,memory:/a/b\n0::/\n";
        assert_eq!(
            locate(older, groups, |_| true),
            v1("/sys/fs/cgroup/pids", Some("/sys/fs/cgroup/memory/a/b")),
            "where both are mounted, the older one has the controllers"
        );
        let container = "39 31 0:36 /docker/7 /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";
        assert_eq!(locate(container, "8:pids:/docker/7/x", |_| true), v1("/sys/fs/cgroup/pids/x", None));
        assert_eq!(locate(container, "8:pids:/docker/8", |_| true), None, "not to be seen from here");

        let newer = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let unit = "/sys/fs/cgroup/system.slice/toji-builder.service";
        let at = |path: &str| {
            locate(newer, &format!("0::/system.slice/toji-builder.service{path}\n"), |dir| dir == Path::new(unit))
        };
        assert_eq!(at(""), v2(unit));
        assert_eq!(at("/toji-builder"), v2(unit), "it has moved already");
        assert_eq!(locate(newer, "0::/x\n", |_| false), None, "nobody counts processes");
        assert_eq!(locate("", groups, |_| true), None);
    }
}
