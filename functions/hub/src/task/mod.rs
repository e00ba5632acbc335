//! Tasks: making them, and every way they change.
//!
//! - [`claim`]: a builder takes the best task that fits it
//! - [`lease`]: it holds it by heartbeats, and ends it
//! - [`cancel`]: somebody stops it, with everything below
//! - [`rescue`]: its builder was lost, or its message was
//! - `added`: kinds of tasks that only builders know
//! - `subtask`: what it runs makes tasks of its own, and waits for them
//! - `chroot`: asking for a command in a chroot, and for what a failed build has left
//! - [`output`]: its files and logs, while it runs and after
//!
//! Every transition is one guarded UPDATE whose row count is the answer. Ancestors are locked before descendants everywhere; a
//! parent's id is smaller than its children's, so rows are locked by id.

mod added;
mod admin;
mod cancel;
mod chroot;
pub mod claim;
pub mod lease;
mod list;
pub mod live_log;
pub mod output;
pub mod rescue;
mod show;
pub(crate) mod sql;
pub(crate) mod subtask;
mod unplaced;

pub use admin::resubmit;
pub use cancel::cancel;
pub(crate) use cancel::cancel_children;
pub(crate) use show::info;
pub use sql::Row as TaskRow;
use toji_protocol::{
    id::{HostId, TaskId, UserId},
    method::task::{
        AssignTask, CancelTask, CancelTaskChildren, CancelTaskFull, DownloadTaskOutput, FreeTask, GetTaskChildren,
        GetTaskDescendents, GetTaskInfo, GetTaskRequest, GetTaskResult, GetTaskUsage, ListTaskOutput, ListTasks,
        MakeTask, ResubmitTask, RunRoot, SaveFailedTree, SetTaskPriority, TaskFinished,
    },
    queue_name::{Advance, Bell, Bin, HostOrder, QueueName},
    state::TaskState,
    task::traits_of,
    value::{Value, from_value},
    xmlrpc,
};

use crate::{
    Error, Result,
    call::{Caller, Cx, Handle, Table},
    callback::tell,
    host, policy, user,
};

/// The priority of a task that nobody has given one; lower runs first.
pub const DEFAULT_PRIORITY: i32 = 20;

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<MakeTask>()
        .add::<RunRoot>()
        .add::<SaveFailedTree>()
        .add::<GetTaskInfo>()
        .add::<GetTaskChildren>()
        .add::<GetTaskDescendents>()
        .add::<GetTaskRequest>()
        .add::<GetTaskResult>()
        .add::<GetTaskUsage>()
        .add::<TaskFinished>()
        .add::<ListTasks>()
        .add::<ResubmitTask>()
        .add::<AssignTask>()
        .add::<FreeTask>()
        .add::<CancelTask>()
        .add::<CancelTaskFull>()
        .add::<CancelTaskChildren>()
        .add::<SetTaskPriority>()
        .add::<ListTaskOutput>()
        .add::<DownloadTaskOutput>();
}

/// A task to be made.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// What is to be done.
    pub method: String,
    /// Its arguments.
    pub request: Vec<Value>,
    /// Whose it is.
    pub owner: UserId,
    /// The task that makes it; must be OPEN.
    pub parent: Option<TaskId>,
    /// Its name among its parent's children: asked for twice, it is the same task.
    pub label: Option<String>,
    /// The architecture it is for.
    pub arch: String,
    /// The channel's name; None = the parent's, or `default`.
    pub channel: Option<String>,
    /// Lower runs first.
    pub priority: i32,
    /// Its share of a host's capacity; None = its method's.
    pub weight: Option<f64>,
    /// Only this host may take it.
    pub assign: Option<HostId>,
}

impl NewTask {
    /// A task of its own.
    pub fn top(method: &str, request: Vec<Value>, owner: UserId) -> Self {
        Self {
            method: method.to_owned(),
            request,
            owner,
            parent: None,
            label: None,
            arch: "noarch".to_owned(),
            channel: None,
            priority: DEFAULT_PRIORITY,
            weight: None,
            assign: None,
        }
    }

    /// A child of `parent`, with its owner and a priority just before it.
    pub fn child(parent: &TaskRow, label: &str, method: &str, request: Vec<Value>) -> Self {
        Self {
            parent: Some(parent.id),
            label: Some(label.to_owned()),
            priority: parent.priority - 1,
            ..Self::top(method, request, parent.owner)
        }
    }
}

/// A priority that is given relative to the default.
///
/// # Errors
/// When it is below zero and the caller is no admin.
pub fn relative_priority(caller: &Caller, given: Option<i32>) -> Result<i32> {
    let given = given.unwrap_or(0);
    if given < 0 && !caller.has_perm("admin") {
        return Err(Error::denied("only admins may create high-priority tasks; give a priority of 0 or more"));
    }
    Ok(DEFAULT_PRIORITY + given)
}

