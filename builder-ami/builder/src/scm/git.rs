//! Fetching with git.

use std::path::Path;

use super::{ScmUrl, tool::Tool};
use crate::{failure::TaskError, process::Command};

/// Checks a revision of the repository at `path` out. Answers the commit, in full.
pub(super) async fn fetch(tool: &Tool<'_>, url: &ScmUrl, path: &str, to: &Path) -> Result<String, TaskError> {
    clone(tool, &url.remote(path), &url.revision, to).await?;
    let commit = ask(tool, to, &["rev-parse", "HEAD"]).await?;
    commit.ok_or_else(|| TaskError::Build("git does not tell which commit was checked out".to_owned()))
}

/// Checks the newest of the repository at `path` out.
pub(super) async fn fetch_newest(tool: &Tool<'_>, url: &ScmUrl, path: &str, to: &Path) -> Result<(), TaskError> {
    clone(tool, &url.remote(path), "HEAD", to).await
}

/// One revision, whatever it is: a branch, a tag, or a commit that some branch has.
async fn clone(tool: &Tool<'_>, from: &str, revision: &str, to: &Path) -> Result<(), TaskError> {
    let seen = tool.seen(to);
    let args = ["clone", "--no-checkout", "--no-recurse-submodules", "--", from, &seen.to_string_lossy()];
    must(tool, None, &args).await?;
    // What the revision is called here: its own name, or the server's branch of that name.
    let mut found = None;
    for candidate in [revision.to_owned(), format!("origin/{revision}")] {
        let peeled = format!("{candidate}^{{commit}}");
        found = ask(tool, to, &["rev-parse", "--verify", "--quiet", "--end-of-options", &peeled]).await?;
        if found.is_some() {
            break;
        }
    }
    if found.is_none() {
        // A reference that is no branch or tag, or a commit that no branch has.
        must(tool, Some(to), &["fetch", "--no-recurse-submodules", "origin", "--", revision]).await?;
        found = ask(tool, to, &["rev-parse", "--verify", "--quiet", "FETCH_HEAD^{commit}"]).await?;
    }
    let Some(commit) = found else {
        return Err(TaskError::Build(format!("the sources have no revision {revision}; see checkout.log")));
    };
    must(tool, Some(to), &["checkout", "--quiet", "--detach", &commit]).await
}

async fn must(tool: &Tool<'_>, dir: Option<&Path>, args: &[&str]) -> Result<(), TaskError> {
    tool.must(&format!("git {}", args.first().unwrap_or(&"")), command(tool, dir, args)).await
}

async fn ask(tool: &Tool<'_>, dir: &Path, args: &[&str]) -> Result<Option<String>, TaskError> {
    tool.ask("git", command(tool, Some(dir), args)).await
}

fn command(tool: &Tool<'_>, dir: Option<&Path>, args: &[&str]) -> Command {
    let mut command = tool.command("git");
    if let Some(dir) = dir {
        command = command.arg("-C").arg(tool.seen(dir));
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
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
}
