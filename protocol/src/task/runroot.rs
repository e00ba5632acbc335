//! `runroot`: a command in a chroot, as root of it.

use super::task_method;
use crate::{
    id::{Ref, RepoId, TagId},
    value::Value,
};

task_method! {
    /// Runs a command in a chroot that is filled from a tag's repo. Answers what became of it, in words.
    RunRootTask = "runroot", weight 2.0, coordinated false => String {
        /// The tag.
        root "root": Ref<TagId> = required,
        /// The architecture.
        arch "arch": String = required,
        /// A line for the shell, or the command and its arguments.
        command "command": Value = required,
        /// Keep the chroot.
        keep "keep": bool = no,
        /// Packages to install before.
        packages "packages": Option<Vec<String>> = nil,
        /// Folders of the builder to show inside.
        mounts "mounts": Option<Vec<String>> = nil,
        /// The repo; nil = a current one.
        repo_id "repo_id": Option<RepoId> = nil,
        /// Do not run it under another personality.
        skip_setarch "skip_setarch": bool = no,
        /// Its share of the host's capacity, if it is not the usual one.
        weight "weight": Option<f64> = nil,
        /// Files of the chroot to upload beside the logs.
        upload_logs "upload_logs": Option<Vec<String>> = nil,
        /// Whether systemd's containers are used; nil = as the builder does.
        new_chroot "new_chroot": Option<bool> = nil,
    }
}
