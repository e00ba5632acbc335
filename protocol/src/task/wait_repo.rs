//! `waitrepo`: waits for a repo. A parent of nothing: it only coordinates.

use super::task_method;
use crate::{
    id::{EventId, Ref, TagId},
    method::repo::Repo,
    value::Value,
};

task_method! {
    /// Waits for a repo that is new enough and has certain builds. Answers the repo.
    WaitRepoTask = "waitrepo", weight 0.2, coordinated true => Repo {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// Koji's older way to say how new: ignored.
        newer_than "newer_than": Option<Value> = nil,
        /// Builds that must be in it, exactly.
        nvrs "nvrs": Option<Vec<String>> = nil,
        /// Not older than this.
        min_event "min_event": Option<EventId> = nil,
    }
}
