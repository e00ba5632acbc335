//! Content generators: who brings builds that were made elsewhere, with a description of how.

use std::collections::BTreeMap;

use super::{Named, build::Build, method};
use crate::{
    id::{BuildId, ContentGeneratorId, Ref, UserId},
    value::Value,
};

/// A content generator.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ContentGenerator {
    /// Its id.
    pub id: ContentGeneratorId,
    /// The names of those who may act for it.
    pub users: Vec<String>,
}

/// A name that is reserved.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Reservation {
    /// The build.
    pub build_id: BuildId,
    /// What the import must show.
    pub token: String,
}

method! {
    /// Content generators that somebody may act for, by name.
    ListCgs = "listCGs", Anonymous, Read => BTreeMap<String, ContentGenerator> {}

    /// Lets a user act for a content generator.
    GrantCgAccess = "grantCGAccess", Permission("admin"), Write => () {
        /// The user.
        user "user": Ref<UserId> = required,
        /// The content generator.
        cg "cg": Ref<ContentGeneratorId> = required,
        /// Make one of this name when there is none.
        create "create": bool = no,
    }

    /// Ends that.
    RevokeCgAccess = "revokeCGAccess", Permission("admin"), Write => () {
        /// The user.
        user "user": Ref<UserId> = required,
        /// The content generator.
        cg "cg": Ref<ContentGeneratorId> = required,
    }

    /// Reserves a name for a build that a content generator will bring. The build is BUILDING until then.
    CgInitBuild = "CGInitBuild", LoggedIn, Write => Reservation {
        /// The content generator.
        cg "cg": Ref<ContentGeneratorId> = required,
        /// `name`, `version`, `release`, and perhaps `epoch`, `draft`, `task_id`, `source` and `extra`.
        data "data": Named = required,
    }

    /// Gives a reserved name back.
    CgRefundBuild = "CGRefundBuild", LoggedIn, Write => () {
        /// The content generator.
        cg "cg": Ref<ContentGeneratorId> = required,
        /// The build.
        build_id "build_id": BuildId = required,
        /// What `CGInitBuild` answered.
        token "token": Option<String> = required,
        /// What the build becomes: FAILED or CANCELED.
        state "state": i64 = int 3,
    }

    /// Takes in a build that a content generator has made.
    CgImport = "CGImport", LoggedIn, Outside => Build {
        /// Its description, version 0: a struct, its JSON, or the name of an uploaded JSON file; nil = `metadata.json`.
        metadata "metadata": Value = required,
        /// The folder that its files were uploaded into.
        directory "directory": String = required,
        /// What `CGInitBuild` answered, when the name was reserved.
        token "token": Option<String> = nil,
    }
}
