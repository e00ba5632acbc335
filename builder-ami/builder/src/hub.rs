//! What a running task says to the hub. Every write names the task and the attempt, so that a builder that has lost a task
//! changes nothing.

use std::{sync::Arc, time::Duration};

use toji_protocol::{
    client::{Client, ClientError},
    id::{BuildrootId, EventId, Ref, RepoId, TagId, TaskId},
    method::{
        Method,
        build::GetAverageBuildDuration,
        external_repo::{GetExternalRepoList, TagExternalRepo},
        policy::HostEvalPolicy,
        repo::{FindRepo, Repo, RepoInfo},
        tag::{BuildConfig, GetBuildConfig, GetTag, Tag},
        task::GetTaskResult,
        upload::UploadPlan,
        worker::{
            AwaitSubtasks, CloseTask, FailTask, FinishTaskUpload, HandBack, InstalledRpm, Lease, LogUrls, NewBuildroot,
            SetBuildrootList, SetBuildrootState, SetTaskWeight, StartSubtask, StartTaskUpload, SubtaskStates, TaskFile,
            UpdateBuildrootList, UploadedFile,
        },
    },
    state::BuildrootState,
    value::{Map, Value},
};
use tokio::time::{Instant, sleep};

use crate::{logs::Sender, process::Meter, subtask::Subtask};

/// A hub that is away is waited for this long: a build of many hours is worth the patience.
const PATIENCE: Duration = Duration::from_secs(30 * 60);
const PAUSE: Duration = Duration::from_secs(2);

