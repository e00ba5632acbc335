//! Buildroots: what each build was built in, exactly.

use super::{Listing, OneOrMany, QueryOpts, method};
use crate::{
    id::{ArchiveId, BuildrootId, ContentGeneratorId, EventId, HostId, Ref, RepoId, RpmId, TagId, TaskId},
    state::{BuildrootState, RepoState},
    time::Time,
    value::Value,
};

/// A buildroot.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Buildroot {
    /// Its architecture.
    pub arch: String,
    /// 0: made by a builder; 1: described by a content generator. Of what follows, one has only what is said of it.
    pub br_type: i64,
    /// The content generator.
    pub cg_id: Option<ContentGeneratorId>,
    /// Its name.
    pub cg_name: Option<String>,
    /// Its version.
    pub cg_version: Option<String>,
    /// Its architecture again.
    pub container_arch: String,
    /// A builder's is a `chroot`.
    pub container_type: String,
    /// Made by a builder: when.
    pub create_event_id: Option<EventId>,
    /// The same, as a time.
    pub create_event_time: Option<Time>,
    /// The same, in seconds.
    pub create_ts: Option<f64>,
    /// Further facts.
    pub extra: Option<Value>,
    /// A content generator's: its host's architecture.
    pub host_arch: Option<String>,
    /// A builder's: the host it was on.
    pub host_id: Option<HostId>,
    /// Its name.
    pub host_name: Option<String>,
    /// A content generator's: its host's operating system.
    pub host_os: Option<String>,
    /// Its id.
    pub id: BuildrootId,
    /// The event of its repo.
    pub repo_create_event_id: Option<EventId>,
    /// The same, as a time.
    pub repo_create_event_time: Option<Time>,
    /// The repo that filled it.
    pub repo_id: Option<RepoId>,
    /// Its state now.
    pub repo_state: Option<RepoState>,
    /// When it was given up.
    pub retire_event_id: Option<EventId>,
    /// The same, as a time.
    pub retire_event_time: Option<Time>,
    /// The same, in seconds.
    pub retire_ts: Option<f64>,
    /// A builder's: its state.
    pub state: Option<BuildrootState>,
    /// The tag of its repo.
    pub tag_id: Option<TagId>,
    /// Its name.
    pub tag_name: Option<String>,
    /// The task that ran in it.
    pub task_id: Option<TaskId>,
}

/// An RPM in a buildroot.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct BuildrootRpm {
    /// The RPM.
    pub rpm_id: RpmId,
    /// Installed after the build had begun.
    pub is_update: bool,
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
    /// Where it came from.
    pub external_repo_id: crate::id::ExternalRepoId,
    /// Its name.
    pub external_repo_name: String,
}

method! {
    /// A buildroot.
    GetBuildroot = "getBuildroot", Anonymous, Read => Option<Buildroot> {
        /// Which.
        buildroot_id "buildrootID": BuildrootId = required,
        /// A fault when there is none.
        strict "strict": bool = no,
    }

    /// The RPMs in a buildroot.
    GetBuildrootListing = "getBuildrootListing", Anonymous, Read => Vec<BuildrootRpm> {
        /// Which.
        id "id": BuildrootId = required,
    }

    /// Buildroots that fit all conditions.
    ListBuildroots = "listBuildroots", Anonymous, Read => Listing<Buildroot> {
        /// On this host.
        host_id "hostID": Option<Ref<HostId>> = nil,
        /// From this tag's repos.
        tag_id "tagID": Option<Ref<TagId>> = nil,
        /// In this state, or one of these.
        state "state": Option<OneOrMany<BuildrootState>> = nil,
        /// With this RPM in it.
        rpm_id "rpmID": Option<RpmId> = nil,
        /// With this archive in it.
        archive_id "archiveID": Option<ArchiveId> = nil,
        /// Of this task.
        task_id "taskID": Option<TaskId> = nil,
        /// Only this one, or these.
        buildroot_id "buildrootID": Option<OneOrMany<BuildrootId>> = nil,
        /// From this repo.
        repo_id "repoID": Option<RepoId> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
    }
}
