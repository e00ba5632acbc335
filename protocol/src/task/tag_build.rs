//! `tagBuild`: tags a build, after the policies were asked.

use super::task_method;
use crate::id::{BuildId, TagId};

task_method! {
    /// Tags a build.
    TagBuildTask = "tagBuild", weight 1.0, coordinated true => () {
        /// The tag; nil = only untag.
        tag_id "tag_id": Option<TagId> = required,
        /// The build.
        build_id "build_id": BuildId = required,
        /// An admin's word that it is to be done all the same.
        force "force": bool = no,
        /// Untag it there.
        fromtag "fromtag": Option<TagId> = nil,
        /// Send no mail when it went well.
        ignore_success "ignore_success": bool = no,
    }
}