/// Makes a task and rings for it. A child whose label is taken is the one that has it.
///
/// # Errors
/// When there is no such channel, the parent has ended, or a policy says what cannot be done.
pub async fn make(cx: &mut Cx, new: NewTask) -> Result<TaskId> {
    let now = cx.now;
    if new.label.is_some() && new.parent.is_none() {
        return Err(Error::invalid("only children may have a label"));
    }
    if !toji_protocol::arch::is_valid(&new.arch) {
        return Err(Error::parameter(format!("'{}' is no architecture", new.arch)));
    }
    let new = added::as_told(cx, new).await?;
    let (channel, priority) = policy::place(cx, &new).await?;
    let new = NewTask { channel, priority, ..new };
    let (weight, coordinated) = traits_of(&new.method);
    let request = xmlrpc::encode_call(&new.method, &new.request);
    let request = request.map_err(|error| Error::parameter(error.to_string()))?;
    if let Some(parent) = new.parent {
        // who cancels the parent waits until the child is there, or the child is not made
        sql::keep(cx.db().await?, parent).await?;
    }
    let insert = sql::Insert {
        method: &new.method,
        request: String::from_utf8(request).map_err(Error::internal)?,
        coordinated,
        owner: new.owner,
        parent: new.parent,
        label: new.label.as_deref(),
        arch: &new.arch,
        channel: new.channel.as_deref(),
        priority: new.priority,
        weight: new.weight.unwrap_or(weight),
        assign: new.assign,
        now,
    };
    match sql::insert(cx.db().await?, &insert).await? {
        Some((task, channel)) => {
            ring(cx, task, coordinated, new.assign, &Bin::new(channel, &new.arch));
            tell::task_made(cx, &new, task).await?;
            Ok(task)
        }
        None => not_made(cx, &new).await,
    }
}

/// Why nothing was inserted: the label is taken, which is well, or something that was named is not there.
async fn not_made(cx: &mut Cx, new: &NewTask) -> Result<TaskId> {
    if let (Some(parent), Some(label)) = (new.parent, &new.label)
        && let Some(task) = sql::by_label(cx.db().await?, parent, label).await?
    {
        return Ok(task);
    }
    if let Some(parent) = new.parent {
        let row = require(cx, parent).await?;
        if row.state != TaskState::Open {
            return Err(Error::conflict(format!("task {parent} is {}: it makes no more children", row.state)));
        }
    }
    let channel = new.channel.as_deref().unwrap_or("default");
    Err(Error::missing(format!("No such channel: '{channel}', or it is disabled")))
}

/// Tells who is to run a task that it waits.
fn ring(cx: &mut Cx, task: TaskId, coordinated: bool, assign: Option<HostId>, bin: &Bin) {
    match assign {
        _ if coordinated => cx.post(QueueName::Coordinator, &Advance { task }),
        Some(host) => cx.post(QueueName::Host(host), &HostOrder::Claim),
        None => cx.post(QueueName::Bin(bin.clone()), &Bell { bin: bin.clone(), task }),
    }
}

/// Has the coordinator look at a parent again.
pub(crate) fn advance_parent(cx: &mut Cx, parent: Option<TaskId>) {
    if let Some(task) = parent {
        cx.post(QueueName::Coordinator, &Advance { task });
    }
}

/// A task.
///
/// # Errors
/// Koji's fault when there is none.
pub async fn require(cx: &mut Cx, task: TaskId) -> Result<TaskRow> {
    sql::get(cx.db().await?, task).await?.ok_or_else(|| no_such_task(task))
}

pub(crate) fn no_such_task(task: TaskId) -> Error {
    Error::missing(format!("No such task: {task}"))
}

/// A task's arguments.
pub fn decode_request(request: &str) -> Result<Vec<Value>> {
    let call = xmlrpc::decode_call(request.as_bytes());
    Ok(call.map_err(Error::internal)?.params)
}

/// A task's result: its value, or its fault.
pub fn decode_result(result: &str) -> Result<std::result::Result<Value, xmlrpc::Fault>> {
    xmlrpc::decode_response(result.as_bytes()).map_err(Error::internal)
}

/// A priority as it is given to `makeTask`: the stock client sends it as it was typed.
fn priority(value: Value) -> Result<i32> {
    let number = match &value {
        Value::String(text) => text.trim().parse().ok(),
        _ => from_value(value).ok(),
    };
    number.ok_or_else(|| Error::parameter("priority must be a number"))
}

impl Handle for MakeTask {
    async fn handle(self, cx: &mut Cx) -> Result<TaskId> {
        let mut opts = self.opts;
        let owner = match opts.remove("owner") {
            Some(Value::Nil) | None => cx.caller.user()?.id,
            Some(owner) => user::require(cx.db().await?, &from_value(owner)?).await?.id,
        };
        let assign = match opts.remove("assign") {
            Some(Value::Nil) | None => None,
            Some(name) => {
                let name = from_value(name)?;
                let found = host::find(cx.db().await?, &name).await?;
                Some(found.ok_or_else(|| Error::missing(format!("No such host: {name}")))?.id)
            }
        };
        let mut new = NewTask { assign, ..NewTask::top(&self.method, self.arglist, owner) };
        for (name, value) in opts {
            if value.is_nil() {
                continue;
            }
            match name.as_str() {
                "arch" => new.arch = from_value(value)?,
                "channel" => new.channel = Some(from_value(value)?),
                "priority" => new.priority = priority(value)?,
                "parent" => new.parent = Some(from_value(value)?),
                "label" => new.label = Some(from_value(value)?),
                "weight" => new.weight = Some(from_value(value)?),
                other => {
                    return Err(Error::parameter(format!("makeTask() got an unexpected keyword argument '{other}'")));
                }
            }
        }
        make(cx, new).await
    }
}
