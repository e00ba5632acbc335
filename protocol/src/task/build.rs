//! `build`: from a source to a tagged build. A parent: it only coordinates.

use super::task_method;
use crate::{
    id::{RepoId, TaskId},
    value::{Map, Value},
};

/// Koji's options of a build. Unknown ones are kept, so that hooks and policies see them.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct BuildOpts {
    /// Do not tag it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_tag: Option<bool>,
    /// Keep its files for a while, and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scratch: Option<bool>,
    /// Only these architectures; scratch builds only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch_override: Option<String>,
    /// Use this repo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo_id: Option<RepoId>,
    /// Wait for a repo that has every change made to the build tag so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_repo: Option<bool>,
    /// Wait for a repo that has these builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_builds: Option<Vec<String>>,
    /// Rebuild an uploaded source RPM before building it; scratch builds only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild_srpm: Option<bool>,
    /// Stop the other architectures when one fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_fast: Option<bool>,
    /// Make a draft build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<bool>,
    /// Noted in the build's `extra`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_user_metadata: Option<Value>,
    /// Whatever else was given.
    #[serde(flatten)]
    pub others: Map,
}

task_method! {
    /// Builds a package. Answers nothing.
    BuildTask = "build", weight 0.2, coordinated true => () {
        /// The path of an uploaded source RPM below `work/`, or an SCM URL.
        src "src": String = required,
        /// The target; nil with `skip_tag`.
        target "target": Option<String> = required,
        /// The options.
        opts "opts": Option<BuildOpts> = nil,
    }
}

/// The label of the child that makes the source RPM.
pub const LABEL_SRPM: &str = "srpm";
/// The label of the child that tags.
pub const LABEL_TAG: &str = "tag";
/// The label of the child that waits for a repo.
pub const LABEL_REPO: &str = "waitrepo";

/// Where a task's file appears in results: below `work/`, without the attempt.
pub fn result_path(task: TaskId, name: &str) -> String {
    format!("{}/{name}", crate::object_key::task_dir(task))
}
