//! RPMs.

use super::{Listing, Named, QueryOpts, method};
pub use crate::state::{ChecksumType, DepType};
use crate::{
    id::{BuildId, BuildrootId, ExternalRepoId, HostId, RpmId, TaskId},
    method::build::{BuildRef, When},
    value::Value,
};

/// An RPM named by id, by file name, or by a struct.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "expected an RPM: its id, its name-version-release.arch, or a struct with either")]
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
        /// The external repo that it is from.
        #[serde(default)]
        location: Option<String>,
    },
}

impl RpmRef {
    /// The external repo that is named.
    pub fn location(&self) -> Option<&str> {
        match self {
            RpmRef::Info { location, .. } => location.as_deref(),
            RpmRef::Id(_) | RpmRef::Nvra(_) => None,
        }
    }
}

impl std::fmt::Display for RpmRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RpmRef::Id(id) | RpmRef::Info { id: Some(id), .. } => id.fmt(f),
            RpmRef::Nvra(nvra) => write!(f, "'{nvra}'"),
            RpmRef::Info { name, version, release, arch, .. } => {
                let part = |part: &Option<String>| part.clone().unwrap_or_default();
                write!(f, "'{}-{}-{}.{}'", part(name), part(version), part(release), part(arch))
            }
        }
    }
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
    /// In a buildroot's list: that buildroot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_buildroot_id: Option<BuildrootId>,
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

/// One dependency.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct RpmDep {
    /// A capability, a path, or a rich dependency in parentheses.
    pub name: String,
    /// `[epoch:]version[-release]`; empty where any will do.
    pub version: String,
    /// rpm's dependency flags.
    pub flags: i64,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: DepType,
}

/// A file in an RPM.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct RpmFileInfo {
    /// Its path.
    pub name: String,
    /// Its digest, hex; empty for what is no plain file.
    pub digest: String,
    /// Bytes.
    pub size: i64,
    /// rpm's file flags.
    pub flags: i64,
    /// How the digest was made: `sha256`, in old RPMs `md5`.
    pub digest_algo: String,
    /// Its owner's name.
    pub user: String,
    /// Its group's name.
    pub group: String,
    /// Its last change, in seconds.
    pub mtime: i64,
    /// Its kind and permissions.
    pub mode: i64,
    /// The digest, under its old name.
    pub md5: String,
}

/// A file in an RPM, or nothing.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct FoundRpmFile {
    /// The RPM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpm_id: Option<RpmId>,
    /// The file.
    #[serde(flatten)]
    pub file: Option<RpmFileInfo>,
}

/// An entry of a changelog.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ChangelogEntry {
    /// Its day, at noon, without a zone.
    pub date: String,
    /// Author, address and usually the version.
    pub author: String,
    /// What was changed.
    pub text: String,
    /// The day in seconds.
    pub date_ts: i64,
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
        /// Which fields, in any case; nil = all that it has.
        headers "headers": Option<Vec<String>> = nil,
        /// A fault when there is none.
        strict "strict": bool = no,
    }

    /// What an RPM requires, provides, and so on.
    GetRpmDeps = "getRPMDeps", Anonymous, Outside => Listing<RpmDep> {
        /// Which RPM.
        rpm_id "rpmID": RpmRef = required,
        /// Only dependencies of this kind.
        dep_type "depType": Option<DepType> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
        /// A fault when there is no such RPM, or no file of it.
        strict "strict": bool = no,
    }

    /// The files in an RPM.
    ListRpmFiles = "listRPMFiles", Anonymous, Outside => Listing<RpmFileInfo> {
        /// Which RPM.
        rpm_id "rpmID": RpmRef = required,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
    }

    /// A file in an RPM; an empty struct when there is none.
    GetRpmFile = "getRPMFile", Anonymous, Outside => FoundRpmFile {
        /// Which RPM.
        rpm_id "rpmID": RpmRef = required,
        /// The file's path.
        filename "filename": String = required,
        /// A fault when there is no such RPM, or no such file in it.
        strict "strict": bool = no,
    }

    /// The changelog of a build's source RPM, or of an RPM that a task made; newest first unless sorted otherwise.
    GetChangelogEntries = "getChangelogEntries", Anonymous, Outside => Listing<ChangelogEntry> {
        /// Of this build.
        build_id "buildID": Option<BuildRef> = nil,
        /// Or: the task that made it.
        task_id "taskID": Option<TaskId> = nil,
        /// With `taskID`: the file.
        filepath "filepath": Option<String> = nil,
        /// Only entries of this author.
        author "author": Option<String> = nil,
        /// Only entries from before then.
        before "before": Option<When> = nil,
        /// Only entries from after then.
        after "after": Option<When> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
        /// A fault when there is no source RPM.
        strict "strict": bool = no,
    }

    /// Digests of an RPM's file, by the key that it is signed with (empty: as it was built) and by kind.
    GetRpmChecksums = "getRPMChecksums", Anonymous, Outside => Named {
        /// Which.
        rpm_id "rpm_id": RpmId = required,
        /// `md5`, `sha1`, `sha256`; nil = the first and the last.
        checksum_types "checksum_types": Option<Vec<String>> = nil,
        /// Answer nil for those that were not computed before.
        cacheonly "cacheonly": bool = no,
    }

    /// Keeps a signature of an RPM.
    AddRpmSig = "addRPMSig", Permission("sign"), Outside => () {
        /// Which RPM.
        an_rpm "an_rpm": RpmRef = required,
        /// The signature header of the signed file, in base64.
        data "data": String = required,
    }

    /// Forgets signatures of an RPM, and deletes the signed copies. For emergencies.
    DeleteRpmSig = "deleteRPMSig", Permission("admin"), Outside => () {
        /// Which RPM.
        rpminfo "rpminfo": RpmRef = required,
        /// With this key.
        sigkey "sigkey": Option<String> = nil,
        /// With any key.
        all_sigs "all_sigs": bool = no,
    }

    /// Gives a signature of an RPM, and its signed copy, the id of another key.
    RenameRpmSig = "renameRPMSig", Permission("admin"), Outside => () {
        /// Which RPM.
        rpminfo "rpminfo": RpmRef = required,
        /// The key that it is known by.
        oldkey "oldkey": String = required,
        /// The key that it is to be known by, in hexadecimal digits.
        newkey "newkey": String = required,
    }

    /// Writes the copy of an RPM that carries a signature.
    WriteSignedRpm = "writeSignedRPM", Permission("sign"), Outside => () {
        /// Which RPM.
        an_rpm "an_rpm": RpmRef = required,
        /// The key.
        sigkey "sigkey": String = required,
        /// Anew, although there is one.
        force "force": bool = no,
    }
}
