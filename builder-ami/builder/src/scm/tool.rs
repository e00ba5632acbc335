//! The programs that fetch sources: without a shell, without any privilege, and in a box where there is bubblewrap.

use std::path::{Path, PathBuf};

use crate::{
    failure::{Doing, TaskError, with_last_words},
    process::{Command, Scope},
};

/// Where the checkout's folder and the home are in the box.
const BOXED: [&str; 2] = ["/tmp/checkout", "/tmp/home"];

/// What fetches for one task.
pub(super) struct Tool<'a> {
    pub(super) scope: &'a Scope,
    /// The checkout's folder.
    pub(super) dir: &'a Path,
    /// An empty folder that it may read.
    pub(super) home: &'a Path,
    pub(super) uid: u32,
    pub(super) log: &'a Path,
    /// In a box it sees the machine read-only, and the way to its folder need not be open to its user.
    pub(super) boxed: bool,
}

impl Tool<'_> {
    /// A program, in the folder of the checkout.
    pub(super) fn command(&self, program: &str) -> Command {
        let command = if self.boxed { self.in_a_box().arg(program) } else { Command::new(program).uid(self.uid) };
        command.env("HOME", self.seen_home()).log(self.log)
    }

    /// Runs a program to its end. `what` names it in the message when that is a bad one.
    pub(super) async fn must(&self, what: &str, command: Command) -> Result<(), TaskError> {
        let ended = command.run(self.scope).await.doing(|| format!("running {what}"))?;
        if ended.is_success() {
            return Ok(());
        }
        let message = format!("{what} exited with status {}; see checkout.log for more information", ended.status);
        Err(TaskError::Build(with_last_words(message, self.log)))
    }

    /// What a program answers, if it has an answer.
    pub(super) async fn ask(&self, what: &str, command: Command) -> Result<Option<String>, TaskError> {
        let (ended, output) = command.output(self.scope).await.doing(|| format!("running {what}"))?;
        Ok(ended.is_success().then(|| String::from_utf8_lossy(&output).trim().to_owned()))
    }

    /// A path below the checkout's folder, as the program sees it.
    pub(super) fn seen(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(self.dir) {
            Ok(rest) if self.boxed => Path::new(BOXED[0]).join(rest),
            _ => path.to_owned(),
        }
    }

    /// The home, as the program sees it.
    pub(super) fn seen_home(&self) -> &Path {
        if self.boxed { Path::new(BOXED[1]) } else { self.home }
    }

    fn in_a_box(&self) -> Command {
        let uid = self.uid.to_string();
        Command::new("bwrap")
            .args(["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--bind"])
            .arg(self.dir)
            .args([BOXED[0], "--bind"])
            .arg(self.home)
            .args([BOXED[1], "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--new-session"])
            .args(["setpriv", "--reuid", &uid, "--regid", &uid, "--clear-groups", "--no-new-privs"])
            .args(["--inh-caps=-all", "--bounding-set=-all"])
    }
}
