//! Fetching with Subversion.

use std::path::Path;

use super::{ScmUrl, tool::Tool};
use crate::{failure::TaskError, process::Command};

/// What a shell says of a program that is not there.
const NO_SUCH_PROGRAM: &str = "127";

/// Checks a revision of the folder at `path` out. Answers the revision's number.
pub(super) async fn fetch(tool: &Tool<'_>, url: &ScmUrl, path: &str, to: &Path) -> Result<String, TaskError> {
    checkout(tool, &url.remote(path), &url.revision, to).await?;
    let seen = tool.seen(to);
    // The name of the folder may hold an `@`, which svn takes for a mark of its own unless one follows.
    let info = command(tool, &["info", "--show-item", "revision", "--", &format!("{}@", seen.to_string_lossy())]);
    let number = tool.ask("svn", info).await?.filter(|number| number.parse::<u64>().is_ok());
    number.ok_or_else(|| TaskError::Build("svn does not tell which revision was checked out".to_owned()))
}

/// Checks the newest of the folder at `path` out.
pub(super) async fn fetch_newest(tool: &Tool<'_>, url: &ScmUrl, path: &str, to: &Path) -> Result<(), TaskError> {
    checkout(tool, &url.remote(path), "HEAD", to).await
}

async fn checkout(tool: &Tool<'_>, from: &str, revision: &str, to: &Path) -> Result<(), TaskError> {
    let seen = tool.seen(to);
    let from = format!("{from}@{revision}");
    // What lies elsewhere by the repository's word (externals) was not asked of the list of allowed places.
    let args =
        ["checkout", "--quiet", "--ignore-externals", "--revision", revision, "--", &from, &seen.to_string_lossy()];
    tool.must("svn checkout", command(tool, &args)).await.map_err(|error| match error {
        TaskError::Build(said) if said.contains(&format!("status {NO_SUCH_PROGRAM};")) => {
            TaskError::Invalid("this builder has no svn: install Subversion on it".to_owned())
        }
        error => error,
    })
}

fn command(tool: &Tool<'_>, args: &[&str]) -> Command {
    let home = tool.seen_home().join("svn");
    tool.command("svn")
        .args(["--non-interactive", "--no-auth-cache", "--config-dir"])
        .arg(home)
        .args(args)
        .env("SVN_SSH", "ssh -o BatchMode=yes")
}
