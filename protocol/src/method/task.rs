//! Tasks, as their owners and watchers see them.

use std::collections::BTreeMap;

use super::{Listing, Named, OneOrMany, QueryOpts, method, worker::TaskUsage};
use crate::{
    id::{BuildrootId, ChannelId, HostId, Ref, TagId, TaskId, UserId},
    state::{TaskState, UserType},
    time::Time,
    value::Value,
};

/// A task.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct TaskInfo {
    /// The architecture it is for.
    pub arch: String,
    /// Its parent waits for it.
    pub awaited: Option<bool>,
    /// The channel it is in.
    pub channel_id: ChannelId,
    /// When it ended.
    pub completion_time: Option<Time>,
    /// The same, in seconds.
    pub completion_ts: Option<f64>,
    /// When it was made.
    pub create_time: Time,
    /// The same, in seconds.
    pub create_ts: f64,
    /// The host that runs or ran it.
    pub host_id: Option<HostId>,
    /// Its id.
    pub id: TaskId,
    /// Its name among its parent's children.
    pub label: Option<String>,
    /// What is to be done.
    pub method: String,
    /// Whose it is.
    pub owner: UserId,
    /// The task that made it.
    pub parent: Option<TaskId>,
    /// Lower runs first.
    pub priority: i32,
    /// When it was opened.
    pub start_time: Option<Time>,
    /// The same, in seconds.
    pub start_ts: Option<f64>,
    /// Its state.
    pub state: TaskState,
    /// It waits for its children.
    pub waiting: Option<bool>,
    /// Its share of a host's capacity.
    pub weight: f64,
    /// Its arguments, where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Vec<Value>>,
}

/// A task in a list.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ListedTask {
    /// The task.
    #[serde(flatten)]
    pub task: TaskInfo,
    /// Its owner's name.
    pub owner_name: String,
    /// What kind of user that is.
    pub owner_type: UserType,
    /// What it answered, where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

/// A file's size and time.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct FileStat {
    /// Bytes, as a text.
    pub st_size: String,
    /// Last change, in seconds.
    pub st_mtime: f64,
}

/// What an attempt at a task took.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct AttemptUsage {
    /// Which attempt.
    pub attempt: i32,
    /// Who ran it.
    pub host_id: HostId,
    /// How it ended: `closed` or `failed`.
    pub outcome: String,
    /// From its claim to its end.
    pub seconds: f64,
    /// What it took.
    #[serde(flatten)]
    pub usage: TaskUsage,
}

