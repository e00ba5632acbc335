//! What a build sees: its root, its own processes, and no network unless the plan has it.

use std::path::{Path, PathBuf};

use super::{Plan, UID};
use crate::process::Command;

/// Where programs are inside.
const PATH: &str = "/usr/bin:/bin:/usr/sbin:/sbin";

/// What the root of a chroot may do: change its files and become others there, but no devices, mounts or kernel settings.
const ROOT_CAPABILITIES: [&str; 10] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// Where the root of a chroot could set the machine's kernel up.
const KERNEL_SETTINGS: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// A box around a root.
pub(super) struct Sandbox<'a> {
    pub(super) plan: &'a Plan,
    /// The task's folder.
    pub(super) dir: &'a Path,
    pub(super) root: PathBuf,
    pub(super) host_name: &'a str,
}

impl Sandbox<'_> {
    /// A program inside, in the builder's home.
    pub(super) fn command(&self, argv: &[&str]) -> Command {
        self.command_in("/builddir", argv)
    }

    /// A program inside, in a folder.
    pub(super) fn command_in(&self, dir: &str, argv: &[&str]) -> Command {
        self.as_builder(self.boxed(Command::new("bwrap"), dir)).args(argv)
    }

    /// A program inside as the root of the chroot: it may change what is in there, and nothing of the machine's. With `arch`, it
    /// takes itself to run on that.
    pub(super) fn command_as_root(&self, argv: &[&str], arch: Option<&str>) -> Command {
        let bwrap = match arch {
            Some(arch) => Command::new("setarch").args([arch, "bwrap"]),
            None => Command::new("bwrap"),
        };
        let mut command = self.boxed(bwrap, "/").args(["--cap-drop", "ALL"]);
        // The kernel's settings belong to its root, whatever that may do besides.
        for settings in KERNEL_SETTINGS {
            command = command.args(["--ro-bind-try", settings, settings]);
        }
        for capability in ROOT_CAPABILITIES {
            command = command.args(["--cap-add", capability]);
        }
        command.args(["--setenv", "HOME", "/root", "--setenv", "USER", "root", "--"]).args(argv)
    }

    fn boxed(&self, bwrap: Command, dir: &str) -> Command {
        let mut command = bwrap.arg("--bind").arg(&self.root).arg("/");
        for (outside, inside, option) in [
            ("result/RPMS", "/builddir/build/RPMS", "--bind"),
            ("result/SRPMS", "/builddir/build/SRPMS", "--bind"),
            ("checkout", "/builddir/checkout", "--bind"),
            ("in", "/builddir/originals", "--ro-bind"),
            // On the disk, where what fills it is seen, and not in memory.
            ("tmp", "/tmp", "--bind"),
        ] {
            command = command.arg(option).arg(self.dir.join(outside)).arg(inside);
        }
        command = command
            .args(["--proc", "/proc", "--dev", "/dev"])
            .args(["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"])
            .args(["--hostname", self.host_name, "--die-with-parent", "--new-session", "--clearenv"])
            .args(["--chdir", dir]);
        for bind in &self.plan.binds {
            let option = if bind.is_writable { "--bind" } else { "--ro-bind" };
            command = command.arg(option).arg(&bind.source).arg(&bind.path);
        }
        command = if self.plan.network {
            command.args(["--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf"])
        } else {
            command.arg("--unshare-net")
        };
        let fixed =
            [("HOME", "/builddir"), ("PATH", PATH), ("LANG", "C.UTF-8"), ("USER", "builder"), ("SHELL", "/bin/sh")];
        let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        for (name, value) in fixed.iter().chain(&self.plan.env) {
            command = command.args(["--setenv", name, value]);
        }
        command
    }

    /// Whatever the root has to become the user that builds, with no way back: bubblewrap forbids new privileges.
    fn as_builder(&self, command: Command) -> Command {
        let uid = UID.to_string();
        let has = |path: &str| self.root.join(path).exists();
        if has("usr/bin/setpriv") {
            let ids = ["setpriv", "--reuid", &uid, "--regid", &uid, "--clear-groups"];
            command.args(ids).args(["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"])
        } else {
            let caps = ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"];
            let spec = format!("--userspec={uid}:{uid}");
            command.args(caps).args(["--cap-add", "CAP_SYS_CHROOT", "chroot", &spec, "--groups=", "--skip-chdir", "/"])
        }
    }
}
