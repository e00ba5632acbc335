//! Archives: files of builds that are no RPMs.

use super::{Listing, Named, QueryOpts, method};
use crate::{
    id::{ArchiveId, ArchiveTypeId, BtypeId, BuildId, BuildrootId, HostId},
    value::Value,
};

/// An archive.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Archive {
    /// The kind of content that it belongs to: a btype's name.
    pub btype: String,
    /// Its id.
    pub btype_id: BtypeId,
    /// Its build.
    pub build_id: BuildId,
    /// The buildroot it was made in.
    pub buildroot_id: Option<BuildrootId>,
    /// Its digest, in hex.
    pub checksum: String,
    /// What digest that is: MD5 0, SHA-1 1, SHA-256 2.
    pub checksum_type: i64,
    /// How to look into it: `zip`, `tar`; nil = it is not known.
    pub compression_type: Option<String>,
    /// Further facts.
    pub extra: Option<Value>,
    /// Its name.
    pub filename: String,
    /// Its id.
    pub id: ArchiveId,
    /// Only its facts are kept, not its file.
    pub metadata_only: bool,
    /// Bytes.
    pub size: i64,
    /// What such files are.
    pub type_description: String,
    /// How their names end.
    pub type_extensions: String,
    /// What kind of file it is.
    pub type_id: ArchiveTypeId,
    /// That kind's name.
    pub type_name: String,
    /// With `componentBuildrootID`: that buildroot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_buildroot_id: Option<BuildrootId>,
    /// With `componentBuildrootID`: it was there as a dependency of the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<bool>,
    /// With `hostID`: that host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_id: Option<HostId>,
}

/// A kind of file.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ArchiveType {
    /// How to look into it: `zip`, `tar`; nil = it is not known.
    pub compression_type: Option<String>,
    /// What it is.
    pub description: String,
    /// How names of such files end, separated by spaces.
    pub extensions: String,
    /// Its id.
    pub id: ArchiveTypeId,
    /// Its name.
    pub name: String,
}

/// A file within an archive.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ArchivedFile {
    /// The archive.
    pub archive_id: ArchiveId,
    /// Its path in there.
    pub name: String,
    /// Bytes, once unpacked.
    pub size: i64,
    /// Its time, in seconds.
    pub mtime: i64,
    /// In a tarball: its permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<i64>,
    /// In a tarball: its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// In a tarball: its group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

method! {
    /// Archives that fit all conditions.
    ListArchives = "listArchives", Anonymous, Read => Listing<Archive> {
        /// Of this build.
        build_id "buildID": Option<BuildId> = nil,
        /// Made in this buildroot.
        buildroot_id "buildrootID": Option<BuildrootId> = nil,
        /// That were in this buildroot.
        component_buildroot_id "componentBuildrootID": Option<BuildrootId> = nil,
        /// Made on this host.
        host_id "hostID": Option<HostId> = nil,
        /// With this kind of content; `maven`, `win` and `image` find nothing.
        kind "type": Option<String> = nil,
        /// Of this name.
        filename "filename": Option<String> = nil,
        /// Of so many bytes.
        size "size": Option<i64> = nil,
        /// With this digest.
        checksum "checksum": Option<String> = nil,
        /// With this kind of digest: MD5 0, SHA-1 1, SHA-256 2.
        checksum_type "checksum_type": Option<i64> = nil,
        /// For `maven`, `win` and `image`, which are not offered.
        type_info "typeInfo": Option<Named> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
        /// That are parts of this archive.
        image_id "imageID": Option<ArchiveId> = nil,
        /// Only this one.
        archive_id "archiveID": Option<ArchiveId> = nil,
        /// A fault when there are none.
        strict "strict": bool = no,
    }

    /// An archive.
    GetArchive = "getArchive", Anonymous, Read => Option<Archive> {
        /// Which.
        archive_id "archive_id": ArchiveId = required,
        /// A fault when there is none.
        strict "strict": bool = no,
    }

    /// Maven facts of an archive: none are kept.
    GetMavenArchive = "getMavenArchive", Anonymous, Read => Option<Value> {
        /// Which.
        archive_id "archive_id": ArchiveId = required,
        /// A fault when there are none.
        strict "strict": bool = no,
    }

    /// Windows facts of an archive: none are kept.
    GetWinArchive = "getWinArchive", Anonymous, Read => Option<Value> {
        /// Which.
        archive_id "archive_id": ArchiveId = required,
        /// A fault when there are none.
        strict "strict": bool = no,
    }

    /// Image facts of an archive: none are kept.
    GetImageArchive = "getImageArchive", Anonymous, Read => Option<Value> {
        /// Which.
        archive_id "archive_id": ArchiveId = required,
        /// A fault when there are none.
        strict "strict": bool = no,
    }

    /// The files within an archive; none when it is no zip file or tarball.
    ListArchiveFiles = "listArchiveFiles", Anonymous, Outside => Listing<ArchivedFile> {
        /// Which.
        archive_id "archive_id": ArchiveId = required,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
        /// A fault when it cannot be looked into.
        strict "strict": bool = no,
    }

    /// A file within an archive.
    GetArchiveFile = "getArchiveFile", Anonymous, Outside => Option<ArchivedFile> {
        /// The archive.
        archive_id "archive_id": ArchiveId = required,
        /// The file.
        filename "filename": String = required,
        /// A fault when there is none.
        strict "strict": bool = no,
    }

    /// The kinds of files that archives may be.
    GetArchiveTypes = "getArchiveTypes", Anonymous, Read => Vec<ArchiveType> {}

    /// The kind of file of an id, a name, or a file's name.
    GetArchiveType = "getArchiveType", Anonymous, Read => Option<ArchiveType> {
        /// A file's name, whose longest known ending counts.
        filename "filename": Option<String> = nil,
        /// The kind's name.
        type_name "type_name": Option<String> = nil,
        /// The kind's id.
        type_id "type_id": Option<ArchiveTypeId> = nil,
        /// A fault when there is none.
        strict "strict": bool = no,
    }

    /// Adds a kind of file.
    AddArchiveType = "addArchiveType", Permission("admin"), Write => () {
        /// Its name.
        name "name": String = required,
        /// What it is.
        description "description": String = required,
        /// How names of such files end, separated by spaces.
        extensions "extensions": String = required,
        /// How to look into it: `zip`, `tar`, or nil.
        compression_type "compression_type": Option<String> = nil,
    }
}
