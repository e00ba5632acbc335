//! The hub, as those see it who call its API.

use std::{path::Path, time::Duration};

use serde_json::{Value as Json, json};
use toji_protocol::{
    client::{Client, ClientError, FileDigest},
    method::upload::{FinishUpload, StartUpload},
    state::{BuildState, RepoState, TaskState},
    value::{Map, Value},
};

use crate::wait::{SOON, until};

/// The hub's API.
#[derive(Clone)]
pub struct Hub {
    /// Who calls.
    pub client: Client,
}

impl Hub {
    /// Calls a method, with an array of arguments by place or an object of named ones.
    ///
    /// # Panics
    /// When the hub refuses.
    pub async fn call(&self, name: &str, arguments: Json) -> Json {
        let shown = arguments.to_string();
        self.ask(name, arguments).await.unwrap_or_else(|error| panic!("{name}({shown}): {error}"))
    }

    /// As [`Hub::call`].
    ///
    /// # Errors
    /// When the hub refuses, or is away.
    pub async fn ask(&self, name: &str, arguments: Json) -> Result<Json, ClientError> {
        let answer = match arguments {
            Json::Array(_) => {
                let arguments: Vec<Value> = serde_json::from_value(arguments).expect("arguments have a form");
                self.client.call_positional(name, &arguments).await?
            }
            _ => {
                let arguments: Map = serde_json::from_value(arguments).expect("arguments have a form");
                self.client.call_named(name, arguments).await?
            }
        };
        Ok(serde_json::to_value(answer).expect("an answer has a form"))
    }

    /// Uploads a file, and answers what a build calls it.
    ///
    /// # Panics
    /// When it does not go well.
    pub async fn upload(&self, file: &Path) -> String {
        let digest = FileDigest::of(file).await.expect("a file can be read");
        let name = file.file_name().and_then(|name| name.to_str()).expect("a file has a name");
        let path = format!("cli-build/{:016x}/{name}", rand::random::<u64>());
        let start = StartUpload { path: path.clone(), size: digest.size, parts: digest.parts };
        let plan = self.client.call(&start).await.expect("an upload begins");
        let parts = self.client.upload_parts(&plan, file, |_| ()).await.expect("parts are sent");
        let finish = FinishUpload { path: path.clone(), upload_id: plan.upload_id, parts };
        self.client.call(&finish).await.expect("an upload ends");
        path
    }

    /// Starts a build for the target `demo`, and answers its task.
    pub async fn build(&self, srpm: &Path, opts: Json) -> i64 {
        let src = self.upload(srpm).await;
        self.call("build", json!({ "src": src, "target": "demo", "opts": opts })).await.as_i64().expect("a task's id")
    }

    /// A task's row.
    pub async fn task(&self, id: i64) -> Json {
        self.call("getTaskInfo", json!({ "task_id": id, "request": true, "strict": true })).await
    }

    /// A task's state.
    pub async fn task_state(&self, id: i64) -> TaskState {
        let number = self.task(id).await["state"].as_i64().expect("a task has a state");
        TaskState::from_number(number).expect("a state that is known")
    }

    /// Waits until a task has ended, and answers how.
    pub async fn ended(&self, id: i64) -> TaskState {
        self.ended_within(id, SOON).await
    }

    /// As [`Hub::ended`], with another patience.
    pub async fn ended_within(&self, id: i64, limit: Duration) -> TaskState {
        until(&format!("the end of task {id}"), limit, async || {
            let state = self.task_state(id).await;
            state.is_final().then_some(state)
        })
        .await
    }

    /// Waits until a task has ended well.
    ///
    /// # Panics
    /// When it has ended otherwise.
    pub async fn closes(&self, id: i64) {
        let state = self.ended(id).await;
        if state != TaskState::Closed {
            panic!("task {id} is {state}: {}", self.fault(id).await);
        }
    }

