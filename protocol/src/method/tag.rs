//! Tags, their configuration and their inheritance.

use super::{Listing, Named, QueryOpts, method};
use crate::{
    id::{EventId, PackageId, PermissionId, Ref, TagId},
    value::Value,
};

/// An event to look at: its id, or `"auto"`, which looks a deleted tag up as it was just before its deletion.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "expected an event or \"auto\"")]
pub enum AtEvent {
    /// That event.
    Id(EventId),
    /// `"auto"`.
    Auto(String),
}

/// A tag with its own configuration.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Tag {
    /// Its id.
    pub id: TagId,
    /// Its name.
    pub name: String,
    /// Architectures to build for, with blanks between; nil = inherited.
    pub arches: Option<String>,
    /// Nothing may be tagged into it.
    pub locked: bool,
    /// Kept for Koji's sake.
    pub maven_support: bool,
    /// Kept for Koji's sake.
    pub maven_include_all: bool,
    /// The permission that tagging into it takes, by name.
    pub perm: Option<String>,
    /// The same, by id.
    pub perm_id: Option<PermissionId>,
    /// Further settings.
    #[serde(default)]
    pub extra: Named,
}

/// A tag in a list.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ListedTag {
    /// Its id.
    pub id: TagId,
    /// Its name.
    pub name: String,
    /// As in [`Tag`].
    pub arches: Option<String>,
    /// As in [`Tag`].
    pub locked: bool,
    /// As in [`Tag`].
    pub maven_support: bool,
    /// As in [`Tag`].
    pub maven_include_all: bool,
    /// With `perms`, as in [`Tag`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perm_id: Option<Option<PermissionId>>,
    /// With `perms`, as in [`Tag`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perm: Option<Option<String>>,
    /// With `package`: whether the package is blocked there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<bool>,
    /// With `package`: its owner there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<crate::id::UserId>,
    /// With `package`: its owner's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_name: Option<String>,
    /// With `package`: its extra architectures there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_arches: Option<Option<String>>,
}

/// A tag's configuration as builds see it: inherited where its own says nothing.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct BuildConfig {
    /// The tag with effective arches and extra.
    #[serde(flatten)]
    pub tag: Tag,
    /// Where inherited values come from.
    pub config_inheritance: ConfigInheritance,
}

/// Which ancestor gave what.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ConfigInheritance {
    /// For each inherited key, the tag it comes from.
    pub extra: Named,
    /// The tag that the arches come from; nil = its own.
    pub arches: Option<Value>,
}

/// A link to a parent.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct InheritanceLink {
    /// Only counts when its child is the tag that was asked for.
    pub intransitive: bool,
    /// Levels behind the parent that are followed; nil = all.
    pub maxdepth: Option<i32>,
    /// The parent's name.
    pub name: String,
    /// The parent's arches and extra do not count.
    pub noconfig: bool,
    /// The parent.
    pub parent_id: TagId,
    /// A regular expression, anchored at its start, that package names must match.
    pub pkg_filter: String,
    /// Lower is first; unique among a child's links.
    pub priority: i32,
    /// The child.
    pub child_id: TagId,
}

/// A link met on a walk.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct FullInheritanceLink {
    /// The link.
    #[serde(flatten)]
    pub link: InheritanceLink,
    /// How many levels the tag is away.
    pub currdepth: i32,
    /// How many more levels may be followed; nil = all.
    pub nextdepth: Option<i32>,
    /// The filters of all links up to here; a package must match each.
    pub filter: Vec<String>,
    /// The child again, where the walk went down to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_id: Option<TagId>,
}

/// A link as it is set.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct InheritanceEdit {
    /// The parent.
    pub parent_id: TagId,
    /// Lower is first; a number, or one in a string, as the stock client sends it.
    #[serde(default)]
    pub priority: Option<Value>,
    /// As in [`InheritanceLink`].
    #[serde(default)]
    pub maxdepth: Option<Value>,
    /// As in [`InheritanceLink`].
    #[serde(default)]
    pub intransitive: bool,
    /// As in [`InheritanceLink`].
    #[serde(default)]
    pub noconfig: bool,
    /// As in [`InheritanceLink`].
    #[serde(default)]
    pub pkg_filter: Option<String>,
    /// Remove the link instead.
    #[serde(default, rename = "delete link")]
    pub delete: bool,
}

