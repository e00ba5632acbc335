//! dnf, filling a root from one repo and nothing else.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use super::Plan;
use crate::{
    failure::{Doing, TaskError},
    process::{Command, Scope},
};

/// dnf for one plan. Its home is private, so that the machine's macros do not matter: Debian's rpm keeps its database
/// in the caller's home otherwise.
pub(super) struct Dnf<'a> {
    pub(super) plan: &'a Plan,
    pub(super) home: PathBuf,
    pub(super) log: PathBuf,
    pub(super) scope: &'a Scope,
}

impl Dnf<'_> {
    /// Installs groups (`@build`) and packages, by name or by what they provide. Answers dnf's status.
    pub(super) async fn install(&self, root: &Path, wanted: &[String]) -> Result<i32, TaskError> {
        // dnf takes files, URLs and groups where a package is named. What a package requires must be none of these.
        let strange = |name: &&String| name.contains("://") || name.starts_with('-') || name.ends_with(".rpm");
        if let Some(strange) = wanted.iter().find(strange) {
            return Err(TaskError::Build(format!("'{strange}' cannot be required")));
        }
        self.configure().doing(|| "setting dnf up".to_owned())?;
        let command = Command::new("dnf")
            .args(["-q", "-y", "-c"])
            .arg(self.home.join("dnf.conf"))
            .arg("--installroot")
            .arg(root)
            .args(["--releasever", &self.releasever(), "--forcearch", &self.plan.arch, "install", "--"])
            .args(wanted)
            .env("HOME", &self.home)
            .log(&self.log);
        Ok(command.run(self.scope).await.doing(|| "running dnf".to_owned())?.status)
    }

    /// Makes `root/../dnf`, where this configuration has dnf's cache: dnf puts the root in front of every path.
    pub(super) fn link_cache(&self, beside: &Path, cache: PathBuf) -> io::Result<()> {
        fs::create_dir_all(&cache)?;
        match symlink(cache, beside.join("dnf")) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    fn releasever(&self) -> String {
        let told = self.plan.extra.get("mock.releasever").and_then(|value| value.as_str());
        told.unwrap_or("1").to_owned()
    }

    fn configure(&self) -> io::Result<()> {
        let macros = "%_dbpath /var/lib/rpm\n%_netsharedpath /proc:/sys:/dev\n";
        fs::write(self.home.join(".rpmmacros"), macros)?;
        // A repo of this number never changes, so its metadata does not grow old.
        let conf = format!(
            "[main]\nreposdir=/dev/null\nvarsdir=/dev/null\npluginconfpath=/dev/null\nplugins=0\ngpgcheck=0\nassumeyes=1\n\
             install_weak_deps=0\nstrict=1\nbest=0\nretries=20\ncachedir=/../dnf\nlogdir=/../dnflog\nkeepcache=1\n\
             metadata_expire=never\nclean_requirements_on_remove=0\n\
             [build]\nname=build\nbaseurl={}\nenabled=1\n",
            self.plan.baseurl
        );
        fs::write(self.home.join("dnf.conf"), conf)
    }
}