method! {
    /// Makes a task of any kind.
    MakeTask = "makeTask", Permission("admin"), Write => TaskId {
        /// What is to be done.
        method "method": String = required,
        /// Its arguments.
        arglist "arglist": Vec<Value> = required,
        /// `arch`, `channel`, `priority` (absolute), `label`, `parent`, `assign` (a host's name), `owner`.
        opts "opts": Named = named,
    }

    /// Asks for a command to be run in a chroot that is filled from a tag's repo.
    RunRoot = "runroot", Permission("runroot"), Write => TaskId {
        /// The tag.
        tag_info "tagInfo": Ref<TagId> = required,
        /// The architecture; `noarch` = any that the tag and the channel have.
        arch "arch": String = required,
        /// A line for the shell, or a list: the command and its arguments.
        command "command": Value = required,
        /// The channel; nil = `runroot`.
        channel "channel": Option<String> = nil,
        /// What the builder is told besides: `packages`, `mounts`, `repo_id`, `keep`, `weight`, `upload_logs` …
        opts "opts": Named = named,
    }

    /// Asks for what a failed task has left in its buildroot. For the task's owner, and admins.
    SaveFailedTree = "saveFailedTree", LoggedIn, Write => TaskId {
        /// The buildroot.
        buildroot_id "buildrootID": BuildrootId = required,
        /// The whole chroot, not only the folder that the build ran in.
        full "full": bool = no,
        /// What the builder is told besides.
        opts "opts": Named = named,
    }

    /// A task, or several.
    GetTaskInfo = "getTaskInfo", Anonymous, Read => OneOrMany<Option<TaskInfo>> {
        /// Which.
        task_id "task_id": OneOrMany<TaskId> = required,
        /// Tell its arguments.
        request "request": bool = no,
        /// A fault when there is none.
        strict "strict": bool = no,
    }

    /// A task's children.
    GetTaskChildren = "getTaskChildren", Anonymous, Read => Vec<TaskInfo> {
        /// Whose.
        task_id "task_id": TaskId = required,
        /// Tell their arguments.
        request "request": bool = no,
        /// A fault when there is no such task.
        strict "strict": bool = no,
    }

    /// All tasks below one: for each task's id, as a text, its children.
    GetTaskDescendents = "getTaskDescendents", Anonymous, Read => BTreeMap<String, Vec<TaskInfo>> {
        /// Whose.
        task_id "task_id": TaskId = required,
        /// Tell their arguments.
        request "request": bool = no,
    }

    /// What the attempts at a task took, in order: those that ended and whose builder told. Not in Koji.
    GetTaskUsage = "getTaskUsage", Anonymous, Read => Vec<AttemptUsage> {
        /// Which.
        task_id "task_id": TaskId = required,
    }

    /// A task's arguments.
    GetTaskRequest = "getTaskRequest", Anonymous, Read => Option<Vec<Value>> {
        /// Which.
        task_id "taskId": TaskId = required,
    }

    /// What a task answered. A fault when it has not ended, or failed.
    GetTaskResult = "getTaskResult", Anonymous, Read => Value {
        /// Which.
        task_id "taskId": TaskId = required,
        /// Answer a failed task's fault as a fault; else as a struct.
        raise_fault "raise_fault": bool = yes,
    }

    /// Whether a task has ended.
    TaskFinished = "taskFinished", Anonymous, Read => bool {
        /// Which.
        task_id "taskId": TaskId = required,
    }

    /// Tasks that fit all of `opts`: owner, method, state (list), channel_id, host_id, arch (list), parent, decode,
    /// not_decoded, createdBefore/After, startedBefore/After, completeBefore/After.
    ListTasks = "listTasks", Anonymous, Read => Listing<ListedTask> {
        /// The conditions.
        opts "opts": Option<Named> = nil,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
    }

    /// Makes a new task like one that failed or was cancelled.
    ResubmitTask = "resubmitTask", LoggedIn, Write => TaskId {
        /// Which.
        task_id "taskID": TaskId = required,
    }

    /// Gives a task to one host. Answers whether it could.
    AssignTask = "assignTask", Permission("admin"), Write => bool {
        /// Which.
        task_id "task_id": TaskId = required,
        /// To whom.
        host "host": Ref<HostId> = required,
        /// Take it from a host that has it.
        force "force": bool = no,
        /// Do not mind the host's channels and load.
        override_checks "override": bool = no,
    }

    /// Takes a task from its host; it waits again.
    FreeTask = "freeTask", Permission("admin"), Write => () {
        /// Which.
        task_id "task_id": TaskId = required,
    }

    /// Cancels a task and what is below it.
    CancelTask = "cancelTask", LoggedIn, Write => () {
        /// Which.
        task_id "task_id": TaskId = required,
        /// Its children, too.
        recurse "recurse": bool = yes,
    }

    /// Cancels the whole tree that a task is in.
    CancelTaskFull = "cancelTaskFull", LoggedIn, Write => () {
        /// Which.
        task_id "task_id": TaskId = required,
        /// A fault when the task is not its top.
        strict "strict": bool = yes,
    }

    /// Cancels what is below a task.
    CancelTaskChildren = "cancelTaskChildren", LoggedIn, Write => () {
        /// Whose.
        task_id "task_id": TaskId = required,
    }

    /// Sets a task's priority.
    SetTaskPriority = "setTaskPriority", Permission("admin"), Write => () {
        /// Which.
        task_id "task_id": TaskId = required,
        /// Lower runs first.
        priority "priority": i32 = required,
        /// Its children's, too.
        recurse "recurse": bool = yes,
    }

    /// The files of a task's last attempt: names, or a struct by name with `stat` or `all_volumes`.
    ListTaskOutput = "listTaskOutput", Anonymous, Outside => Value {
        /// Which.
        task_id "taskID": TaskId = required,
        /// Tell sizes and times.
        stat "stat": bool = no,
        /// Tell volumes.
        all_volumes "all_volumes": bool = no,
        /// A fault when there is no such task.
        strict "strict": bool = no,
    }

    /// A piece of a task's file, in base64. Works while the task runs, for its logs.
    DownloadTaskOutput = "downloadTaskOutput", Anonymous, Outside => String {
        /// Which task.
        task_id "taskID": TaskId = required,
        /// Which file.
        file_name "fileName": String = required,
        /// The first byte; below zero counts from the end.
        offset "offset": i64 = int 0,
        /// Bytes at the most; -1 = all.
        size "size": i64 = int -1,
        /// Only the default volume is there.
        volume "volume": Option<String> = nil,
    }

    /// Asks for a repo to be made now. Answers the task.
    NewRepo = "newRepo", LoggedIn, Write => TaskId {
        /// The tag.
        tag "tag": Ref<crate::id::TagId> = required,
        /// As it was then.
        event "event": Option<crate::id::EventId> = nil,
        /// With source RPMs.
        src "src": bool = no,
        /// With debug RPMs.
        debuginfo "debuginfo": bool = no,
        /// With source RPMs in a folder of their own.
        separate_src "separate_src": bool = no,
    }
}
