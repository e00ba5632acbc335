//! What a handler works with.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use toji_protocol::method::worker::ClaimedTask;
use tokio::sync::watch;

use crate::{
    buildroot::{Kept, RootCache},
    config::Config,
    hub::TaskHub,
    process::Scope,
    subtask::Waits,
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
    pub(crate) fn new(config: Config) -> Self {
        let work = config.work_dir();
        let scope = Scope::builder(&config.state_dir, &work);
        let kept = Arc::new(Kept::new(&work, config.failed.clone()));
        let roots = Arc::new(RootCache::new(&work, config.kept_roots, Arc::clone(&kept)));
        let life = hex::encode(rand::random::<[u8; 8]>());
        Self { config, scope, roots, kept, life, restart: watch::Sender::new(false), facts: RwLock::default() }
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

/// One attempt at one task.
pub(crate) struct TaskContext {
    /// What is to be done.
    pub task: ClaimedTask,
    /// The hub, for this attempt.
    pub hub: TaskHub,
    /// The builder.
    pub machine: Arc<Machine>,
    /// The task's own folder. Not there until somebody makes it.
    pub dir: PathBuf,
    /// The processes of this attempt.
    pub scope: Scope,
    /// Whether it waits for subtasks.
    pub waits: Arc<Waits>,
}

impl TaskContext {
    /// For this attempt.
    pub(crate) fn new(task: ClaimedTask, hub: TaskHub, machine: Arc<Machine>, waits: Arc<Waits>) -> Self {
        let name = format!("{}-{}", task.id, task.attempt);
        let dir = machine.config.work_dir().join("tasks").join(&name);
        let scope = machine.scope.task(&name, &dir).metered(hub.meter());
        Self { task, hub, machine, dir, scope, waits }
    }
}
