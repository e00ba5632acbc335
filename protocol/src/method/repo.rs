//! Repos and requests for them.

use super::{Clauses, Listing, Named, OneOrMany, QueryOpts, method, task::TaskInfo};
use crate::{
    id::{BuildrootId, EventId, HostId, Ref, RepoId, RepoRequestId, TagId, TaskId, UserId},
    state::{BuildrootState, RepoState, TaskState},
    time::Time,
    value::Value,
};

/// What is put into a repo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct RepoOpts {
    /// Source RPMs, beside the others.
    pub src: bool,
    /// Kept for Koji's sake: Maven is not offered.
    pub maven: bool,
    /// Debug RPMs.
    pub debuginfo: bool,
    /// Source RPMs, in a folder of their own.
    pub separate_src: bool,
}

/// A repo.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Repo {
    /// The tag's last change that it contains.
    pub begin_event: Option<EventId>,
    /// When that was, in seconds.
    pub begin_ts: Option<f64>,
    /// The event that it shows.
    pub create_event: EventId,
    /// When that was, in seconds.
    pub create_ts: f64,
    /// When it was begun.
    pub creation_time: Time,
    /// The same, in seconds.
    pub creation_ts: f64,
    /// Those of its options that differ from the tag's.
    pub custom_opts: Value,
    /// It is a dist repo.
    pub dist: bool,
    /// The tag's first change after it; nil = it is current.
    pub end_event: Option<EventId>,
    /// When that was, in seconds.
    pub end_ts: Option<f64>,
    /// Its id.
    pub id: RepoId,
    /// What was put into it.
    pub opts: Value,
    /// Its state.
    pub state: RepoState,
    /// Since when.
    pub state_time: Time,
    /// The same, in seconds.
    pub state_ts: f64,
    /// The tag.
    pub tag_id: TagId,
    /// Its name.
    pub tag_name: String,
    /// The task that makes it.
    pub task_id: Option<TaskId>,
    /// Its state.
    pub task_state: Option<TaskState>,
}

/// A request for a repo.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct RepoRequest {
    /// It still waits.
    pub active: bool,
    /// It wants exactly this event.
    pub at_event: Option<EventId>,
    /// When it was made.
    pub create_time: Time,
    /// The same, in seconds.
    pub create_ts: f64,
    /// Its id.
    pub id: RepoRequestId,
    /// It wants this event or a later one.
    pub min_event: Option<EventId>,
    /// What it wants in the repo.
    pub opts: Value,
    /// Whose it is.
    pub owner: UserId,
    /// Their name.
    pub owner_name: String,
    /// Lower is first.
    pub priority: i32,
    /// The repo that fulfils it.
    pub repo_id: Option<RepoId>,
    /// The tag.
    pub tag_id: TagId,
    /// Its name.
    pub tag_name: String,
    /// The task that makes the repo.
    pub task_id: Option<TaskId>,
    /// Its state.
    pub task_state: Option<TaskState>,
    /// How many tasks were tried.
    pub tries: i32,
    /// Its last change.
    pub update_time: Time,
    /// The same, in seconds.
    pub update_ts: f64,
}

/// What a request answers.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Requested {
    /// A repo that fits already.
    pub repo: Option<Repo>,
    /// Else the request that waits.
    pub request: Option<RepoRequest>,
    /// The request was there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<bool>,
    /// While there is no repo: the task that makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskInfo>,
}

/// A buildroot that a repo fills.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct RepoReference {
    /// When it was made.
    pub create_event: EventId,
    /// Where it is.
    pub host_id: Option<HostId>,
    /// Its id.
    pub id: BuildrootId,
    /// Its state.
    pub state: BuildrootState,
    /// The task that it is for.
    pub task_id: Option<TaskId>,
}

/// An event to wait for: its id, or `"last"`, the tag's last change.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "expected an event or \"last\"")]
pub enum MinEvent {
    /// That event.
    Id(EventId),
    /// `"last"`.
    Last(String),
}

