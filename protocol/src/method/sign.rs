//! Signing with keys that tags name (`sign.key`). Koji does not sign; these are ours.

use super::method;
use crate::{
    id::{BuildId, Ref, RepoId, RpmId, TagId},
    method::build::BuildRef,
    time::Time,
};

/// A key's public half.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct SigningKey {
    /// What signatures are found by (`queryRPMSigs`): the last 8 hex digits of the fingerprint.
    pub sigkey: String,
    /// The fingerprint, in hex.
    pub fingerprint: String,
    /// In armor, for `rpm --import`.
    pub public_key: String,
}

/// A build that is to be signed.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct UnsignedBuild {
    /// The tag whose key it is.
    pub tag_id: TagId,
    /// Its name.
    pub tag_name: String,
    /// The build.
    pub build_id: BuildId,
    /// Its name-version-release.
    pub nvr: String,
    /// Who tagged it, or asked.
    pub user_name: String,
    /// When.
    pub create_time: Time,
    /// Attempts that failed.
    pub attempts: i32,
    /// When it is tried again.
    pub due_time: Time,
    /// Why the last attempt failed.
    pub problem: Option<String>,
}

/// A signature that was made.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct LoggedSignature {
    /// Its number: they only grow.
    pub id: i64,
    /// The key, as the tag names it.
    pub key: String,
    /// The key's fingerprint, in hex.
    pub fingerprint: String,
    /// Who tagged the build, or asked for the repo; nil = the hub itself.
    pub user_name: Option<String>,
    /// The tag whose key it is.
    pub tag_name: String,
    /// The RPM that was signed; nil = a repo.
    pub rpm_id: Option<RpmId>,
    /// The repo whose `repomd.xml` was signed; nil = an RPM.
    pub repo_id: Option<RepoId>,
    /// The RPM's file name, or the path of the `repomd.xml` in its repo.
    pub name: String,
    /// SHA-256 of what was signed, in hex: the RPM's header, or the `repomd.xml`.
    pub digest: String,
    /// When.
    pub sign_time: Time,
}

method! {
    /// The public half of the key that a tag names, as its own or inherited.
    GetSigningKey = "sign.key", Anonymous, Outside => SigningKey {
        /// The tag.
        tag "tag": Ref<TagId> = required,
    }

    /// Has a build signed that a tag holds already, with the tag's key.
    SignTaggedBuild = "sign.build", Permission("sign"), Write => () {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// The build.
        build "build": BuildRef = required,
    }

    /// Builds that wait to be signed, those that have failed first.
    ListUnsigned = "sign.pending", Permission("sign"), Read => Vec<UnsignedBuild> {
        /// Only with the key of this tag.
        tag "tag": Option<Ref<TagId>> = nil,
        /// At the most so many; 1000 is the most.
        limit "limit": i64 = int 100,
    }

    /// Signatures that were made, newest first.
    ListSignatures = "sign.log", Permission("admin"), Read => Vec<LoggedSignature> {
        /// Only of this RPM.
        rpm_id "rpm_id": Option<RpmId> = nil,
        /// Only of this repo.
        repo_id "repo_id": Option<RepoId> = nil,
        /// Only those with a smaller number.
        before_id "before_id": Option<i64> = nil,
        /// At the most so many; 1000 is the most.
        limit "limit": i64 = int 100,
    }
}
