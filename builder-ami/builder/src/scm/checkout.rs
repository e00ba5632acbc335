//! Fetching sources: a revision of a repository, and what its Makefiles expect beside it.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use super::{Allowed, Kind, ScmUrl, git, svn, tool::Tool};
use crate::{
    failure::{Doing, TaskError},
    process::Scope,
};

/// What was checked out.
#[derive(Clone, Debug)]
pub(crate) struct Checkout {
    /// Where the spec and the sources are.
    pub dir: PathBuf,
    /// What the checkout is called.
    pub name: String,
    /// The commit in full, or the revision's number.
    pub commit: String,
}

/// Checks a revision out below `dir`, which `uid` owns. `home` is an empty folder that the programs may read.
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
    let Some(kind) = url.scheme.kind() else {
        let said = format!("this builder cannot fetch {}:// sources, only git's and svn's", url.scheme_name);
        return Err(TaskError::Build(said));
    };
    let preparing = || "preparing the checkout".to_owned();
    fs::create_dir_all(home).doing(preparing)?;
    fs::File::create(log).doing(preparing)?;
    let tool = Tool { scope, dir, home, uid, log, boxed: Path::new("/usr/bin/bwrap").exists() };
    let name = url.checkout_name().to_owned();
    let top = dir.join(&name);
    let (commit, sources) = match (kind, &url.module) {
        (Kind::Git, module) => {
            let commit = git::fetch(&tool, url, &url.repository, &top).await?;
            (commit, module.as_ref().map_or_else(|| top.clone(), |module| top.join(module)))
        }
        // A part of a repository is a URL of its own there.
        (Kind::Svn, None) => (svn::fetch(&tool, url, &url.repository, &top).await?, top.clone()),
        (Kind::Svn, Some(module)) => {
            let path = format!("{}/{module}", url.repository.trim_end_matches('/'));
            (svn::fetch(&tool, url, &path, &top).await?, top.clone())
        }
    };
    let inside = sources.canonicalize().ok().filter(|path| top.canonicalize().is_ok_and(|top| path.starts_with(top)));
    let Some(sources) = inside.filter(|path| path.is_dir()) else {
        return Err(TaskError::Build(format!("the sources have no folder {}", url.module.as_deref().unwrap_or("."))));
    };
    if allowed.use_common {
        fetch_common(&tool, (kind, url), &sources).await?;
    }
    Ok(Checkout { dir: sources, name, commit })
}

/// Koji's `common` module: for git a repository beside the sources' own, for svn a folder of theirs. Makefiles expect it beside them.
async fn fetch_common(tool: &Tool<'_>, (kind, url): (Kind, &ScmUrl), sources: &Path) -> Result<(), TaskError> {
    let common = tool.dir.join("common");
    let repository = url.repository.trim_end_matches('/');
    match kind {
        Kind::Git => {
            let (beside, _) = repository.rsplit_once('/').unwrap_or_default();
            git::fetch_newest(tool, url, &format!("{beside}/common"), &common).await?;
        }
        Kind::Svn => svn::fetch_newest(tool, url, &format!("{repository}/common"), &common).await?,
    }
    // The sources' canonical path, so the folder's, too.
    let dir = tool.dir.canonicalize().doing(|| "linking common".to_owned())?;
    let Some(parent) = sources.parent().filter(|parent| *parent != dir && !parent.join("common").exists()) else {
        return Ok(());
    };
    // Relative: inside, the checkout is elsewhere.
    let depth = parent.strip_prefix(&dir).map_or(0, |below| below.components().count());
    let target: PathBuf = std::iter::repeat_n("..", depth).chain(["common"]).collect();
    symlink(target, parent.join("common")).doing(|| "linking common".to_owned())
}
