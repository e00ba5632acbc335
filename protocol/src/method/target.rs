//! Build targets: where builds take their buildroot from, and where they go.

use super::{Listing, QueryOpts, method};
use crate::id::{EventId, Ref, TagId, TargetId};

/// A build target.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct BuildTarget {
    /// Its id.
    pub id: TargetId,
    /// Its name.
    pub name: String,
    /// The tag whose repo fills buildroots.
    pub build_tag: TagId,
    /// Its name.
    pub build_tag_name: String,
    /// The tag that builds go to.
    pub dest_tag: TagId,
    /// Its name.
    pub dest_tag_name: String,
}

method! {
    /// Makes a target.
    CreateBuildTarget = "createBuildTarget", Permission("target"), Write => () {
        /// Its name.
        name "name": String = required,
        /// The tag whose repo fills buildroots.
        build_tag "build_tag": Ref<TagId> = required,
        /// The tag that builds go to.
        dest_tag "dest_tag": Ref<TagId> = required,
    }

    /// Changes a target.
    EditBuildTarget = "editBuildTarget", Permission("target"), Write => () {
        /// Which.
        target_info "buildTargetInfo": Ref<TargetId> = required,
        /// Its name from now on.
        name "name": String = required,
        /// The tag whose repo fills buildroots.
        build_tag "build_tag": Ref<TagId> = required,
        /// The tag that builds go to.
        dest_tag "dest_tag": Ref<TagId> = required,
    }

    /// Deletes a target.
    DeleteBuildTarget = "deleteBuildTarget", Permission("target"), Write => () {
        /// Which.
        target_info "buildTargetInfo": Ref<TargetId> = required,
    }

    /// A target.
    GetBuildTarget = "getBuildTarget", Anonymous, Read => Option<BuildTarget> {
        /// Which.
        info "info": Ref<TargetId> = required,
        /// As it was then.
        event "event": Option<EventId> = nil,
        /// A fault when there is none.
        strict "strict": bool = no,
    }

    /// Targets.
    GetBuildTargets = "getBuildTargets", Anonymous, Read => Listing<BuildTarget> {
        /// Only this one.
        info "info": Option<Ref<TargetId>> = nil,
        /// As it was then.
        event "event": Option<EventId> = nil,
        /// Only those that build from this tag.
        build_tag_id "buildTagID": Option<Ref<TagId>> = nil,
        /// Only those that build into this tag.
        dest_tag_id "destTagID": Option<Ref<TagId>> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
    }
}