method! {
    /// Asks for a repo. Answers one that fits, or the request that waits for it.
    RequestRepo = "repo.request", LoggedIn, Write => Requested {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// Not older than this; nil = the tag's allowed lag.
        min_event "min_event": Option<MinEvent> = nil,
        /// Exactly as it was then.
        at_event "at_event": Option<EventId> = nil,
        /// `src`, `debuginfo`, `separate_src`, `maven`: what differs from the tag's own.
        opts "opts": Option<Named> = nil,
        /// Added to 20; below zero only for admins.
        priority "priority": Option<i32> = nil,
        /// Make a new one although one fits.
        force "force": bool = no,
    }

    /// A repo that fits, or nil.
    FindRepo = "repo.get", Anonymous, Read => Option<Repo> {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// Not older than this.
        min_event "min_event": Option<MinEvent> = nil,
        /// Exactly as it was then.
        at_event "at_event": Option<EventId> = nil,
        /// What it must contain.
        opts "opts": Option<Named> = nil,
    }

    /// How a request stands.
    CheckRepoRequest = "repo.checkRequest", Anonymous, Read => Requested {
        /// Which.
        req_id "req_id": RepoRequestId = required,
    }

    /// A repo.
    RepoInfo = "repoInfo", Anonymous, Read => Option<Repo> {
        /// Which.
        repo_id "repo_id": RepoId = required,
        /// A fault when there is none.
        strict "strict": bool = no,
    }

    /// A tag's newest repo.
    GetRepo = "getRepo", Anonymous, Read => Option<Repo> {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// In this state; nil = READY.
        state "state": Option<RepoState> = nil,
        /// The newest that was there at this event.
        event "event": Option<EventId> = nil,
        /// A dist repo.
        dist "dist": bool = no,
        /// Not older than this.
        min_event "min_event": Option<EventId> = nil,
    }

    /// Repos that are not deleted.
    GetActiveRepos = "getActiveRepos", Anonymous, Read => Listing<Named> {}

    /// Ends a repo's use.
    RepoExpire = "repoExpire", Permission("repo"), Write => () {
        /// Which.
        repo_id "repo_id": RepoId = required,
    }

    /// Marks a repo whose files are gone. Answers whether a live buildroot still uses it, in which case nothing is done.
    RepoDelete = "repoDelete", Permission("repo"), Write => i64 {
        /// Which.
        repo_id "repo_id": RepoId = required,
    }

    /// Marks a repo as broken.
    RepoProblem = "repoProblem", Permission("repo"), Write => () {
        /// Which.
        repo_id "repo_id": RepoId = required,
    }

    /// Moves a repo's state up; a DELETED one stays so.
    SetRepoState = "repo.setState", Permission("repo"), Write => () {
        /// Which.
        repo_id "repo_id": RepoId = required,
        /// The new state.
        state "state": RepoState = required,
    }

    /// The buildroots that are still in use and that a repo fills.
    RepoReferences = "repo.references", Anonymous, Read => Vec<RepoReference> {
        /// Which.
        repo_id "repo_id": RepoId = required,
    }

    /// Repos. Fields: id, tag_id, tag_name, state, state_time, state_ts, dist, opts, custom_opts, task_id, task_state,
    /// creation_time, creation_ts, and create, begin and end, each as `_event` and `_ts`.
    QueryRepos = "repo.query", Anonymous, Read => Listing<Named> {
        /// Conditions: each `[field, value]` or `[field, operator, value]`.
        clauses "clauses": Option<Clauses> = required,
        /// The fields that are wanted; `**` = all.
        fields "fields": Option<OneOrMany<String>> = nil,
        /// How the list is cut and sorted.
        opts "opts": Option<QueryOpts> = nil,
    }

    /// Requests for repos. Fields: those of a request.
    QueryRepoQueue = "repo.queryQueue", Anonymous, Read => Listing<Named> {
        /// Conditions: each `[field, value]` or `[field, operator, value]`.
        clauses "clauses": Option<Clauses> = nil,
        /// The fields that are wanted; `**` = all.
        fields "fields": Option<OneOrMany<String>> = nil,
        /// How the list is cut and sorted.
        opts "opts": Option<QueryOpts> = nil,
    }

    /// Gives a request for a repo another priority.
    SetRequestPriority = "repo.setRequestPriority", Permission("admin"), Write => () {
        /// Which.
        req_id "req_id": RepoRequestId = required,
        /// The priority itself; lower is first.
        priority "priority": i32 = required,
    }

    /// Asks for repos of the tags whose setting `repo.auto` is true.
    AutoRequests = "repo.autoRequests", Permission("repo"), Write => () {}

    /// Makes tasks for requests that wait, as many as may run at once.
    CheckRepoQueue = "repo.checkQueue", Permission("repo"), Write => () {}

    /// Notes of each repo the first change of its tag after it.
    UpdateEndEvents = "repo.updateEndEvents", Permission("repo"), Write => () {}

    /// Asks for a repo of signed RPMs. Answers the task.
    DistRepo = "distRepo", LoggedIn, Write => TaskId {
        /// The tag.
        tag "tag": Ref<TagId> = required,
        /// The keys; the first that an RPM is signed with counts.
        keys "keys": Vec<Value> = required,
        /// Koji's options: `arch` (a list), `comps`, `delta`, `event`, `inherit`, `latest`, `multilib`, `skip_missing_signatures` …
        task_opts "task_opts": Named = named,
    }
}