method! {
    /// Makes a tag, or brings a deleted one back under its old id.
    CreateTag = "createTag", Permission("tag"), Write => TagId {
        /// Its name.
        name "name": String = required,
        /// A tag to inherit from.
        parent "parent": Option<Ref<TagId>> = nil,
        /// Architectures, with blanks between.
        arches "arches": Option<String> = nil,
        /// The permission that tagging into it takes.
        perm "perm": Option<Ref<PermissionId>> = nil,
        /// Nothing may be tagged into it.
        locked "locked": bool = no,
        /// Kept for Koji's sake.
        maven_support "maven_support": bool = no,
        /// Kept for Koji's sake.
        maven_include_all "maven_include_all": bool = no,
        /// Further settings.
        extra "extra": Option<Named> = nil,
    }

    /// Changes a tag. Named arguments: name, arches, locked, perm or perm_id, maven_support, maven_include_all, extra (set),
    /// remove_extra (list), block_extra (list). What is left out stays.
    EditTag2 = "editTag2", Permission("tag"), Write => () {
        /// Which tag.
        tag_info "tagInfo": Ref<TagId> = required,
        /// What to change.
        changes "kwargs": Named = named,
    }

    /// Koji's older way to change a tag; see `editTag2`.
    EditTag = "editTag", Permission("tag"), Write => () {
        /// Which tag.
        tag_info "tagInfo": Ref<TagId> = required,
        /// Its new name; nil = stays.
        name "name": Option<String> = required,
        /// Architectures, with blanks between; nil = inherited.
        arches "arches": Option<String> = required,
        /// Nothing may be tagged into it.
        locked "locked": bool = required,
        /// The permission that tagging into it takes; nil = none.
        permission_id "permissionID": Option<Ref<PermissionId>> = required,
        /// Further settings to set; nil = none.
        extra "extra": Option<Named> = nil,
    }

    /// Deletes a tag: it is revoked everywhere, and its name and id are kept.
    DeleteTag = "deleteTag", Permission("tag"), Write => () {
        /// Which tag.
        tag_info "tagInfo": Ref<TagId> = required,
    }

    /// A tag with its own configuration.
    GetTag = "getTag", Anonymous, Read => Option<Tag> {
        /// Which tag.
        tag_info "tagInfo": Ref<TagId> = required,
        /// A fault when there is none.
        strict "strict": bool = no,
        /// As it was then; `"auto"` finds a deleted one.
        event "event": Option<AtEvent> = nil,
        /// Show blocked extra keys, each as `[true, nil]` beside `[false, value]`.
        blocked "blocked": bool = no,
    }

    /// A tag's id.
    GetTagId = "getTagID", Anonymous, Read => Option<TagId> {
        /// Which tag.
        info "info": Ref<TagId> = required,
        /// A fault when there is none.
        strict "strict": bool = no,
        /// Not possible for tags: a fault.
        create "create": bool = no,
    }

    /// Tags: all, those a build is in, or those that list a package.
    ListTags = "listTags", Anonymous, Read => Listing<ListedTag> {
        /// Only tags that this build is in.
        build "build": Option<super::build::BuildRef> = nil,
        /// Only tags whose package list has this one.
        package "package": Option<Ref<PackageId>> = nil,
        /// Tell permission names.
        perms "perms": bool = yes,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
        /// Only names that match, in upper or lower case; `*` and `?` as in a shell.
        pattern "pattern": Option<String> = nil,
    }

    /// A tag's own links to parents.
    GetInheritanceData = "getInheritanceData", Anonymous, Read => Vec<InheritanceLink> {
        /// Which tag.
        tag "tag": Ref<TagId> = required,
        /// As it was then.
        event "event": Option<EventId> = nil,
    }

    /// Sets links to parents.
    SetInheritanceData = "setInheritanceData", Permission("tag"), Write => () {
        /// Which tag.
        tag "tag": Ref<TagId> = required,
        /// The links; one with `delete link` is removed, others are added or changed.
        data "data": super::OneOrMany<InheritanceEdit> = required,
        /// Remove the links that are not named.
        clear "clear": bool = no,
    }

    /// The walk through all ancestors, in the order that decides who wins.
    GetFullInheritance = "getFullInheritance", Anonymous, Read => Vec<FullInheritanceLink> {
        /// Which tag.
        tag "tag": Ref<TagId> = required,
        /// As it was then.
        event "event": Option<EventId> = nil,
        /// Walk down to those who inherit this tag.
        reverse "reverse": bool = no,
        /// Accepted and ignored.
        others "kwargs": Named = named,
    }

    /// A tag's configuration as builds see it.
    GetBuildConfig = "getBuildConfig", Anonymous, Read => Option<BuildConfig> {
        /// Which tag.
        tag "tag": Ref<TagId> = required,
        /// As it was then.
        event "event": Option<EventId> = nil,
    }

    /// The last change to a tag or to what it inherits.
    TagLastChangeEvent = "tagLastChangeEvent", Anonymous, Read => Option<EventId> {
        /// Which tag.
        tag "tag": Ref<TagId> = required,
        /// Only changes before this event.
        before "before": Option<EventId> = nil,
        /// Count changes to ancestors.
        inherit "inherit": bool = yes,
    }

    /// The first change to a tag, or to what it inherits, after an event.
    TagFirstChangeEvent = "tagFirstChangeEvent", Anonymous, Read => Option<EventId> {
        /// Which tag.
        tag "tag": Ref<TagId> = required,
        /// Only changes after this event.
        after "after": Option<EventId> = nil,
        /// Count changes to ancestors.
        inherit "inherit": bool = yes,
    }

    /// Whether one of these tags itself has changed since an event. What they inherit does not count.
    TagChangedSinceEvent = "tagChangedSinceEvent", Anonymous, Read => bool {
        /// The event.
        event "event": EventId = required,
        /// The tags, by id.
        taglist "taglist": Vec<TagId> = required,
    }

    /// Makes a tag that is a copy of another: its configuration, packages, builds and groups, but not what it inherits from, nor
    /// external repos.
    SnapshotTag = "snapshotTag", Permission("tag"), Write => () {
        /// The tag to copy.
        src "src": Ref<TagId> = required,
        /// The new tag's name.
        dst "dst": String = required,
        /// With its configuration.
        config "config": bool = yes,
        /// With its package list, inherited entries included.
        pkgs "pkgs": bool = yes,
        /// With its builds; needs `pkgs`.
        builds "builds": bool = yes,
        /// With its groups, inherited ones included.
        groups "groups": bool = yes,
        /// Only the newest build of each package.
        latest_only "latest_only": bool = yes,
        /// With builds that it inherits.
        inherit_builds "inherit_builds": bool = yes,
        /// As it was then.
        event "event": Option<EventId> = nil,
        /// Although it is locked.
        force "force": bool = no,
    }

    /// Makes a tag that is there into a copy of another, as `snapshotTag` does with a new one.
    SnapshotTagModify = "snapshotTagModify", Permission("tag"), Write => () {
        /// The tag to copy.
        src "src": Ref<TagId> = required,
        /// The tag to change.
        dst "dst": Ref<TagId> = required,
        /// With its configuration.
        config "config": bool = yes,
        /// With its package list, inherited entries included.
        pkgs "pkgs": bool = yes,
        /// With its builds; needs `pkgs`.
        builds "builds": bool = yes,
        /// With its groups, inherited ones included.
        groups "groups": bool = yes,
        /// Only the newest build of each package.
        latest_only "latest_only": bool = yes,
        /// With builds that it inherits.
        inherit_builds "inherit_builds": bool = yes,
        /// As it was then.
        event "event": Option<EventId> = nil,
        /// Although one of them is locked.
        force "force": bool = no,
        /// Take out builds and groups that the copied tag has not.
        remove "remove": bool = no,
    }
}
