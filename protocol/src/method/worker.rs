//! What a builder says to the hub. Koji's names where it has them; every write for a task names the attempt, too.

use super::{Named, method};
use crate::{
    id::{BuildrootId, ExternalRepoId, HostId, RepoId, TaskId, UserId},
    queue_name::QueueUrls,
    value::Value,
};

/// The version of the host protocol that is spoken here. A change that the version before does not know makes the next one, and the
/// hub still takes builders of the one before: hubs are brought up to date first.
///
/// - 1: the first
/// - 2: `host.attach` tells the methods that were added
pub const PROTOCOL: i64 = 2;

/// A host's identity, which its builder keeps.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Enrolled {
    /// The host.
    pub host_id: HostId,
    /// The user that it is.
    pub user_id: UserId,
    /// Its bearer token from now on. Earlier ones are refused.
    pub token: String,
}

/// A kind of task that an operator has added to a builder.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct AddedMethod {
    /// The method.
    pub method: String,
    /// The share of a host's capacity that such tasks take, unless they say otherwise; nil = 1.
    #[serde(default)]
    pub weight: Option<f64>,
    /// The channel that such tasks go to, unless they ask for another; nil = the policy decides.
    #[serde(default)]
    pub channel: Option<String>,
}

/// What a builder needs to work.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Attached {
    /// The host.
    pub host_id: HostId,
    /// Its name.
    pub name: String,
    /// What it builds.
    pub arches: Vec<String>,
    /// The sum of weights that it takes.
    pub capacity: f64,
    /// Where files are read from, without a slash at the end.
    pub topurl: String,
    /// Its queues and what opens them.
    pub queues: QueueUrls,
    /// Seconds that a lease lasts; renew it three times as often.
    pub lease_seconds: i64,
}

/// A task that is this builder's for as long as it renews the lease.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ClaimedTask {
    /// The task.
    pub id: TaskId,
    /// Which attempt at it this is; every write for the task names it.
    pub attempt: i32,
    /// What is to be done.
    pub method: String,
    /// Its arguments.
    pub request: Vec<Value>,
    /// The architecture it is for.
    pub arch: String,
    /// Its share of the host's capacity.
    pub weight: f64,
    /// Whose it is.
    pub owner: UserId,
    /// Its parent.
    pub parent: Option<TaskId>,
}

/// What is left in the bin that rang.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Left {
    /// Nothing: delete the message.
    Nothing,
    /// More that fits: show the message again at once.
    More,
    /// Only what does not fit this host now: show it again in 5 s.
    Unfit,
}

/// The answer to a claim.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Claim {
    /// The task, if one was free and fits.
    pub task: Option<ClaimedTask>,
    /// What is left in the bin that rang.
    pub left: Left,
}

/// A task that is held, and at which attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Lease {
    /// The task.
    pub task_id: TaskId,
    /// The attempt.
    pub attempt: i32,
}

/// What is to become of a task that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Go on; the lease is renewed.
    Continue,
    /// Stop it: it was cancelled.
    Cancel,
    /// Stop it: it is no longer this builder's. Nothing it writes counts.
    Lost,
}

/// The answer to a heartbeat.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Heartbeat {
    /// An order for each lease, in the order they were named.
    pub orders: Vec<Order>,
    /// Take nothing more, and stop when all is done.
    pub drain: bool,
}

/// What an attempt at a task took. What its builder cannot tell is nil.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct TaskUsage {
    /// Seconds of processors.
    #[serde(default)]
    pub cpu_seconds: Option<f64>,
    /// The most memory that its programs had at once, in bytes, as far as it was looked.
    #[serde(default)]
    pub peak_memory: Option<i64>,
    /// Bytes that its programs read from disk.
    #[serde(default)]
    pub read_bytes: Option<i64>,
    /// Bytes that its programs wrote to disk.
    #[serde(default)]
    pub written_bytes: Option<i64>,
    /// Bytes that were uploaded: files, and live logs.
    #[serde(default)]
    pub uploaded_bytes: Option<i64>,
}

/// How far the subtasks are that a task waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct SubtaskStates {
    /// Those that have ended, well or badly.
    pub finished: Vec<TaskId>,
    /// Those that have not.
    pub unfinished: Vec<TaskId>,
}

