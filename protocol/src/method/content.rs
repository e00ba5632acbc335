//! What is in a tag: tagging and untagging builds, and asking for them.

use super::{Listing, QueryOpts, method};
use crate::{
    id::{BuildId, EventId, PackageId, Ref, TagId, TaskId, UserId, VolumeId},
    method::build::BuildRef,
    state::BuildState,
    time::Time,
    value::Value,
};

/// A build in a tag.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct TaggedBuild {
    /// Its id.
    pub build_id: BuildId,
    /// When it ended.
    pub completion_time: Option<Time>,
    /// The event that tagged it.
    pub create_event: EventId,
    /// The event of the build's own creation.
    pub creation_event_id: EventId,
    /// When that was.
    pub creation_time: Time,
    /// Not for release yet.
    pub draft: bool,
    /// The RPM epoch.
    pub epoch: Option<i64>,
    /// Further facts, where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Value>,
    /// Its id again.
    pub id: BuildId,
    /// The package's name.
    pub name: String,
    /// name-version-release.
    pub nvr: String,
    /// Whose it is.
    pub owner_id: UserId,
    /// Their name.
    pub owner_name: String,
    /// The package.
    pub package_id: PackageId,
    /// Its name.
    pub package_name: String,
    /// Who promoted a draft.
    pub promoter_id: Option<UserId>,
    /// Their name.
    pub promoter_name: Option<String>,
    /// When.
    pub promotion_time: Option<Time>,
    /// The release.
    pub release: String,
    /// When building began.
    pub start_time: Option<Time>,
    /// Its state.
    pub state: BuildState,
    /// The tag that has it.
    pub tag_id: TagId,
    /// Its name.
    pub tag_name: String,
    /// The task that made it.
    pub task_id: Option<TaskId>,
    /// The version.
    pub version: String,
    /// Where its files are.
    pub volume_id: VolumeId,
    /// Its name.
    pub volume_name: String,
}

/// An RPM of a build in a tag.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct TaggedRpm {
    /// Its id.
    pub id: crate::id::RpmId,
    /// Its build.
    pub build_id: BuildId,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its release.
    pub release: String,
    /// Its epoch.
    pub epoch: Option<i64>,
    /// Its architecture.
    pub arch: String,
    /// Of a draft build.
    pub draft: bool,
    /// Bytes.
    pub size: i64,
    /// SIGMD5.
    pub payloadhash: String,
    /// When it was built, in seconds.
    pub buildtime: i64,
    /// The buildroot it was built in.
    pub buildroot_id: Option<crate::id::BuildrootId>,
    /// 0: built here.
    pub external_repo_id: crate::id::ExternalRepoId,
    /// Only its facts are kept, not its file.
    pub metadata_only: bool,
    /// Further facts, where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Value>,
    /// With `rpmsigs`: a key it is signed with; one entry a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sigkey: Option<String>,
}

/// A complete build that is in no tag.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct UntaggedBuild {
    /// Its id.
    pub id: BuildId,
    /// The package's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its release.
    pub release: String,
}

/// How many builds of a package count: all, the newest, or the newest N.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "expected a boolean or a number")]
pub enum Latest {
    /// true = 1, false = all.
    Flag(bool),
    /// The newest N; 0 = all.
    Count(u32),
}

impl Latest {
    /// How many, if not all.
    pub fn count(self) -> Option<u32> {
        match self {
            Latest::Flag(false) | Latest::Count(0) => None,
            Latest::Flag(true) => Some(1),
            Latest::Count(count) => Some(count),
        }
    }
}

