//! What a plugin and its builder say to each other: lines of JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use toji_protocol::{
    id::TaskId,
    method::worker::ClaimedTask,
    value::{Map, Value},
};

use crate::{failure::GENERIC, subtask::Subtask};

/// The first line that a plugin hears.
#[derive(Serialize)]
pub(super) struct Begin<'a> {
    pub(super) task: TaskShown<'a>,
    /// By position.
    pub(super) arguments: &'a [Value],
    /// By name.
    pub(super) named: &'a Map,
    pub(super) builder: BuilderShown<'a>,
}

#[derive(Serialize)]
pub(super) struct TaskShown<'a> {
    id: TaskId,
    attempt: i32,
    method: &'a str,
    arch: &'a str,
    weight: f64,
    owner: i64,
    parent: Option<TaskId>,
}

impl<'a> From<&'a ClaimedTask> for TaskShown<'a> {
    fn from(task: &'a ClaimedTask) -> Self {
        Self {
            id: task.id,
            attempt: task.attempt,
            method: &task.method,
            arch: &task.arch,
            weight: task.weight,
            owner: task.owner.0,
            parent: task.parent,
        }
    }
}

#[derive(Serialize)]
pub(super) struct BuilderShown<'a> {
    pub(super) name: &'a str,
    pub(super) arches: &'a [String],
    /// The hub's URL.
    pub(super) server: &'a str,
    /// Where files are read from.
    pub(super) topurl: &'a str,
}

/// What it says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Said {
    /// A line for the log. Not answered.
    Progress(String),
    /// Its share of the host's capacity.
    Weight(f64),
    Subtask(SubtaskSaid),
    Wait(WaitSaid),
    Upload(UploadSaid),
    /// The task's result. Nothing follows.
    Result(Json),
    /// The task has failed. Nothing follows.
    Error(ErrorSaid),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubtaskSaid {
    method: String,
    label: String,
    #[serde(default)]
    arguments: Vec<Json>,
    #[serde(default)]
    named: serde_json::Map<String, Json>,
    arch: Option<String>,
    channel: Option<String>,
    priority: Option<i32>,
    weight: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum WaitSaid {
    For(Vec<TaskId>),
    With { tasks: Vec<TaskId>, canfail: bool },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum UploadSaid {
    File(String),
    As { file: String, name: String },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum ErrorSaid {
    Message(String),
    Fault { message: String, code: i32 },
}

/// What it is answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer<'a> {
    Weight(f64),
    Subtask(TaskId),
    Results(Vec<Ended>),
    Uploaded(&'a str),
}

/// What a subtask came to.
#[derive(Debug, Serialize)]
pub(super) struct Ended {
    pub(super) task: TaskId,
    #[serde(flatten)]
    pub(super) with: EndedWith,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum EndedWith {
    Result(Value),
    Fault { code: i32, message: String },
}

impl SubtaskSaid {
    /// The subtask that it asks for.
    pub(super) fn subtask(self) -> Result<Subtask, String> {
        let mut opts = Map::new();
        for (name, text) in [("arch", self.arch), ("channel", self.channel)] {
            text.map(|text| opts.insert(name, text));
        }
        self.priority.map(|priority| opts.insert("priority", i64::from(priority)));
        self.weight.map(|weight| opts.insert("weight", Value::Double(weight)));
        let arguments = self.arguments.iter().map(value).collect::<Result<_, _>>()?;
        let mut named = Map::new();
        for (name, json) in &self.named {
            named.insert(name.as_str(), value(json)?);
        }
        let arguments = toji_protocol::xmlrpc::join_named(arguments, named);
        Ok(Subtask { method: self.method, arguments, label: self.label, opts })
    }
}

impl WaitSaid {
    /// For which tasks, and whether they may fail.
    pub(super) fn parts(self) -> (Vec<TaskId>, bool) {
        match self {
            Self::For(tasks) => (tasks, false),
            Self::With { tasks, canfail } => (tasks, canfail),
        }
    }
}

impl UploadSaid {
    /// Which file, and its name if it is to have another.
    pub(super) fn parts(self) -> (String, Option<String>) {
        match self {
            Self::File(file) => (file, None),
            Self::As { file, name } => (file, Some(name)),
        }
    }
}

impl ErrorSaid {
    /// The fault's code and message.
    pub(super) fn parts(self) -> (i32, String) {
        match self {
            Self::Message(message) => (GENERIC, message),
            Self::Fault { message, code } => (code, message),
        }
    }
}

/// A value as tasks have it.
pub(super) fn value(json: &Json) -> Result<Value, String> {
    toji_protocol::value::to_value(json).map_err(|error| error.to_string())
}
