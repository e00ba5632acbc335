//! Builds.

use super::{Listing, Named, QueryOpts, method};
use crate::{
    id::{
        ArchiveId, ArchiveTypeId, BtypeId, BuildId, ContentGeneratorId, EventId, PackageId, Ref, RpmId, TagId, TaskId,
        UserId, VolumeId,
    },
    state::BuildState,
    time::Time,
    value::Value,
};

/// A build named by its id, its name-version-release, or a struct with either.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "expected a build: its id, its name-version-release, or a struct with either")]
pub enum BuildRef {
    /// By id.
    Id(BuildId),
    /// By name-version-release.
    Nvr(String),
    /// As an earlier answer showed it.
    Info {
        /// Its id, which wins.
        #[serde(default)]
        id: Option<BuildId>,
        /// The same, under its other name.
        #[serde(default)]
        build_id: Option<BuildId>,
        /// The package's name.
        #[serde(default)]
        name: Option<String>,
        /// Its version.
        #[serde(default)]
        version: Option<String>,
        /// Its release.
        #[serde(default)]
        release: Option<String>,
    },
}

impl std::fmt::Display for BuildRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BuildRef::Id(id) => id.fmt(f),
            BuildRef::Nvr(nvr) => write!(f, "'{nvr}'"),
            BuildRef::Info { id: Some(id), .. } | BuildRef::Info { build_id: Some(id), .. } => id.fmt(f),
            BuildRef::Info { name, version, release, .. } => {
                let part = |part: &Option<String>| part.clone().unwrap_or_default();
                write!(f, "'{}-{}-{}'", part(name), part(version), part(release))
            }
        }
    }
}

/// A build.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Build {
    /// Its id.
    pub build_id: BuildId,
    /// The content generator that reserved or brought it.
    pub cg_id: Option<ContentGeneratorId>,
    /// Its name.
    pub cg_name: Option<String>,
    /// When it ended, well or badly.
    pub completion_time: Option<Time>,
    /// The same, in seconds.
    pub completion_ts: Option<f64>,
    /// The event of its creation.
    pub creation_event_id: EventId,
    /// When that was.
    pub creation_time: Time,
    /// The same, in seconds.
    pub creation_ts: f64,
    /// Not for release yet; another build may have the same name.
    pub draft: bool,
    /// The RPM epoch.
    pub epoch: Option<i64>,
    /// Further facts, such as `source.original_url`.
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
    /// The same, in seconds.
    pub promotion_ts: Option<f64>,
    /// The release.
    pub release: String,
    /// What it was built from: a file name, or a URL with the resolved commit.
    pub source: Option<String>,
    /// When building began.
    pub start_time: Option<Time>,
    /// The same, in seconds.
    pub start_ts: Option<f64>,
    /// Its state.
    pub state: BuildState,
    /// The task that made it.
    pub task_id: Option<TaskId>,
    /// The version.
    pub version: String,
    /// Where its files are.
    pub volume_id: VolumeId,
    /// Its name.
    pub volume_name: String,
}

/// A build in a list.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ListedBuild {
    /// Its id.
    pub build_id: BuildId,
    /// When it ended.
    pub completion_time: Option<Time>,
    /// The same, in seconds.
    pub completion_ts: Option<f64>,
    /// The event of its creation.
    pub creation_event_id: EventId,
    /// When that was.
    pub creation_time: Time,
    /// The same, in seconds.
    pub creation_ts: f64,
    /// Not for release yet.
    pub draft: bool,
    /// The RPM epoch.
    pub epoch: Option<i64>,
    /// Further facts.
    pub extra: Option<Value>,
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
    /// The same, in seconds.
    pub promotion_ts: Option<f64>,
    /// The release.
    pub release: String,
    /// What it was built from.
    pub source: Option<String>,
    /// When building began.
    pub start_time: Option<Time>,
    /// The same, in seconds.
    pub start_ts: Option<f64>,
    /// Its state.
    pub state: BuildState,
    /// The task that made it.
    pub task_id: Option<TaskId>,
    /// The version.
    pub version: String,
    /// Where its files are.
    pub volume_id: VolumeId,
    /// Its name.
    pub volume_name: String,
}

/// A log file of a build.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct BuildLog {
    /// The folder, mostly an architecture; `.` = none.
    pub dir: String,
    /// The file's name.
    pub name: String,
    /// Its path below the top URL.
    pub path: String,
}

/// A kind of content that builds may have.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Btype {
    /// Its id.
    pub id: BtypeId,
    /// Its name.
    pub name: String,
}

