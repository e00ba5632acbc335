//! RPMs that were made elsewhere, or by a scratch build, become part of a build.

use super::{Named, build::Build, method};
use crate::id::{BuildId, BuildrootId, ExternalRepoId, Ref, RpmId, TaskId};

/// An RPM that was imported.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ImportedRpm {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its release.
    pub release: String,
    /// Its epoch.
    pub epoch: Option<i64>,
    /// 1: it is a source RPM; nil: it is not.
    pub sourcepackage: Option<i64>,
    /// Its architecture.
    pub arch: String,
    /// When it was built, in seconds.
    pub buildtime: i64,
    /// The file name of its source RPM; nil of a source RPM itself.
    pub sourcerpm: Option<String>,
    /// Of a draft build: never.
    pub draft: bool,
    /// Its id.
    pub id: RpmId,
    /// Its build.
    pub build_id: BuildId,
    /// Bytes.
    pub size: i64,
    /// SIGMD5.
    pub payloadhash: String,
    /// Nobody knows where it was built: nil.
    pub buildroot_id: Option<BuildrootId>,
    /// 0: it is of a build here.
    pub external_repo_id: ExternalRepoId,
    /// Its build, as it was found or made.
    pub build: Build,
    /// nil.
    pub brootid: Option<BuildrootId>,
}

method! {
    /// Takes in an uploaded RPM. A source RPM makes its build if there is none; others join the build of their source RPM.
    ImportRpm = "importRPM", Permission("admin"), Outside => ImportedRpm {
        /// The folder that it was uploaded into.
        path "path": String = required,
        /// Its file name.
        basename "basename": String = required,
    }

    /// Notes an RPM of an external repo.
    AddExternalRpm = "addExternalRPM", Permission("admin"), Write => () {
        /// `name`, `version`, `release`, `epoch`, `arch`, `payloadhash`, `size` and `buildtime`.
        rpminfo "rpminfo": Named = required,
        /// The external repo.
        external_repo "external_repo": Ref<ExternalRepoId> = required,
        /// A fault when it is known; otherwise only when it is known with another payload hash.
        strict "strict": bool = yes,
    }

    /// Adds what a scratch build has made for further architectures to the build of the same source RPM. Answers the build.
    MergeScratch = "mergeScratch", Permission("admin"), Outside => BuildId {
        /// The scratch build's task.
        task_id "task_id": TaskId = required,
    }
}
