//! Repos that others serve, and the tags whose repos they are merged into.

use super::{Listing, Named, QueryOpts, method};
use crate::{
    id::{EventId, ExternalRepoId, Ref, TagId},
    value::Value,
};

/// An external repo.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ExternalRepo {
    /// Its id.
    pub id: ExternalRepoId,
    /// Its name.
    pub name: String,
    /// Its base URL; `$arch` stands for the architecture.
    pub url: String,
}

/// An external repo as it is attached to a tag.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct TagExternalRepo {
    /// Only for these architectures; nil = all of the tag's.
    pub arches: Option<String>,
    /// The repo.
    pub external_repo_id: ExternalRepoId,
    /// Its name.
    pub external_repo_name: String,
    /// `koji`, `simple` or `bare`.
    pub merge_mode: String,
    /// Lower is first.
    pub priority: i32,
    /// The tag.
    pub tag_id: TagId,
    /// Its name.
    pub tag_name: String,
    /// The repo's base URL.
    pub url: String,
}

method! {
    /// Makes an external repo known.
    CreateExternalRepo = "createExternalRepo", Permission("admin"), Write => ExternalRepo {
        /// Its name.
        name "name": String = required,
        /// Its base URL; `$arch` stands for the architecture.
        url "url": String = required,
    }

    /// External repos.
    ListExternalRepos = "listExternalRepos", Anonymous, Read => Listing<ExternalRepo> {
        /// Only this one.
        info "info": Option<Ref<ExternalRepoId>> = nil,
        /// Only of this URL.
        url "url": Option<String> = nil,
        /// As it was then.
        event "event": Option<EventId> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
    }

    /// An external repo.
    GetExternalRepo = "getExternalRepo", Anonymous, Read => Option<ExternalRepo> {
        /// Which.
        info "info": Ref<ExternalRepoId> = required,
        /// A fault when there is none.
        strict "strict": bool = no,
        /// As it was then.
        event "event": Option<EventId> = nil,
    }

    /// Changes an external repo.
    EditExternalRepo = "editExternalRepo", Permission("admin"), Write => () {
        /// Which.
        info "info": Ref<ExternalRepoId> = required,
        /// Its new name.
        name "name": Option<String> = nil,
        /// Its new URL.
        url "url": Option<String> = nil,
    }

    /// Deletes an external repo and detaches it everywhere.
    DeleteExternalRepo = "deleteExternalRepo", Permission("admin"), Write => () {
        /// Which.
        info "info": Ref<ExternalRepoId> = required,
    }

    /// Attaches an external repo to a tag.
    AddExternalRepoToTag = "addExternalRepoToTag", Permission("tag"), Write => () {
        /// The tag.
        tag_info "tag_info": Ref<TagId> = required,
        /// The repo.
        repo_info "repo_info": Ref<ExternalRepoId> = required,
        /// Lower is first; unique in a tag.
        priority "priority": i32 = required,
        /// `koji`, `simple` or `bare`; all of a tag's must agree.
        merge_mode "merge_mode": String = text "koji",
        /// Only for these architectures.
        arches "arches": Option<String> = nil,
    }

    /// Detaches an external repo from a tag.
    RemoveExternalRepoFromTag = "removeExternalRepoFromTag", Permission("tag"), Write => () {
        /// The tag.
        tag_info "tag_info": Ref<TagId> = required,
        /// The repo.
        repo_info "repo_info": Ref<ExternalRepoId> = required,
    }

    /// Changes how an external repo is attached. Answers whether anything changed.
    EditTagExternalRepo = "editTagExternalRepo", Permission("tag"), Write => bool {
        /// The tag.
        tag_info "tag_info": Ref<TagId> = required,
        /// The repo.
        repo_info "repo_info": Ref<ExternalRepoId> = required,
        /// Its new priority.
        priority "priority": Option<i32> = nil,
        /// Its new mode.
        merge_mode "merge_mode": Option<String> = nil,
        /// Its new architectures; an empty text = all.
        arches "arches": Option<String> = nil,
    }

    /// What is attached where, without inheritance.
    GetTagExternalRepos = "getTagExternalRepos", Anonymous, Read => Vec<TagExternalRepo> {
        /// Only this tag's.
        tag_info "tag_info": Option<Ref<TagId>> = nil,
        /// Only this repo's.
        repo_info "repo_info": Option<Ref<ExternalRepoId>> = nil,
        /// As it was then.
        event "event": Option<EventId> = nil,
    }

    /// The external repos that count for a tag, in the order in which they are merged.
    GetExternalRepoList = "getExternalRepoList", Anonymous, Read => Vec<TagExternalRepo> {
        /// The tag.
        tag_info "tag_info": Ref<TagId> = required,
        /// As it was then.
        event "event": Option<EventId> = nil,
    }

    /// What was noted of an external repo's contents; nil = nothing.
    GetExternalRepoData = "repo.getExternalRepoData", Anonymous, Read => Option<Value> {
        /// Which.
        erepo "erepo": Ref<ExternalRepoId> = required,
    }

    /// Notes what is known of an external repo's contents, as it has changed: the repos of its tags are old then.
    SetExternalRepoData = "repo.setExternalRepoData", Permission("repo"), Write => () {
        /// Which.
        external_repo_id "external_repo_id": Ref<ExternalRepoId> = required,
        /// What is known; kojira notes `max_ts` here.
        data "data": Named = required,
    }
}