/// Calls a method, and again as long as nobody answers.
///
/// # Errors
/// The hub's fault, or that it was away for too long.
pub(crate) async fn call<M: Method>(client: &Client, method: &M) -> Result<M::Output, ClientError> {
    let begun = Instant::now();
    loop {
        match client.call(method).await {
            Err(error) if error.is_unavailable() && begun.elapsed() < PATIENCE => {
                tracing::warn!(method = M::NAME, %error, "the hub is away; trying on");
                sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

/// The hub, for one attempt at one task. Cheap to clone.
#[derive(Clone)]
pub(crate) struct TaskHub {
    client: Client,
    lease: Lease,
    /// What the task takes.
    meter: Arc<Meter>,
    /// Who sends its logs.
    sender: Arc<Sender>,
}

impl TaskHub {
    /// For this attempt.
    pub(crate) fn new(client: Client, lease: Lease) -> Self {
        Self { client, lease, meter: Arc::default(), sender: Arc::default() }
    }

    /// What the task takes.
    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Who sends the task's logs.
    pub(crate) fn sender(&self) -> &Sender {
        &self.sender
    }

    /// The client itself.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    async fn call<M: Method>(&self, method: M) -> Result<M::Output, ClientError> {
        call(&self.client, &method).await
    }

    /// Ends the task well.
    ///
    /// # Errors
    /// As [`call`]; so for all below.
    pub(crate) async fn close(&self, response: String) -> Result<(), ClientError> {
        let Lease { task_id, attempt } = self.lease;
        self.call(CloseTask { task_id, response, attempt, usage: Some(self.meter.usage()) }).await
    }

    /// Ends the task badly.
    pub(crate) async fn fail(&self, response: String) -> Result<(), ClientError> {
        let Lease { task_id, attempt } = self.lease;
        self.call(FailTask { task_id, response, attempt, usage: Some(self.meter.usage()) }).await
    }

    /// Gives the task back.
    pub(crate) async fn hand_back(&self, reason: &str, refuse: bool) -> Result<(), ClientError> {
        let Lease { task_id, attempt } = self.lease;
        self.call(HandBack { task_id, attempt, reason: reason.to_owned(), refuse }).await
    }

    /// Sets the task's share of the host's capacity.
    pub(crate) async fn set_weight(&self, weight: f64) -> Result<(), ClientError> {
        let Lease { task_id, attempt } = self.lease;
        self.call(SetTaskWeight { task_id, weight, attempt }).await
    }

    /// Seconds that builds of a package took on average in the last so many months; None when none are known.
    pub(crate) async fn average_duration(&self, package: &str, months: i64) -> Result<Option<f64>, ClientError> {
        self.call(GetAverageBuildDuration { package: Ref::from(package), age: Some(months) }).await
    }

    /// Makes a subtask, or finds the one of that label.
    pub(crate) async fn start_subtask(&self, subtask: Subtask) -> Result<TaskId, ClientError> {
        let Lease { task_id, attempt } = self.lease;
        let Subtask { method, arguments, label, opts } = subtask;
        let opts = opts.into_iter().collect();
        self.call(StartSubtask { task_id, attempt, method, arglist: arguments, label, opts }).await
    }

    /// How far subtasks are. Unless all have ended, the task waits from now on.
    pub(crate) async fn await_subtasks(&self, subtasks: &[TaskId]) -> Result<SubtaskStates, ClientError> {
        let Lease { task_id, attempt } = self.lease;
        self.call(AwaitSubtasks { task_id, attempt, subtasks: subtasks.to_vec(), any: false }).await
    }

    /// What a task answered; its fault, when it failed or was cancelled.
    pub(crate) async fn task_result(&self, task_id: TaskId) -> Result<Value, ClientError> {
        self.call(GetTaskResult { task_id, raise_fault: true }).await
    }

    /// URLs for log parts.
    pub(crate) async fn log_urls(&self, first: u32, count: u32) -> Result<Vec<String>, ClientError> {
        let Lease { task_id, attempt } = self.lease;
        self.call(LogUrls { task_id, attempt, first, count }).await
    }

    /// Begins an upload.
    pub(crate) async fn start_upload(&self, files: Vec<TaskFile>) -> Result<Vec<UploadPlan>, ClientError> {
        let Lease { task_id, attempt } = self.lease;
        self.call(StartTaskUpload { task_id, attempt, files }).await
    }

    /// Ends an upload.
    pub(crate) async fn finish_upload(&self, files: Vec<UploadedFile>) -> Result<(), ClientError> {
        let Lease { task_id, attempt } = self.lease;
        self.call(FinishTaskUpload { task_id, attempt, files }).await
    }

    /// Makes a buildroot known.
    pub(crate) async fn new_buildroot(&self, repo: RepoId, arch: &str) -> Result<BuildrootId, ClientError> {
        let Lease { task_id, attempt } = self.lease;
        self.call(NewBuildroot { repo, arch: arch.to_owned(), task_id, attempt }).await
    }

    /// Moves a buildroot on.
    pub(crate) async fn set_buildroot_state(
        &self,
        brootid: BuildrootId,
        state: BuildrootState,
    ) -> Result<(), ClientError> {
        let Lease { task_id, attempt } = self.lease;
        self.call(SetBuildrootState { brootid, state: Value::from(state.name()), task_id, attempt }).await
    }

    /// Records what is in a buildroot before the build.
    pub(crate) async fn set_buildroot_list(
        &self,
        brootid: BuildrootId,
        rpmlist: Vec<InstalledRpm>,
    ) -> Result<(), ClientError> {
        let Lease { task_id, attempt } = self.lease;
        self.call(SetBuildrootList { brootid, rpmlist, task_id, attempt }).await
    }

    /// Records what was in a buildroot after the build.
    pub(crate) async fn update_buildroot_list(
        &self,
        brootid: BuildrootId,
        rpmlist: Vec<InstalledRpm>,
    ) -> Result<(), ClientError> {
        let Lease { task_id, attempt } = self.lease;
        self.call(UpdateBuildrootList { brootid, rpmlist, task_id, attempt }).await
    }

    /// What a policy says; None = nothing.
    pub(crate) async fn policy(&self, name: &str, data: Map) -> Result<Option<String>, ClientError> {
        self.call(HostEvalPolicy { name: name.to_owned(), data }).await
    }

    /// A tag. It must be there.
    pub(crate) async fn tag(&self, tag_info: Ref<TagId>) -> Result<Option<Tag>, ClientError> {
        self.call(GetTag { tag_info, strict: true, event: None, blocked: false }).await
    }

    /// A repo of a tag that will do; None = it has to be waited for.
    pub(crate) async fn current_repo(&self, tag: TagId) -> Result<Option<Repo>, ClientError> {
        self.call(FindRepo { tag: Ref::Id(tag), min_event: None, at_event: None, opts: None }).await
    }

    /// A repo. It must be there.
    pub(crate) async fn repo(&self, repo_id: RepoId) -> Result<Option<Repo>, ClientError> {
        self.call(RepoInfo { repo_id, strict: true }).await
    }

    /// A tag's configuration at an event.
    pub(crate) async fn build_config(&self, tag: TagId, event: EventId) -> Result<Option<BuildConfig>, ClientError> {
        self.call(GetBuildConfig { tag: Ref::Id(tag), event: Some(event) }).await
    }

    /// The external repos of a tag at an event.
    pub(crate) async fn external_repos(&self, tag: TagId, event: EventId) -> Result<Vec<TagExternalRepo>, ClientError> {
        self.call(GetExternalRepoList { tag_info: Ref::Id(tag), event: Some(event) }).await
    }
}