    /// What a task failed with; empty when it did not.
    pub async fn fault(&self, id: i64) -> String {
        let result = self.call("getTaskResult", json!({ "taskId": id, "raise_fault": false })).await;
        result["faultString"].as_str().unwrap_or_default().to_owned()
    }

    /// A task's child of this method, where there is one.
    pub async fn child(&self, id: i64, method: &str) -> Option<i64> {
        let children = self.call("getTaskChildren", json!([id])).await;
        let children = children.as_array().expect("a list").clone();
        children.iter().find(|child| child["method"] == method).and_then(|child| child["id"].as_i64())
    }

    /// Waits until a task has a child of this method that is in this state, and answers the child.
    pub async fn child_in(&self, id: i64, method: &str, state: TaskState) -> i64 {
        until(&format!("a {method} of task {id} that is {state}"), SOON, async || {
            let child = self.child(id, method).await?;
            (self.task_state(child).await == state).then_some(child)
        })
        .await
    }

    /// A build's row; null when there is none.
    pub async fn get_build(&self, nvr: &str) -> Json {
        self.call("getBuild", json!([nvr])).await
    }

    /// A build's state.
    ///
    /// # Panics
    /// When there is no such build.
    pub async fn build_state(&self, nvr: &str) -> BuildState {
        let state = self.get_build(nvr).await["state"].as_i64().and_then(BuildState::from_number);
        state.unwrap_or_else(|| panic!("there is no build {nvr}"))
    }

    /// The names of a build's RPM files, sorted.
    pub async fn rpms(&self, nvr: &str) -> Vec<String> {
        let rpms = self.call("listRPMs", json!({ "buildID": nvr })).await;
        let name = |rpm: &Json| {
            format!("{}.{}", rpm["nvr"].as_str().unwrap_or_default(), rpm["arch"].as_str().unwrap_or_default())
        };
        let mut names: Vec<String> = rpms.as_array().expect("a list").iter().map(name).collect();
        names.sort();
        names
    }

    /// The name-version-releases in a tag, in the order in which the hub tells them.
    pub async fn tagged(&self, tag: &str) -> Vec<String> {
        let builds = self.call("listTagged", json!([tag])).await;
        builds.as_array().expect("a list").iter().filter_map(|build| build["nvr"].as_str().map(str::to_owned)).collect()
    }

    /// Asks for a repo of a tag that has all that is in it now, and waits until it is ready. Answers its id.
    pub async fn fresh_repo(&self, tag: &str) -> i64 {
        let event = self.call("tagLastChangeEvent", json!([tag])).await;
        let asked = self.call("repo.request", json!({ "tag": tag, "min_event": event })).await;
        if let Some(id) = asked["repo"]["id"].as_i64() {
            return id;
        }
        let request = asked["request"]["id"].clone();
        until(&format!("a repo of {tag}"), SOON, async || {
            let answer = self.call("repo.checkRequest", json!([request])).await;
            let repo = &answer["repo"];
            (repo["state"] == i64::from(RepoState::Ready)).then(|| repo["id"].as_i64())?
        })
        .await
    }

    /// Sees to it that nothing is half-done: no build under way, and no task.
    ///
    /// # Panics
    /// When something is.
    pub async fn assert_quiet(&self) {
        let builds = self.call("listBuilds", json!({ "state": i64::from(BuildState::Building) })).await;
        assert_eq!(builds, json!([]), "builds are under way");
        let live = [TaskState::Free, TaskState::Open, TaskState::Assigned].map(i64::from);
        // Repos are made anew whenever tags change: those tasks belong to nobody's build.
        let tasks = self.call("listTasks", json!({ "opts": { "state": live, "decode": true } })).await;
        let tasks: Vec<&Json> =
            tasks.as_array().expect("a list").iter().filter(|task| task["method"] != "newRepo").collect();
        assert!(tasks.is_empty(), "tasks are under way: {tasks:?}");
    }
}
