//! Builds.

use super::{Listing, Named, QueryOpts, method};
use crate::{
    id::{BuildId, EventId, PackageId, Ref, TaskId, UserId, VolumeId},
    state::BuildState,
    time::Time,
    value::Value,
};

/// A build named by its id, its name-version-release, or a struct with either.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
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
    /// Content generators are not offered: nil.
    pub cg_id: Option<i64>,
    /// nil.
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
    /// The folder: an architecture.
    pub dir: String,
    /// The file's name.
    pub name: String,
    /// Its path below the top URL.
    pub path: String,
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
        /// Of this task.
        task_id "taskID": Option<super::OneOrMany<TaskId>> = nil,
        /// Whose package name begins so.
        prefix "prefix": Option<String> = nil,
        /// In this state, or one of these.
        state "state": Option<super::OneOrMany<BuildState>> = nil,
        /// On this volume.
        volume_id "volumeID": Option<Ref<VolumeId>> = nil,
        /// Whose source matches; `*` and `?` as in a shell.
        source "source": Option<String> = nil,
        /// Created before.
        created_before "createdBefore": Option<When> = nil,
        /// Created after.
        created_after "createdAfter": Option<When> = nil,
        /// Ended before.
        complete_before "completeBefore": Option<When> = nil,
        /// Ended after.
        complete_after "completeAfter": Option<When> = nil,
        /// Only `rpm` finds anything.
        kind "type": Option<String> = nil,
        /// For types that are not offered.
        type_info "typeInfo": Option<Named> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
        /// Whose name-version-release matches; `*` and `?` as in a shell.
        pattern "pattern": Option<String> = nil,
        /// Content generators are not offered: finds nothing.
        cg_id "cgID": Option<Value> = nil,
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
    GetBuildLogs = "getBuildLogs", Anonymous, Read => Vec<BuildLog> {
        /// Which.
        build "build": BuildRef = required,
    }

    /// The release that comes after those there are.
    GetNextRelease = "getNextRelease", Anonymous, Read => String {
        /// `name` and `version`, or a build to count from.
        build_info "build_info": BuildRef = required,
        /// By how many.
        incr "incr": i64 = int 1,
    }

    /// What kinds of content a build has: `{rpm: nil}`.
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
        /// A fault when it cannot be cancelled.
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

    /// Archives, which are not offered: an empty list.
    ListArchives = "listArchives", Anonymous, Read => Vec<Value> {
        /// Ignored.
        args "args": Vec<Value> = rest,
        /// Ignored.
        kwargs "kwargs": Named = named,
    }
}
