//! Volumes: where builds' files are kept. Each stands for a storage class of S3.

use super::{build::BuildRef, method};
use crate::id::{Ref, VolumeId};

/// A volume.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Volume {
    /// Its id.
    pub id: VolumeId,
    /// Its name.
    pub name: String,
}

method! {
    /// Volumes.
    ListVolumes = "listVolumes", Anonymous, Read => Vec<Volume> {}

    /// A volume.
    GetVolume = "getVolume", Anonymous, Read => Option<Volume> {
        /// Which.
        volume "volume": Ref<VolumeId> = required,
        /// A fault when there is none.
        strict "strict": bool = no,
    }

    /// Adds a volume.
    AddVolume = "addVolume", Permission("admin"), Write => Volume {
        /// Its name.
        name "name": String = required,
        /// A fault when there is one of this name; otherwise that one is answered.
        strict "strict": bool = yes,
    }

    /// Sets the storage class of S3 that a volume stands for: a new one's is STANDARD. What lies there already is not rewritten.
    SetStorageClass = "volume.setStorageClass", Permission("admin"), Write => () {
        /// Which.
        volume "volume": Ref<VolumeId> = required,
        /// STANDARD, STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING or GLACIER_IR.
        storage_class "storage_class": String = required,
    }

    /// Removes a volume that no build is on.
    RemoveVolume = "removeVolume", Permission("admin"), Write => () {
        /// Which.
        volume "volume": Ref<VolumeId> = required,
    }

    /// Moves a build's files to another volume.
    ChangeBuildVolume = "changeBuildVolume", Permission("admin"), Outside => () {
        /// Which build.
        build "build": BuildRef = required,
        /// Where to.
        volume "volume": Ref<VolumeId> = required,
        /// A fault when it is there already.
        strict "strict": bool = yes,
    }

    /// Moves a build's files to the volume that the policy wants for it.
    ApplyVolumePolicy = "applyVolumePolicy", Permission("admin"), Outside => () {
        /// Which build.
        build "build": BuildRef = required,
        /// A fault when the policy names none; otherwise the build stays where it is.
        strict "strict": bool = no,
    }
}
