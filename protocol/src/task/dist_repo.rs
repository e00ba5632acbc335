//! `distRepo`: makes a repo of signed RPMs.

use super::task_method;
use crate::{
    id::{EventId, Ref, RepoId, TagId},
    value::{Map, Value},
};

task_method! {
    /// Makes a repo of signed RPMs. Answers its id and event.
    DistRepoTask = "distRepo", weight 0.1, coordinated true => (RepoId, EventId) {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// The repo's row, which is there already.
        repo_id "repo_id": RepoId = required,
        /// The keys; the first that an RPM is signed with counts.
        keys "keys": Vec<Value> = required,
        /// Koji's options.
        task_opts "task_opts": Map = required,
    }
}