/// A file to be uploaded for a task.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct TaskFile {
    /// Its name; no slash, and no dot in front.
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// Its SHA-256, lower-case hex.
    pub sha256: String,
    /// The SHA-256 of each part, lower-case hex; a part is [`super::upload::part_size`] bytes.
    pub parts: Vec<String>,
    /// A log that is sent packed (see `toji_protocol::packed_log`): the bytes of its text. nil = the file is kept as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpacked: Option<i64>,
}

/// A file whose parts have all arrived.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct UploadedFile {
    /// Its name.
    pub name: String,
    /// From the plan.
    pub upload_id: String,
    /// All parts, in order.
    pub parts: Vec<super::upload::UploadedPart>,
}

/// An RPM that is installed in a buildroot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct InstalledRpm {
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
    /// SIGMD5, lower-case hex.
    pub payloadhash: String,
    /// Bytes.
    pub size: i64,
    /// When it was built, in seconds.
    pub buildtime: i64,
    /// The external repo it came from; nil = built here.
    #[serde(default)]
    pub external_repo_id: Option<ExternalRepoId>,
}

method! {
    /// Makes a host known, or takes a known one over, and gives it a token of its own.
    EnrolHost = "enrolHost", Permission("host"), Write => Enrolled {
        /// The host's name.
        name "name": String = required,
        /// What it builds.
        arches "arches": Vec<String> = required,
        /// The channels a new host is put into; nil = `default` and `createrepo`.
        channels "channels": Option<Vec<String>> = nil,
        /// The sum of weights a new host takes; nil = 2.
        capacity "capacity": Option<f64> = nil,
    }

    /// Tells what a builder can do and answers what it needs. Called at its start, and again before its credentials end.
    AttachHost = "host.attach", Host, Outside => Attached {
        /// The task methods it handles.
        methods "methods": Vec<String> = required,
        /// The most tasks it runs at once.
        max_jobs "max_jobs": i32 = int 10,
        /// The version of this protocol that the builder speaks. The hub takes the one before its own, too.
        protocol "protocol": i64 = int 1,
        /// Those of the methods that its operator has added. Since version 2.
        added "added": Option<Vec<AddedMethod>> = nil,
    }

    /// Takes the best free task of any of the host's bins.
    ClaimTask = "host.claim", Host, Write => Claim {
        /// Chosen by the caller: sent again, it is the same claim.
        claim_id "claim_id": String = required,
        /// The bin that rang, as `left` is about it.
        bin "bin": Option<String> = nil,
    }

    /// Renews leases and answers what is to become of each.
    HeartbeatCall = "host.heartbeat", Host, Write => Heartbeat {
        /// Everything the builder holds.
        leases "leases": Vec<Lease> = required,
    }

    /// Gives a task back: it waits for another builder.
    HandBack = "host.handBack", Host, Write => () {
        /// The task.
        task_id "task_id": TaskId = required,
        /// The attempt.
        attempt "attempt": i32 = required,
        /// Why.
        reason "reason": String = required,
        /// Do not offer it to this host again for a while.
        refuse "refuse": bool = no,
    }

    /// Ends a task well.
    CloseTask = "host.closeTask", Host, Write => () {
        /// The task.
        task_id "task_id": TaskId = required,
        /// The result, as an XML-RPC methodResponse.
        response "response": String = required,
        /// The attempt.
        attempt "attempt": i32 = required,
        /// What it took.
        usage "usage": Option<TaskUsage> = nil,
    }

    /// Ends a task badly.
    FailTask = "host.failTask", Host, Write => () {
        /// The task.
        task_id "task_id": TaskId = required,
        /// The fault, as an XML-RPC methodResponse.
        response "response": String = required,
        /// The attempt.
        attempt "attempt": i32 = required,
        /// What it took.
        usage "usage": Option<TaskUsage> = nil,
    }

    /// Sets a task's share of its host's capacity.
    SetTaskWeight = "host.setTaskWeight", Host, Write => () {
        /// The task.
        task_id "task_id": TaskId = required,
        /// The share.
        weight "weight": f64 = required,
        /// The attempt.
        attempt "attempt": i32 = required,
    }

    /// Makes a task below one that this builder holds, for any builder to run. One of that label that is there already is the answer:
    /// so a second attempt meets the subtasks of the first.
    StartSubtask = "host.startSubtask", Host, Write => TaskId {
        /// The task that makes it.
        task_id "task_id": TaskId = required,
        /// The attempt.
        attempt "attempt": i32 = required,
        /// What is to be done: what builders do, or `waitrepo`.
        method "method": String = required,
        /// Its arguments.
        arglist "arglist": Vec<Value> = required,
        /// Its name among the task's subtasks.
        label "label": String = required,
        /// `arch`, `channel`, `priority`, `weight`; without them the parent's, and its method's.
        opts "opts": Named = named,
    }

    /// Waits for subtasks: until enough of them have ended, the task weighs nothing. Its host is told by [`HostOrder::Wake`] to ask
    /// again whenever one ends.
    ///
    /// [`HostOrder::Wake`]: crate::queue_name::HostOrder::Wake
    AwaitSubtasks = "host.awaitSubtasks", Host, Write => SubtaskStates {
        /// The task that waits.
        task_id "task_id": TaskId = required,
        /// The attempt.
        attempt "attempt": i32 = required,
        /// Which subtasks of it.
        subtasks "subtasks": Vec<TaskId> = required,
        /// One that has ended is enough; else it takes all.
        any "any": bool = no,
    }

    /// Tells that a builder has ended, and will not come back before it attaches again.
    DetachHost = "host.detach", Host, Write => () {
        /// Why.
        reason "reason": String = required,
    }

    /// URLs for the next numbered log parts of a task, to be PUT in order.
    LogUrls = "host.logUrls", Host, Outside => Vec<String> {
        /// The task.
        task_id "task_id": TaskId = required,
        /// The attempt.
        attempt "attempt": i32 = required,
        /// The first part's number, from 1.
        first "first": u32 = required,
        /// How many; 100 at the most.
        count "count": u32 = required,
    }

    /// Begins the upload of a task's files. Answers a plan for each.
    StartTaskUpload = "host.startUpload", Host, Outside => Vec<super::upload::UploadPlan> {
        /// The task.
        task_id "task_id": TaskId = required,
        /// The attempt.
        attempt "attempt": i32 = required,
        /// The files.
        files "files": Vec<TaskFile> = required,
    }

    /// Ends the upload of a task's files: each is there, whole, or a fault says what is wrong.
    FinishTaskUpload = "host.finishUpload", Host, Outside => () {
        /// The task.
        task_id "task_id": TaskId = required,
        /// The attempt.
        attempt "attempt": i32 = required,
        /// The files.
        files "files": Vec<UploadedFile> = required,
    }

    /// Makes a buildroot known.
    NewBuildroot = "host.newBuildRoot", Host, Write => BuildrootId {
        /// The repo that fills it.
        repo "repo": RepoId = required,
        /// Its architecture.
        arch "arch": String = required,
        /// The task that runs in it.
        task_id "task_id": TaskId = required,
        /// The attempt.
        attempt "attempt": i32 = required,
    }

    /// Moves a buildroot on.
    SetBuildrootState = "host.setBuildRootState", Host, Write => () {
        /// Which.
        brootid "brootid": BuildrootId = required,
        /// A state's number or name.
        state "state": Value = required,
        /// Its task.
        task_id "task_id": TaskId = required,
        /// The attempt.
        attempt "attempt": i32 = required,
    }

    /// Records what is in a buildroot before the build.
    SetBuildrootList = "host.setBuildRootList", Host, Write => () {
        /// Which.
        brootid "brootid": BuildrootId = required,
        /// All of it.
        rpmlist "rpmlist": Vec<InstalledRpm> = required,
        /// Its task.
        task_id "task_id": TaskId = required,
        /// The attempt.
        attempt "attempt": i32 = required,
    }

    /// Records what was in a buildroot after the build; what is new counts as an update.
    UpdateBuildrootList = "host.updateBuildRootList", Host, Write => () {
        /// Which.
        brootid "brootid": BuildrootId = required,
        /// All of it.
        rpmlist "rpmlist": Vec<InstalledRpm> = required,
        /// Its task.
        task_id "task_id": TaskId = required,
        /// The attempt.
        attempt "attempt": i32 = required,
    }
}