/// What refers to a build. What was not looked for, since something was found before, is absent.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct References {
    /// The tags that have it.
    pub tags: Vec<TagUse>,
    /// RPMs of complete builds that were made in buildroots with its RPMs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpms: Option<Vec<RpmUse>>,
    /// Archives of complete builds that contain something of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_of: Option<Vec<ArchiveId>>,
    /// Archives of complete builds that were made in buildroots with its archives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archives: Option<Vec<ArchiveUse>>,
    /// When a buildroot last had something of it, in seconds; nil = never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Option<f64>>,
    /// The same as `component_of`: its former name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<Vec<ArchiveId>>,
}

/// A tag that has a build.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct TagUse {
    /// The tag.
    pub tag_id: TagId,
    /// Its name.
    pub name: String,
}

/// An RPM that was made with the help of a build.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct RpmUse {
    /// Its id.
    pub id: RpmId,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its release.
    pub release: String,
    /// Its architecture.
    pub arch: String,
    /// Its build.
    pub build_id: BuildId,
}

/// An archive that was made with the help of a build.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ArchiveUse {
    /// Its id.
    pub id: ArchiveId,
    /// What kind of file it is.
    pub type_id: ArchiveTypeId,
    /// That kind's name.
    pub type_name: String,
    /// Its build.
    pub build_id: BuildId,
    /// Its file's name.
    pub filename: String,
}

/// What a time may be given as: seconds, or a text.
pub type When = Value;

