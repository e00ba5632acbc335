//! Comps groups: which packages `@build` and its like mean.

use super::{Named, method};
use crate::id::{EventId, GroupId, Ref, TagId};

/// A group as it counts for a tag.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct TagGroup {
    /// Only on machines that run two word sizes.
    pub biarchonly: Option<bool>,
    /// Hidden here.
    pub blocked: bool,
    /// What it is for.
    pub description: Option<String>,
    /// Its name for people.
    pub display_name: String,
    /// Written to comps.xml.
    pub exported: Option<bool>,
    /// Its id.
    pub group_id: GroupId,
    /// Installed by default.
    pub is_default: Option<bool>,
    /// Only for this language.
    pub langonly: Option<String>,
    /// Its name.
    pub name: String,
    /// The tag that says so.
    pub tag_id: TagId,
    /// Shown to people.
    pub uservisible: Option<bool>,
    /// Its packages, where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packagelist: Option<Vec<GroupPackage>>,
    /// The groups it needs, where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grouplist: Option<Vec<GroupReq>>,
}

/// A package of a group.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct GroupPackage {
    /// Only of the base architecture.
    pub basearchonly: Option<bool>,
    /// Hidden here.
    pub blocked: bool,
    /// The group.
    pub group_id: GroupId,
    /// The package's name, which need not be one that is built here.
    pub package: String,
    /// With type `conditional`: the package that makes it wanted.
    pub requires: Option<String>,
    /// The tag that says so.
    pub tag_id: TagId,
    /// `mandatory`, `default`, `optional` or `conditional`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A group that a group needs.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct GroupReq {
    /// Hidden here.
    pub blocked: bool,
    /// The group that needs it.
    pub group_id: GroupId,
    /// Listed as a package, not as a group.
    pub is_metapkg: bool,
    /// The group that is needed.
    pub req_id: GroupId,
    /// Its name.
    pub name: String,
    /// The tag that says so.
    pub tag_id: TagId,
    /// `mandatory`, `default` or `optional`.
    #[serde(rename = "type")]
    pub kind: String,
}

method! {
    /// The groups that count for a tag.
    GetTagGroups = "getTagGroups", Anonymous, Read => Vec<TagGroup> {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// As it was then.
        event "event": Option<EventId> = nil,
        /// With those of ancestors.
        inherit "inherit": bool = yes,
        /// Tell packages.
        incl_pkgs "incl_pkgs": bool = yes,
        /// Tell required groups.
        incl_reqs "incl_reqs": bool = yes,
        /// With blocked ones.
        incl_blocked "incl_blocked": bool = no,
    }

    /// Adds a group to a tag, or changes it. Named arguments: display_name, is_default, uservisible, exported, description,
    /// langonly, biarchonly.
    GroupListAdd = "groupListAdd", Permission("tag"), Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The group; made when named and not there.
        grpinfo "grpinfo": Ref<GroupId> = required,
        /// Hide it.
        block "block": bool = no,
        /// Change it although it is blocked.
        force "force": bool = no,
        /// Its settings.
        opts "opts": Named = named,
    }

    /// Removes a tag's own entry of a group.
    GroupListRemove = "groupListRemove", Permission("tag"), Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The group.
        grpinfo "grpinfo": Ref<GroupId> = required,
        /// No fault when there is none.
        force "force": bool = no,
    }

    /// Hides a group that is inherited.
    GroupListBlock = "groupListBlock", Permission("tag"), Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The group.
        grpinfo "grpinfo": Ref<GroupId> = required,
    }

    /// Shows a hidden group again.
    GroupListUnblock = "groupListUnblock", Permission("tag"), Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The group.
        grpinfo "grpinfo": Ref<GroupId> = required,
    }

    /// Adds a package to a group. Named arguments: type, basearchonly, requires.
    GroupPackageListAdd = "groupPackageListAdd", Permission("tag"), Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The group.
        grpinfo "grpinfo": Ref<GroupId> = required,
        /// The package's name.
        pkg_name "pkg_name": String = required,
        /// Hide it.
        block "block": bool = no,
        /// Change it although it is blocked.
        force "force": bool = no,
        /// Its settings.
        opts "opts": Named = named,
    }

    /// Removes a tag's own entry of a group's package. It is no fault when there is none.
    GroupPackageListRemove = "groupPackageListRemove", Permission("tag"), Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The group.
        grpinfo "grpinfo": Ref<GroupId> = required,
        /// The package's name.
        pkg_name "pkg_name": String = required,
    }

    /// Hides a group's package.
    GroupPackageListBlock = "groupPackageListBlock", Permission("tag"), Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The group.
        grpinfo "grpinfo": Ref<GroupId> = required,
        /// The package's name.
        pkg_name "pkg_name": String = required,
    }

    /// Shows a hidden package of a group again.
    GroupPackageListUnblock = "groupPackageListUnblock", Permission("tag"), Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The group.
        grpinfo "grpinfo": Ref<GroupId> = required,
        /// The package's name.
        pkg_name "pkg_name": String = required,
    }

    /// Makes a group need another. Named arguments: type, is_metapkg.
    GroupReqListAdd = "groupReqListAdd", Permission("tag"), Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The group.
        grpinfo "grpinfo": Ref<GroupId> = required,
        /// The group that it needs.
        reqinfo "reqinfo": Ref<GroupId> = required,
        /// Hide it.
        block "block": bool = no,
        /// Change it although it is blocked.
        force "force": bool = no,
        /// Its settings.
        opts "opts": Named = named,
    }

    /// Removes a tag's own entry of a needed group. It is no fault when there is none.
    GroupReqListRemove = "groupReqListRemove", Permission("tag"), Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The group.
        grpinfo "grpinfo": Ref<GroupId> = required,
        /// The group that it needs.
        reqinfo "reqinfo": Ref<GroupId> = required,
        /// Accepted and ignored, as in Koji.
        force "force": Option<bool> = nil,
    }

    /// Hides a needed group.
    GroupReqListBlock = "groupReqListBlock", Permission("tag"), Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The group.
        grpinfo "grpinfo": Ref<GroupId> = required,
        /// The group that it needs.
        reqinfo "reqinfo": Ref<GroupId> = required,
    }

    /// Shows a hidden needed group again.
    GroupReqListUnblock = "groupReqListUnblock", Permission("tag"), Write => () {
        /// The tag.
        taginfo "taginfo": Ref<TagId> = required,
        /// The group.
        grpinfo "grpinfo": Ref<GroupId> = required,
        /// The group that it needs.
        reqinfo "reqinfo": Ref<GroupId> = required,
    }
}
