//! RPMs.

use super::{Listing, Named, QueryOpts, method};
use crate::{
    id::{BuildId, BuildrootId, ExternalRepoId, HostId, RpmId, TaskId},
    method::build::BuildRef,
    value::Value,
};

/// An RPM named by id, by file name, or by a struct.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum RpmRef {
    /// By id.
    Id(RpmId),
    /// As name-version-release.arch.
    Nvra(String),
    /// As an earlier answer showed it.
    Info {
        /// Its id, which wins.
        #[serde(default)]
        id: Option<RpmId>,
        /// Its name.
        #[serde(default)]
        name: Option<String>,
        /// Its version.
        #[serde(default)]
        version: Option<String>,
        /// Its release.
        #[serde(default)]
        release: Option<String>,
        /// Its architecture.
        #[serde(default)]
        arch: Option<String>,
    },
}

/// An RPM.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Rpm {
    /// Its architecture.
    pub arch: String,
    /// Its build; nil = it comes from outside.
    pub build_id: Option<BuildId>,
    /// The buildroot it was built in.
    pub buildroot_id: Option<BuildrootId>,
    /// When it was built, in seconds.
    pub buildtime: i64,
    /// Of a draft build.
    pub draft: Option<bool>,
    /// Its epoch.
    pub epoch: Option<i64>,
    /// 0: built here.
    pub external_repo_id: ExternalRepoId,
    /// `INTERNAL`: built here.
    pub external_repo_name: String,
    /// Further facts.
    pub extra: Option<Value>,
    /// Its id.
    pub id: RpmId,
    /// Only its facts are kept, not its file.
    pub metadata_only: bool,
    /// Its name.
    pub name: String,
    /// SIGMD5.
    pub payloadhash: String,
    /// Its release.
    pub release: String,
    /// Bytes.
    pub size: i64,
    /// Its version.
    pub version: String,
    /// In lists: name-version-release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nvr: Option<String>,
    /// In a buildroot's list: installed after the build had begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_update: Option<bool>,
}

/// A signature that is kept for an RPM.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct RpmSig {
    /// The RPM.
    pub rpm_id: RpmId,
    /// The MD5 of its signature header.
    pub sighash: String,
    /// The key; empty = as it was built.
    pub sigkey: String,
}

method! {
    /// An RPM; with `multi`, all of that name.
    GetRpm = "getRPM", Anonymous, Read => Option<super::OneOrMany<Rpm>> {
        /// Which.
        rpminfo "rpminfo": RpmRef = required,
        /// A fault when there is none.
        strict "strict": bool = no,
        /// All that match, as a list.
        multi "multi": bool = no,
    }

    /// RPMs of a build, or in a buildroot.
    ListRpms = "listRPMs", Anonymous, Read => Listing<Rpm> {
        /// Of this build.
        build_id "buildID": Option<BuildRef> = nil,
        /// Built in this buildroot.
        buildroot_id "buildrootID": Option<BuildrootId> = nil,
        /// Images are not offered: finds nothing.
        image_id "imageID": Option<i64> = nil,
        /// Installed in this buildroot.
        component_buildroot_id "componentBuildrootID": Option<BuildrootId> = nil,
        /// Built on this host.
        host_id "hostID": Option<HostId> = nil,
        /// Only this architecture, or one of these.
        arches "arches": Option<super::OneOrMany<String>> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
        /// Only of drafts, or only of others.
        draft "draft": Option<bool> = nil,
    }

    /// RPMs of a build.
    ListBuildRpms = "listBuildRPMs", Anonymous, Read => Vec<Rpm> {
        /// Which.
        build "build": BuildRef = required,
    }

    /// Signatures that are kept.
    QueryRpmSigs = "queryRPMSigs", Anonymous, Read => Listing<RpmSig> {
        /// Of this RPM.
        rpm_id "rpm_id": Option<RpmRef> = nil,
        /// With this key.
        sigkey "sigkey": Option<String> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
    }

    /// Header fields of an RPM, by name: of one that is kept, or one that a task made.
    GetRpmHeaders = "getRPMHeaders", Anonymous, Outside => Named {
        /// Which RPM.
        rpm_id "rpmID": Option<RpmRef> = nil,
        /// Or: the task that made it.
        task_id "taskID": Option<TaskId> = nil,
        /// With `taskID`: the file.
        filepath "filepath": Option<String> = nil,
        /// Which fields, in any case.
        headers "headers": Option<Vec<String>> = nil,
        /// A fault when there is none.
        strict "strict": bool = no,
    }
}