method! {
    /// Starts a build. Answers the task.
    StartBuild = "build", LoggedIn, Write => TaskId {
        /// The path of an uploaded source RPM below `work/`, or an SCM URL.
        src "src": String = required,
        /// The target's name; nil with `skip_tag` and `repo_id`.
        target "target": Option<String> = required,
        /// Koji's build options.
        opts "opts": Option<crate::task::build::BuildOpts> = nil,
        /// Added to 20; below zero only for admins.
        priority "priority": Option<i32> = nil,
        /// The channel that is wished for.
        channel "channel": Option<String> = nil,
    }

    /// Starts builds in levels: each level begins when what the one before has made is in a repo. Answers the task.
    ChainBuild = "chainBuild", LoggedIn, Write => TaskId {
        /// The levels: SCM URLs to build, and names of builds to wait for.
        srcs "srcs": Vec<Vec<String>> = required,
        /// The target's name.
        target "target": String = required,
        /// Koji's build options, for each build.
        opts "opts": Option<crate::task::build::BuildOpts> = nil,
        /// Added to 20; below zero only for admins.
        priority "priority": Option<i32> = nil,
        /// The channel that is wished for.
        channel "channel": Option<String> = nil,
    }

    /// A build.
    GetBuild = "getBuild", Anonymous, Read => Option<Build> {
        /// Which.
        build_info "buildInfo": BuildRef = required,
        /// A fault when there is none.
        strict "strict": bool = no,
    }

    /// A build's id.
    FindBuildId = "findBuildID", Anonymous, Read => Option<BuildId> {
        /// Which.
        build "X": BuildRef = required,
        /// A fault when there is none.
        strict "strict": bool = no,
    }

    /// Builds that fit all conditions.
    ListBuilds = "listBuilds", Anonymous, Read => Listing<ListedBuild> {
        /// Of this package.
        package_id "packageID": Option<Ref<PackageId>> = nil,
        /// Of this owner.
        user_id "userID": Option<Ref<UserId>> = nil,
        /// Of this task, or one of these; -1 = of any task.
        task_id "taskID": Option<super::OneOrMany<TaskId>> = nil,
        /// Whose package name begins so, in any case.
        prefix "prefix": Option<String> = nil,
        /// In this state, or one of these.
        state "state": Option<super::OneOrMany<BuildState>> = nil,
        /// On this volume.
        volume_id "volumeID": Option<Ref<VolumeId>> = nil,
        /// Whose source matches, in any case; `*` and `?` as in a shell.
        source "source": Option<String> = nil,
        /// Created before.
        created_before "createdBefore": Option<When> = nil,
        /// Created after.
        created_after "createdAfter": Option<When> = nil,
        /// Ended before.
        complete_before "completeBefore": Option<When> = nil,
        /// Ended after.
        complete_after "completeAfter": Option<When> = nil,
        /// With this kind of content: see `listBTypes`.
        kind "type": Option<String> = nil,
        /// For `maven` and `win`, which are not offered.
        type_info "typeInfo": Option<Named> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
        /// Whose name-version-release matches, in any case; `*` and `?` as in a shell.
        pattern "pattern": Option<String> = nil,
        /// Reserved or brought by this content generator.
        cg_id "cgID": Option<Ref<ContentGeneratorId>> = nil,
        /// Only drafts, or only others.
        draft "draft": Option<bool> = nil,
        /// Promoted before.
        promoted_before "promotedBefore": Option<When> = nil,
        /// Promoted after.
        promoted_after "promotedAfter": Option<When> = nil,
        /// Promoted by.
        promoter "promoter": Option<Ref<UserId>> = nil,
    }

    /// A build's logs.
    GetBuildLogs = "getBuildLogs", Anonymous, Outside => Vec<BuildLog> {
        /// Which.
        build "build": BuildRef = required,
    }

    /// The release that comes after those there are.
    GetNextRelease = "getNextRelease", Anonymous, Read => String {
        /// `name` and `version`, or a build of them.
        build_info "build_info": BuildRef = required,
        /// By how many to count.
        incr "incr": i64 = int 1,
    }

    /// What kinds of content a build has, and what it says of each: `{rpm: nil}`.
    GetBuildType = "getBuildType", Anonymous, Read => Option<Named> {
        /// Which.
        build_info "buildInfo": BuildRef = required,
        /// A fault when there is none.
        strict "strict": bool = no,
    }

    /// Seconds that builds of a package take on average; nil = none are known.
    GetAverageBuildDuration = "getAverageBuildDuration", Anonymous, Read => Option<f64> {
        /// The package.
        package "package": Ref<PackageId> = required,
        /// Only builds of the last so many months.
        age "age": Option<i64> = nil,
    }

    /// Cancels a build and its task. Answers whether it could.
    CancelBuild = "cancelBuild", LoggedIn, Write => bool {
        /// Which.
        build_id "buildID": BuildRef = required,
        /// A fault when there is no such build.
        strict "strict": bool = no,
    }

    /// Maven facts of a build: none are kept.
    GetMavenBuild = "getMavenBuild", Anonymous, Read => Option<Value> {
        /// Which.
        build_info "buildInfo": BuildRef = required,
        /// A fault when there are none.
        strict "strict": bool = no,
    }

    /// Windows facts of a build: none are kept.
    GetWinBuild = "getWinBuild", Anonymous, Read => Option<Value> {
        /// Which.
        build_info "buildInfo": BuildRef = required,
        /// A fault when there are none.
        strict "strict": bool = no,
    }

    /// Image facts of a build: none are kept.
    GetImageBuild = "getImageBuild", Anonymous, Read => Option<Value> {
        /// Which.
        build_info "buildInfo": BuildRef = required,
        /// A fault when there are none.
        strict "strict": bool = no,
    }

    /// What refers to a build, and keeps it from being deleted.
    BuildReferences = "buildReferences", Anonymous, Read => References {
        /// Which.
        build "build": BuildRef = required,
        /// So many of each kind at the most.
        limit "limit": Option<i64> = nil,
        /// Stop as soon as something is found.
        lazy "lazy": bool = no,
    }

    /// Deletes a build that nothing needs: its files go, its name stays taken. Answers whether it did; nil = it was deleted before.
    DeleteBuild = "deleteBuild", Permission("admin"), Outside => Option<bool> {
        /// Which.
        build "build": BuildRef = required,
        /// A fault when something needs it; otherwise false.
        strict "strict": bool = yes,
        /// Seconds in which no buildroot may have used it.
        min_ref_age "min_ref_age": i64 = int 604800,
    }

    /// Deletes all that a build has, and all that refers to it, and leaves it cancelled, to be built or imported again.
    ResetBuild = "resetBuild", Permission("admin"), Outside => () {
        /// Which; when there is none, nothing is done.
        build "build": BuildRef = required,
    }

    /// Makes a complete build with nothing in it.
    CreateEmptyBuild = "createEmptyBuild", Permission("admin"), Write => BuildId {
        /// The package's name.
        name "name": String = required,
        /// The version.
        version "version": String = required,
        /// The release; of a draft the one that it is to have in the end.
        release "release": String = required,
        /// The RPM epoch; nil = none.
        epoch "epoch": Value = required,
        /// Whose it is; nil = the caller's.
        owner "owner": Option<Ref<UserId>> = nil,
        /// Make a draft.
        draft "draft": bool = no,
    }

    /// Gives a build to another user.
    SetBuildOwner = "setBuildOwner", Permission("admin"), Write => () {
        /// Which.
        build "build": BuildRef = required,
        /// To whom.
        user "user": Ref<UserId> = required,
    }

    /// Sets when a build ended.
    SetBuildTimestamp = "setBuildTimestamp", Permission("admin"), Write => () {
        /// Which.
        build "build": BuildRef = required,
        /// Seconds since 1970.
        ts "ts": Value = required,
    }

    /// Makes a draft the build of its name. Answers it, with that name.
    PromoteBuild = "promoteBuild", LoggedIn, Outside => Build {
        /// Which.
        build "build": BuildRef = required,
        /// As an admin: whatever the policy says.
        force "force": bool = no,
    }

    /// The kinds of content that builds may have.
    ListBtypes = "listBTypes", Anonymous, Read => Listing<Btype> {
        /// Only the one with this `id`, or this `name`.
        query "query": Option<Named> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
    }

    /// Adds a kind of content.
    AddBtype = "addBType", Permission("admin"), Write => () {
        /// Its name.
        name "name": String = required,
    }
}
