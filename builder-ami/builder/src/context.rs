//! What a handler works with.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use toji_protocol::{
    method::worker::ClaimedTask,
    value::{Map, Value},
    xmlrpc,
};
use tokio::sync::watch;

use crate::{
    buildroot::{Kept, RootCache},
    config::Config,
    failure::{Doing, TaskError},
    handlers::Handlers,
    hub::TaskHub,
    logs::{Shipper, Source, pack, packed_dir},
    process::{Groups, Scope},
    subtask::Waits,
    upload::{NamedFile, upload, upload_with_logs},
};

/// What the hub has told about this host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// What it builds.
    pub arches: Vec<String>,
    /// Where files are read from, without a slash at the end.
    pub topurl: String,
}

/// The builder, as its tasks see it.
#[derive(Debug)]
pub(crate) struct Machine {
    /// What the operator decided.
    pub config: Config,
    /// How tasks are run.
    pub handlers: Handlers,
    /// All processes of this builder.
    pub scope: Scope,
    /// Filled roots.
    pub roots: Arc<RootCache>,
    /// What failed tasks have left.
    pub kept: Arc<Kept>,
    /// Names this life of the builder; the next has another.
    pub life: String,
    /// Set when it is to start anew.
    pub restart: watch::Sender<bool>,
    facts: RwLock<Facts>,
}

impl Machine {
    /// A builder with these settings.
    pub(crate) fn new(config: Config, handlers: Handlers) -> Self {
        let work = config.work_dir();
        let scope = Scope::builder(&config.state_dir, &work);
        let kept = Arc::new(Kept::new(&work, config.failed.clone()));
        let roots = Arc::new(RootCache::new(&work, config.kept_roots, Arc::clone(&kept)));
        let life = hex::encode(rand::random::<[u8; 8]>());
        Self {
            config,
            handlers,
            scope,
            roots,
            kept,
            life,
            restart: watch::Sender::new(false),
            facts: RwLock::default(),
        }
    }

    /// The same, with control groups for its tasks; without any, with the limit that there is instead.
    pub(crate) fn grouped(mut self, groups: Option<Arc<Groups>>) -> Self {
        self.scope = match groups {
            Some(groups) => self.scope.grouped(&groups),
            None => self.scope.with_most_of_user(self.config.limits.processes),
        };
        self
    }

    /// What the hub has told about this host.
    pub(crate) fn facts(&self) -> Facts {
        self.facts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what the hub tells; the operator's own top URL comes first.
    pub(crate) fn set_facts(&self, mut facts: Facts) {
        if let Some(topurl) = &self.config.topurl {
            facts.topurl.clone_from(topurl);
        }
        facts.topurl = facts.topurl.trim_end_matches('/').to_owned();
        *self.facts.write().unwrap_or_else(PoisonError::into_inner) = facts;
    }
}

/// One attempt at one task, and what its handler works with.
pub struct TaskContext {
    /// What is to be done.
    pub task: ClaimedTask,
    /// The hub, for this attempt.
    pub(crate) hub: TaskHub,
    /// The builder.
    pub(crate) machine: Arc<Machine>,
    /// The task's own folder. Not there until somebody makes it.
    pub(crate) dir: PathBuf,
    /// The processes of this attempt.
    pub(crate) scope: Scope,
    /// Whether it waits for subtasks.
    pub(crate) waits: Arc<Waits>,
}

impl TaskContext {
    /// For this attempt.
    pub(crate) fn new(task: ClaimedTask, hub: TaskHub, machine: Arc<Machine>, waits: Arc<Waits>) -> Self {
        let name = format!("{}-{}", task.id, task.attempt);
        let dir = machine.config.work_dir().join("tasks").join(&name);
        let scope = machine.scope.task(&name, &dir).metered(hub.meter());
        Self { task, hub, machine, dir, scope, waits }
    }

    /// The arguments by position, and by name.
    pub fn arguments(&self) -> (Vec<Value>, Map) {
        xmlrpc::split_named(self.task.request.clone())
    }

    /// A folder below the task's own, made when it is not there. It is deleted with the task.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn folder(&self, name: &str) -> Result<PathBuf, TaskError> {
        let folder = self.dir.join(name);
        fs::create_dir_all(&folder).doing(|| "making the task's folder".to_owned())?;
        Ok(folder)
    }

    /// Sets the task's share of the host's capacity.
    ///
    /// # Errors
    /// When the hub refuses, or is away for too long.
    pub async fn set_weight(&self, weight: f64) -> Result<(), TaskError> {
        Ok(self.hub.set_weight(weight).await?)
    }

    /// Uploads files of the task. When it returns they are there, whole and verified.
    ///
    /// # Errors
    /// When one cannot be read, does not arrive, or the task is no longer ours.
    pub async fn upload(&self, files: &[NamedFile]) -> Result<(), TaskError> {
        upload(&self.hub, files).await
    }

    /// Does some work, and meanwhile sends what is written to files that end in `.log` in the folder that the work is given. In the
    /// end they are uploaded, whatever the work came to.
    ///
    /// # Errors
    /// The work's; else when a log does not arrive.
    pub async fn with_logs<T, W>(&self, work: impl FnOnce(PathBuf) -> W) -> Result<T, TaskError>
    where
        W: Future<Output = Result<T, TaskError>>,
    {
        let dir = self.folder("logs")?;
        let shipper = self.ship(vec![Source { dir: dir.clone(), prefix: "" }]);
        let outcome = work(dir).await;
        let packed = pack(shipper.finish().await, &packed_dir(self)).await;
        let uploaded = upload_with_logs(&self.hub, &[], &packed).await;
        // What the task itself came to is told first.
        let outcome = outcome?;
        uploaded.map(|()| outcome)
    }

    /// Begins to watch the logs in these folders.
    pub(crate) fn ship(&self, sources: Vec<Source>) -> Shipper {
        let timestamps = self.machine.config.log_timestamps.then(|| self.dir.join("timestamps"));
        Shipper::start(self.hub.clone(), sources, timestamps)
    }
}
