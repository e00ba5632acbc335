//! dnf, filling a root from one repo and nothing else.

use std::{
    fs,
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use super::Plan;
use crate::{
    failure::{Doing, TaskError},
    process::{Command, Scope},
};

/// A repo that cannot be reached is waited for, in seconds: the hub may be starting anew, or a mirror be busy. dnf itself tries a file
/// again at once, and gives up within a second.
const PAUSES: [u64; 6] = [1, 2, 4, 8, 16, 30];

/// dnf for one plan. Its home is private, so that the machine's macros do not matter: Debian's rpm keeps its database
/// in the caller's home otherwise.
pub(super) struct Dnf<'a> {
    pub(super) plan: &'a Plan,
    pub(super) home: PathBuf,
    pub(super) log: PathBuf,
    pub(super) scope: &'a Scope,
}

impl Dnf<'_> {
    /// Installs groups (`@build`) and packages, by name or by what they provide, and again while their repo is out of reach. Answers
    /// dnf's status.
    pub(super) async fn install(&self, root: &Path, wanted: &[String]) -> Result<i32, TaskError> {
        // dnf takes files, URLs and groups where a package is named. What a package requires must be none of these.
        let strange = |name: &&String| name.contains("://") || name.starts_with('-') || name.ends_with(".rpm");
        if let Some(strange) = wanted.iter().find(strange) {
            return Err(TaskError::Build(format!("'{strange}' cannot be required")));
        }
        self.configure().doing(|| "setting dnf up".to_owned())?;
        for pause in PAUSES {
            let begin = fs::metadata(&self.log).map_or(0, |meta| meta.len());
            let status = self.run(root, wanted).await?;
            let said = || said_since(&self.log, begin).doing(|| "reading what dnf said".to_owned());
            if status == 0 || !is_out_of_reach(&said()?) {
                return Ok(status);
            }
            self.note(&format!("the repo is out of reach; trying again in {pause} s"))
                .doing(|| "writing root.log".to_owned())?;
            tokio::time::sleep(Duration::from_secs(pause)).await;
        }
        self.run(root, wanted).await
    }

    async fn run(&self, root: &Path, wanted: &[String]) -> Result<i32, TaskError> {
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

    fn note(&self, line: &str) -> io::Result<()> {
        tracing::warn!(repo = self.plan.baseurl, "{line}");
        writeln!(fs::File::options().append(true).open(&self.log)?, "{line}")
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

/// What was added to a log.
fn said_since(log: &Path, begin: u64) -> io::Result<String> {
    let mut file = fs::File::open(log)?;
    file.seek(SeekFrom::Start(begin))?;
    let mut said = Vec::new();
    file.read_to_end(&mut said)?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// Whether dnf has failed because nobody answered, or a server that could not just then. A package that is not there stays away. Why
/// metadata cannot be had, dnf does not say when it is to be quiet; the hub has said that they are there.
fn is_out_of_reach(said: &str) -> bool {
    ["Curl error (", "Status code: 5", "Failed to download metadata"].iter().any(|sign| said.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dnf_says() {
        for said in [
            "Error: Error downloading packages:\n  a-1.x86_64: Download failed: Curl error (7): Couldn't connect to server for http://h/a",
            "Error: Error downloading packages:\n  a-1.x86_64: Cannot download a-1.rpm: Status code: 503 for http://h/a-1.rpm",
            "Error: Failed to download metadata for repo 'build': Cannot download repomd.xml: All mirrors were tried",
        ] {
            assert!(is_out_of_reach(said), "{said}");
        }
        for said in [
            "Error: Unable to find a match: unobtainium",
            "Error: Error downloading packages:\n  a-1.x86_64: Cannot download a-1.rpm: Status code: 404 for http://h/a-1.rpm",
        ] {
            assert!(!is_out_of_reach(said), "{said}");
        }
    }
}
