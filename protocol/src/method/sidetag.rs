//! Side tags: tags that users make for themselves, to build in.

use super::{Listing, Named, QueryOpts, method, repo::RepoRequest};
use crate::id::{Ref, TagId, TaskId, UserId};

/// A side tag that was made.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct NewSideTag {
    /// Its name, and its target's.
    pub name: String,
    /// Its id.
    pub id: TagId,
    /// Kept for Koji's sake: nil.
    pub task_id: Option<TaskId>,
    /// The request for its first repo; nil where the deployment asks for none.
    pub request: Option<RepoRequest>,
}

/// A side tag in a list.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct SideTag {
    /// Its id.
    pub id: TagId,
    /// Its name.
    pub name: String,
    /// Its owner's id; a text, as in Koji.
    pub user_id: String,
    /// Its owner's name.
    pub user_name: Option<String>,
}

method! {
    /// Makes a tag that inherits from another, and a target of the same name that builds in it and for it. The policy `sidetag` has a
    /// say, and a deployment may limit how many a user has.
    CreateSideTag = "createSideTag", LoggedIn, Write => NewSideTag {
        /// The tag that it inherits from.
        basetag "basetag": Ref<TagId> = required,
        /// Its repos have debuginfo packages.
        debuginfo "debuginfo": bool = no,
        /// The end of its name; one that the deployment allows.
        suffix "suffix": Option<String> = nil,
    }

    /// Deletes a side tag and its target. For its owner, and admins.
    RemoveSideTag = "removeSideTag", LoggedIn, Write => () {
        /// The side tag.
        sidetag "sidetag": Ref<TagId> = required,
    }

    /// The side tags.
    ListSideTags = "listSideTags", Anonymous, Read => Listing<SideTag> {
        /// Only those that inherit from this tag.
        basetag "basetag": Option<Ref<TagId>> = nil,
        /// Only this user's.
        user "user": Option<Ref<UserId>> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
    }

    /// Changes what its owner may change of a side tag: what the tag that it inherits from allows by `sidetag_debuginfo_allowed` and
    /// `sidetag_rpm_macros_allowed`.
    EditSideTag = "editSideTag", LoggedIn, Write => () {
        /// The side tag.
        sidetag "sidetag": Ref<TagId> = required,
        /// Its repos have debuginfo packages, or not; nil = as it is.
        debuginfo "debuginfo": Option<bool> = nil,
        /// RPM macros to set.
        rpm_macros "rpm_macros": Option<Named> = nil,
        /// RPM macros to take away.
        remove_rpm_macros "remove_rpm_macros": Option<Vec<String>> = nil,
        /// Further settings; takes the permission `sidetag_admin`.
        extra "extra": Option<Named> = nil,
        /// Further settings to take away; takes the permission `sidetag_admin`.
        remove_extra "remove_extra": Option<Vec<String>> = nil,
    }
}
