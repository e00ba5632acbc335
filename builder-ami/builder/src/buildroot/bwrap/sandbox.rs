//! What a build sees: its root, its own processes, and no network unless the plan has it.

use std::path::{Path, PathBuf};

use super::{Plan, UID};
use crate::process::Command;

/// Where programs are inside.
const PATH: &str = "/usr/bin:/bin:/usr/sbin:/sbin";

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
        let mut command = Command::new("bwrap").arg("--bind").arg(&self.root).arg("/");
        for (outside, inside, option) in [
            ("result/RPMS", "/builddir/build/RPMS", "--bind"),
            ("result/SRPMS", "/builddir/build/SRPMS", "--bind"),
            ("checkout", "/builddir/checkout", "--bind"),
            ("in", "/builddir/originals", "--ro-bind"),
        ] {
            command = command.arg(option).arg(self.dir.join(outside)).arg(inside);
        }
        command = command
            .args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"])
            .args(["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"])
            .args(["--hostname", self.host_name, "--die-with-parent", "--new-session", "--clearenv"])
            .args(["--chdir", dir]);
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
        self.as_builder(command).args(argv)
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
