//! Fetching sources with git, without a shell and without any privilege.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use super::{Allowed, Scheme, ScmUrl};
use crate::{
    failure::{Doing, TaskError, with_last_words},
    process::{Command, Scope},
};

/// What was checked out.
#[derive(Clone, Debug)]
pub(crate) struct Checkout {
    /// Where the spec and the sources are.
    pub dir: PathBuf,
    /// What the checkout is called.
    pub name: String,
    /// The commit, in full.
    pub commit: String,
}

/// git, for one task.
struct Git<'a> {
    scope: &'a Scope,
    /// The checkout's folder.
    dir: &'a Path,
    home: &'a Path,
    uid: u32,
    log: &'a Path,
    /// Put git into a box: it then sees the machine read-only, and the way to its folder need not be open to its user.
    boxed: bool,
}

/// Where the checkout's folder and git's home are in the box.
const BOXED: [&str; 2] = ["/tmp/checkout", "/tmp/home"];

/// Checks a revision out below `dir`, which `uid` owns. `home` is an empty folder that git may read.
///
/// # Errors
/// When it cannot be had; the message names the log.
pub(crate) async fn checkout(
    url: &ScmUrl,
    allowed: &Allowed,
    dir: &Path,
    uid: u32,
    (home, log, scope): (&Path, &Path, &Scope),
) -> Result<Checkout, TaskError> {
    if matches!(url.scheme, Scheme::Other | Scheme::GitRsync) {
        return Err(TaskError::Build(format!("this builder cannot fetch {}:// sources, only git", url.scheme_name)));
    }
    let preparing = || "preparing the checkout".to_owned();
    fs::create_dir_all(home).doing(preparing)?;
    fs::File::create(log).doing(preparing)?;
    let git = Git { scope, dir, home, uid, log, boxed: Path::new("/usr/bin/bwrap").exists() };
    let name = url.checkout_name().to_owned();
    let top = dir.join(&name);
    git.clone(&url.git_url(&url.repository), &url.revision, &top).await?;
    let commit = git.commit(&top).await?;
    let sources = match &url.module {
        Some(module) => top.join(module),
        None => top.clone(),
    };
    let inside = sources.canonicalize().ok().filter(|path| top.canonicalize().is_ok_and(|top| path.starts_with(top)));
    let Some(sources) = inside.filter(|path| path.is_dir()) else {
        return Err(TaskError::Build(format!("the sources have no folder {}", url.module.as_deref().unwrap_or("."))));
    };
    if allowed.use_common {
        fetch_common(&git, url, dir, &sources).await?;
    }
    Ok(Checkout { dir: sources, name, commit })
}

/// Koji's `common` module: a repository beside the sources' own, which their Makefiles expect beside them.
async fn fetch_common(git: &Git<'_>, url: &ScmUrl, dir: &Path, sources: &Path) -> Result<(), TaskError> {
    let (beside, _) = url.repository.trim_end_matches('/').rsplit_once('/').unwrap_or_default();
    let common = dir.join("common");
    git.clone(&url.git_url(&format!("{beside}/common")), "HEAD", &common).await?;
    // The sources' canonical path, so the folder's, too.
    let dir = dir.canonicalize().doing(|| "linking common".to_owned())?;
    let Some(parent) = sources.parent().filter(|parent| *parent != dir && !parent.join("common").exists()) else {
        return Ok(());
    };
    // Relative: inside, the checkout is elsewhere.
    let depth = parent.strip_prefix(&dir).map_or(0, |below| below.components().count());
    let target: PathBuf = std::iter::repeat_n("..", depth).chain(["common"]).collect();
    symlink(target, parent.join("common")).doing(|| "linking common".to_owned())
}

impl Git<'_> {
    /// One revision, whatever it is: a branch, a tag, or a commit that some branch has.
    async fn clone(&self, from: &str, revision: &str, to: &Path) -> Result<(), TaskError> {
        self.must(
            None,
            &["clone", "--no-checkout", "--no-recurse-submodules", "--", from, &self.seen(to).to_string_lossy()],
        )
        .await?;
        // What the revision is called here: its own name, or the server's branch of that name.
        let mut found = None;
        for candidate in [revision.to_owned(), format!("origin/{revision}")] {
            let peeled = format!("{candidate}^{{commit}}");
            if let Some(commit) =
                self.ask(to, &["rev-parse", "--verify", "--quiet", "--end-of-options", &peeled]).await?
            {
                found = Some(commit);
                break;
            }
        }
        if found.is_none() {
            // A reference that is no branch or tag, or a commit that no branch has.
            self.must(Some(to), &["fetch", "--no-recurse-submodules", "origin", "--", revision]).await?;
            found = self.ask(to, &["rev-parse", "--verify", "--quiet", "FETCH_HEAD^{commit}"]).await?;
        }
        let Some(commit) = found else {
            return Err(TaskError::Build(format!("the sources have no revision {revision}; see checkout.log")));
        };
        self.must(Some(to), &["checkout", "--quiet", "--detach", &commit]).await
    }

    async fn commit(&self, dir: &Path) -> Result<String, TaskError> {
        let commit = self.ask(dir, &["rev-parse", "HEAD"]).await?;
        commit.ok_or_else(|| TaskError::Build("git does not tell which commit was checked out".to_owned()))
    }

    async fn must(&self, dir: Option<&Path>, args: &[&str]) -> Result<(), TaskError> {
        let ended = self.command(dir, args).run(self.scope).await.doing(|| "running git".to_owned())?;
        if ended.is_success() {
            return Ok(());
        }
        let what = args.first().unwrap_or(&"");
        let message = format!("git {what} exited with status {}; see checkout.log for more information", ended.status);
        Err(TaskError::Build(with_last_words(message, self.log)))
    }

    /// git's answer, if it has one.
    async fn ask(&self, dir: &Path, args: &[&str]) -> Result<Option<String>, TaskError> {
        let asked = self.command(Some(dir), args).output(self.scope).await;
        let (ended, output) = asked.doing(|| "running git".to_owned())?;
        Ok(ended.is_success().then(|| String::from_utf8_lossy(&output).trim().to_owned()))
    }

    fn command(&self, dir: Option<&Path>, args: &[&str]) -> Command {
        let mut command = if self.boxed { self.in_a_box() } else { Command::new("git").uid(self.uid) };
        if let Some(dir) = dir {
            command = command.arg("-C").arg(self.seen(dir));
        }
        // No hooks, no other transport than those of the grammar, no question to a terminal.
        for setting in [
            "core.hooksPath=/dev/null",
            "protocol.allow=never",
            "protocol.git.allow=always",
            "protocol.http.allow=always",
            "protocol.https.allow=always",
            "protocol.ssh.allow=always",
            "advice.detachedHead=false",
        ] {
            command = command.args(["-c", setting]);
        }
        command
            .args(args)
            .env("HOME", if self.boxed { Path::new(BOXED[1]) } else { self.home })
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
            .log(self.log)
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
            .args(["--inh-caps=-all", "--bounding-set=-all", "git"])
    }

    /// A path below the checkout's folder, as git sees it.
    fn seen(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(self.dir) {
            Ok(rest) if self.boxed => Path::new(BOXED[0]).join(rest),
            _ => path.to_owned(),
        }
    }
}