method! {
    /// Tags a build, by a task that the policies are asked about. Answers the task.
    TagBuild = "tagBuild", LoggedIn, Write => TaskId {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// The build.
        build "build": BuildRef = required,
        /// An admin's word that it is to be done all the same.
        force "force": bool = no,
        /// Untag it there.
        fromtag "fromtag": Option<Ref<TagId>> = nil,
    }

    /// Tags a build at once, without policy.
    TagBuildBypass = "tagBuildBypass", Permission("tag"), Write => () {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// The build.
        build "build": BuildRef = required,
        /// Tag it anew although it is there.
        force "force": bool = no,
        /// Send mail.
        notify "notify": bool = no,
    }

    /// Untags a build.
    UntagBuild = "untagBuild", LoggedIn, Write => () {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// The build.
        build "build": BuildRef = required,
        /// A fault when it is not there.
        strict "strict": bool = yes,
        /// An admin's word that it is to be done all the same.
        force "force": bool = no,
    }

    /// Untags a build, without policy.
    UntagBuildBypass = "untagBuildBypass", Permission("tag"), Write => () {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// The build.
        build "build": BuildRef = required,
        /// A fault when it is not there.
        strict "strict": bool = yes,
        /// An admin's word that it is to be done all the same.
        force "force": bool = no,
        /// Send mail.
        notify "notify": bool = no,
    }

    /// Builds in a tag, newest tagging first.
    ListTagged = "listTagged", Anonymous, Read => Vec<TaggedBuild> {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// As it was then.
        event "event": Option<EventId> = nil,
        /// With those of ancestors.
        inherit "inherit": bool = no,
        /// Only packages whose name begins so.
        prefix "prefix": Option<String> = nil,
        /// Only the newest of each package.
        latest "latest": Option<Latest> = no,
        /// Only this package.
        package "package": Option<Ref<PackageId>> = nil,
        /// Only this owner's.
        owner "owner": Option<Ref<UserId>> = nil,
        /// Only `rpm` finds anything.
        kind "type": Option<String> = nil,
        /// A fault when there is no such tag.
        strict "strict": bool = yes,
        /// Tell `extra`.
        extra "extra": bool = no,
        /// Only drafts, or only others.
        draft "draft": Option<bool> = nil,
    }

    /// RPMs of the builds in a tag, and those builds: `[rpms, builds]`.
    ListTaggedRpms = "listTaggedRPMS", Anonymous, Read => (Vec<TaggedRpm>, Vec<TaggedBuild>) {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// As it was then.
        event "event": Option<EventId> = nil,
        /// With those of ancestors.
        inherit "inherit": bool = no,
        /// Only of the newest build of each package.
        latest "latest": Option<Latest> = no,
        /// Only this package.
        package "package": Option<Ref<PackageId>> = nil,
        /// Only this architecture, or one of these.
        arch "arch": Option<super::OneOrMany<String>> = nil,
        /// One entry for each signature.
        rpmsigs "rpmsigs": bool = no,
        /// Only this owner's.
        owner "owner": Option<Ref<UserId>> = nil,
        /// Only `rpm` finds anything.
        kind "type": Option<String> = nil,
        /// A fault when there is no such tag.
        strict "strict": bool = yes,
        /// Tell `extra`.
        extra "extra": bool = yes,
        /// Only drafts, or only others.
        draft "draft": Option<bool> = nil,
    }

    /// The newest build of each package in a tag and its ancestors.
    GetLatestBuilds = "getLatestBuilds", Anonymous, Read => Vec<TaggedBuild> {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// As it was then.
        event "event": Option<EventId> = nil,
        /// Only this package.
        package "package": Option<Ref<PackageId>> = nil,
        /// Only `rpm` finds anything.
        kind "type": Option<String> = nil,
        /// Only drafts, or only others.
        draft "draft": Option<bool> = nil,
    }

    /// The RPMs of the newest build of each package in a tag and its ancestors, and those builds.
    GetLatestRpms = "getLatestRPMS", Anonymous, Read => (Vec<TaggedRpm>, Vec<TaggedBuild>) {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// Only this package.
        package "package": Option<Ref<PackageId>> = nil,
        /// Only this architecture, or one of these.
        arch "arch": Option<super::OneOrMany<String>> = nil,
        /// As it was then.
        event "event": Option<EventId> = nil,
        /// One entry for each signature.
        rpmsigs "rpmsigs": bool = no,
        /// Only `rpm` finds anything.
        kind "type": Option<String> = nil,
        /// Only drafts, or only others.
        draft "draft": Option<bool> = nil,
    }

    /// Archives of the builds in a tag, of which there are none here, and those builds: `[archives, builds]`.
    ListTaggedArchives = "listTaggedArchives", Anonymous, Read => (Vec<Value>, Vec<TaggedBuild>) {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// As it was then.
        event "event": Option<EventId> = nil,
        /// With those of ancestors.
        inherit "inherit": bool = no,
        /// Only of the newest build of each package.
        latest "latest": Option<Latest> = no,
        /// Only this package.
        package "package": Option<Ref<PackageId>> = nil,
        /// `maven` and `win` find nothing.
        kind "type": Option<String> = nil,
        /// A fault when there is no such tag.
        strict "strict": bool = yes,
        /// Tell `extra` of archives.
        extra "extra": bool = yes,
    }

    /// Maven archives, of which there are none here: empty.
    GetLatestMavenArchives = "getLatestMavenArchives", Anonymous, Read => Vec<Value> {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// As it was then.
        event "event": Option<EventId> = nil,
        /// With those of ancestors.
        inherit "inherit": bool = yes,
    }

    /// Whether a user may change what is in a tag: `[allowed, may force it, why not]`.
    CheckTagAccess = "checkTagAccess", Anonymous, Read => (bool, bool, String) {
        /// The tag.
        tag_id "tag_id": Ref<TagId> = required,
        /// The user; nil = who calls.
        user_id "user_id": Option<UserId> = nil,
    }

    /// Tags builds in their order, each by an event of its own, without any check beside their being complete. What is tagged already is
    /// tagged anew.
    MassTag = "massTag", Permission("tag"), Write => () {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// The builds.
        builds "builds": Vec<BuildRef> = required,
    }

    /// Moves a build from one tag to another, by a task. Answers the task.
    MoveBuild = "moveBuild", LoggedIn, Write => TaskId {
        /// Out of this tag.
        tag1 "tag1": Ref<TagId> = required,
        /// Into this one.
        tag2 "tag2": Ref<TagId> = required,
        /// The build.
        build "build": BuildRef = required,
        /// An admin's word that it is to be done all the same.
        force "force": bool = no,
    }

    /// Moves all builds of a package from one tag to another and keeps their order: one task for each, which waits for the one
    /// before. Answers the tasks.
    MoveAllBuilds = "moveAllBuilds", LoggedIn, Write => Vec<TaskId> {
        /// Out of this tag.
        tag1 "tag1": Ref<TagId> = required,
        /// Into this one.
        tag2 "tag2": Ref<TagId> = required,
        /// The package.
        package "package": Ref<PackageId> = required,
        /// An admin's word that it is to be done all the same.
        force "force": bool = no,
    }

    /// Complete builds that are in no tag.
    UntaggedBuilds = "untaggedBuilds", Anonymous, Read => Listing<UntaggedBuild> {
        /// Only this package's, by its name.
        name "name": Option<String> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
        /// Only drafts, or only others.
        draft "draft": Option<bool> = nil,
    }
}
