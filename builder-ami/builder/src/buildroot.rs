//! Buildroots: what is to be in one, how it is filled, what is done in it, and what the hub is told of it.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use toji_protocol::method::worker::InstalledRpm;

use crate::{failure::TaskError, logs::Source};

mod bwrap;
mod contents;
mod guard;
mod mock;
mod origins;
mod plan;
mod remains;
mod results;
mod session;

pub(crate) use bwrap::RootCache;
pub(crate) use plan::{Bind, Group, Plan};
pub(crate) use remains::{Kept, KeptTree, Remains};
pub(crate) use session::{Finished, Session, Wish};

/// A place where packages are built.
#[async_trait]
trait Buildroot: Send + Sync {
    /// Makes it and fills it with the plan's group. Answers what is in it then.
    async fn fill(&self) -> Result<Vec<InstalledRpm>, TaskError>;

    /// What is in it now.
    async fn contents(&self) -> Result<Vec<InstalledRpm>, TaskError>;

    /// Makes a source RPM anew.
    async fn rebuild_srpm(&self, srpm: &Path) -> Result<PathBuf, TaskError>;

    /// The folder, seen from outside, that sources are checked out into. There when it is filled.
    fn checkout_dir(&self) -> PathBuf;

    /// The user that builds, who owns the checkout.
    fn uid(&self) -> u32;

    /// Runs a program in a folder of the checkout, as the user that builds.
    async fn run_in_checkout(&self, dir: &Path, argv: &[String]) -> Result<(), TaskError>;

    /// Makes a source RPM of a checkout; all paths as seen from outside.
    async fn make_srpm(&self, spec: &Path, sources: &Path) -> Result<PathBuf, TaskError>;

    /// Builds a source RPM for an architecture. Answers the RPMs and the source RPM.
    async fn build(&self, srpm: &Path, arch: &str) -> Result<Vec<PathBuf>, TaskError>;

    /// Installs packages, by name or by what they provide.
    async fn install(&self, packages: &[String]) -> Result<(), TaskError>;

    /// Runs a program as the root of the chroot. What it says goes to `runroot.log`. Answers its status.
    async fn run_as_root(&self, argv: &[&str], personality: bool) -> Result<i32, TaskError>;

    /// Its root, seen from outside.
    fn root(&self) -> PathBuf;

    /// What has to be known of the root to look into it when the task is over.
    fn remains(&self) -> Remains;

    /// Files that tell how it was made, and are kept with the logs. They need not be there.
    fn records(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Where its logs are.
    fn logs(&self) -> Vec<Source>;
}

/// All regular files with that ending in a folder, sorted.
fn files_ending(dir: &Path, ending: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        // Not through links: a build could point one at a file of the host's.
        if entry.file_type()?.is_file() && entry.file_name().to_string_lossy().ends_with(ending) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// The one source RPM in a folder.
fn only_srpm(dir: &Path) -> Result<PathBuf, TaskError> {
    let found = files_ending(dir, ".src.rpm").unwrap_or_default();
    match found.as_slice() {
        [srpm] => Ok(srpm.clone()),
        [] => Err(TaskError::Build("no source RPM was made".to_owned())),
        many => Err(TaskError::Build(format!("{} source RPMs were made instead of one", many.len()))),
    }
}
