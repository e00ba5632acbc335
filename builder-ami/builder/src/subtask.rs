//! Tasks that a task makes, and waits for without weighing anything.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use toji_protocol::{
    client::ClientError,
    id::TaskId,
    value::{Map, Value},
};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use crate::{context::TaskContext, failure::TaskError};

/// The hub says when a subtask has ended; should its word be lost, it is asked this often.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Whether a task waits, and what wakes it.
#[derive(Debug)]
pub(crate) struct Waits {
    is_waiting: AtomicBool,
    woken: Notify,
    /// Who counts the weights of tasks is told.
    changes: watch::Sender<()>,
}

impl Waits {
    /// Of a task that does not wait; changes are told.
    pub(crate) fn new(changes: watch::Sender<()>) -> Self {
        Self { is_waiting: AtomicBool::new(false), woken: Notify::new(), changes }
    }

    /// Whether it waits, and so weighs nothing.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::Relaxed)
    }

    /// A subtask has ended.
    pub(crate) fn wake(&self) {
        self.woken.notify_one();
    }

    fn set(&self, is_waiting: bool) {
        if self.is_waiting.swap(is_waiting, Ordering::Relaxed) != is_waiting {
            self.changes.send_replace(());
        }
    }
}

/// A task to be made below another.
#[derive(Clone, Debug)]
pub struct Subtask {
    /// What is to be done.
    pub method: String,
    /// Its arguments.
    pub arguments: Vec<Value>,
    /// Its name among the task's subtasks: an attempt that comes later meets it by that.
    pub label: String,
    /// `arch`, `channel`, `priority`, `weight`, where they are not the parent's.
    pub opts: Map,
}

impl TaskContext {
    /// Makes a subtask, or finds the one of that label.
    ///
    /// # Errors
    /// When the hub refuses, or is away for too long.
    pub async fn start(&self, subtask: Subtask) -> Result<TaskId, TaskError> {
        Ok(self.hub.start_subtask(subtask).await?)
    }

    /// Waits until all of these have ended. Answers what each answered.
    ///
    /// # Errors
    /// With the first that ended badly, as soon as it did; the others are the hub's to cancel when this task fails.
    pub async fn results(&self, subtasks: &[TaskId]) -> Result<Vec<Value>, TaskError> {
        self.wait(subtasks, |outcome| outcome).await
    }

    /// Waits until all of these have ended, well or badly. Answers what each came to.
    ///
    /// # Errors
    /// When the hub refuses, or is away for too long.
    pub async fn outcomes(&self, subtasks: &[TaskId]) -> Result<Vec<Result<Value, TaskError>>, TaskError> {
        let keep = |outcome| match outcome {
            Err(error @ TaskError::Subtask { .. }) => Ok(Err(error)),
            outcome => outcome.map(Ok),
        };
        self.wait(subtasks, keep).await
    }

    /// Makes a subtask and waits for it. Answers what it answered.
    ///
    /// # Errors
    /// As [`TaskContext::results`].
    pub async fn result_of(&self, subtask: Subtask) -> Result<Value, TaskError> {
        let id = self.start(subtask).await?;
        Ok(self.results(&[id]).await?.pop().unwrap_or(Value::Nil))
    }

    async fn wait<T>(
        &self,
        subtasks: &[TaskId],
        take: impl Fn(Result<Value, TaskError>) -> Result<T, TaskError>,
    ) -> Result<Vec<T>, TaskError> {
        let mut taken: Vec<Option<T>> = subtasks.iter().map(|_| None).collect();
        loop {
            let states = self.hub.await_subtasks(subtasks).await?;
            for (id, taken) in subtasks.iter().zip(&mut taken) {
                if taken.is_none() && states.finished.contains(id) {
                    *taken = Some(take(self.result(*id).await)?);
                }
            }
            if states.unfinished.is_empty() {
                self.waits.set(false);
                return Ok(taken.into_iter().flatten().collect());
            }
            self.waits.set(true);
            let _ = timeout(LOOK_AGAIN, self.waits.woken.notified()).await;
        }
    }

    async fn result(&self, task: TaskId) -> Result<Value, TaskError> {
        self.hub.task_result(task).await.map_err(|error| match error {
            // Its own fault, not one of the question.
            ClientError::Fault { code, message, .. } => TaskError::Subtask { task, code, message },
            error => TaskError::Hub(error),
        })
    }
}
