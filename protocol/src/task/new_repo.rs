//! `newRepo`: makes a tag's repo. The repo function does the work.

use super::task_method;
use crate::{
    id::{EventId, Ref, RepoId, TagId},
    value::Map,
};

task_method! {
    /// Makes a tag's repo. Answers its id and event.
    NewRepoTask = "newRepo", weight 0.1, coordinated true => (RepoId, EventId) {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// As it was then; nil = now.
        event "event": Option<EventId> = nil,
        /// With source RPMs.
        src "src": bool = no,
        /// With debug RPMs.
        debuginfo "debuginfo": bool = no,
        /// With source RPMs in a folder of their own.
        separate_src "separate_src": bool = no,
        /// The same, where the tag's own options are to be overridden.
        opts "opts": Option<Map> = nil,
    }
}
