//! `buildArch`: builds a source RPM for one architecture.

use super::task_method;
use crate::{
    id::{BuildrootId, RepoId, TagId},
    value::Map,
};

/// Options of a build for one architecture, and of a source RPM's rebuild.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RootOpts {
    /// The repo that fills the buildroot.
    pub repo_id: RepoId,
    /// It is a scratch build.
    #[serde(default)]
    pub scratch: Option<bool>,
    /// Whatever else was given.
    #[serde(flatten)]
    pub others: Map,
}

/// What a build for one architecture has made. Paths are below `work/`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Built {
    /// The RPMs.
    pub rpms: Vec<String>,
    /// The source RPM, from the one child that keeps it.
    pub srpms: Vec<String>,
    /// The logs.
    pub logs: Vec<String>,
    /// The buildroot it was made in.
    pub brootid: BuildrootId,
}

task_method! {
    /// Builds a source RPM for one architecture.
    BuildArchTask = "buildArch", weight 1.5, coordinated false => Built {
        /// The source RPM's path below `work/`.
        pkg "pkg": String = required,
        /// The build tag.
        root "root": TagId = required,
        /// The architecture.
        arch "arch": String = required,
        /// Hand in the source RPM, too.
        keep_srpm "keep_srpm": bool = required,
        /// The options.
        opts "opts": RootOpts = required,
    }
}
