//! What a buildroot is to be: decided from the build tag and the settings, before anything is made.

use std::path::PathBuf;

use toji_protocol::{id::RepoId, value::Map};

/// The comps group that fills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Group {
    /// What builds need.
    Build,
    /// What making a source RPM needs.
    SrpmBuild,
}

impl Group {
    /// Its id in comps.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Group::Build => "build",
            Group::SrpmBuild => "srpm-build",
        }
    }
}

/// What a buildroot is to be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Its name: `TAG-BUILDROOT-REPO`.
    pub name: String,
    /// The repo that fills it.
    pub repo_id: RepoId,
    /// Where that repo is, for this architecture.
    pub baseurl: String,
    /// Tells this repo from one of the same number in another life of the hub.
    pub repo_made: String,
    /// Its architecture.
    pub arch: String,
    /// What it is filled with.
    pub group: Group,
    /// Whether what runs in it sees the network.
    pub network: bool,
    /// The tag's further settings.
    pub extra: Map,
    /// RPM macros, with their percent sign, in the order in which they are set.
    pub macros: Vec<(String, String)>,
    /// The environment of builds.
    pub env: Vec<(String, String)>,
    /// Seconds that rpmbuild may run.
    pub timeout: u64,
    /// Folders of the machine that are seen inside.
    pub binds: Vec<Bind>,
}

/// A folder of the machine that is seen inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    /// Outside.
    pub source: PathBuf,
    /// Inside.
    pub path: PathBuf,
    /// It may be written to.
    pub is_writable: bool,
}
