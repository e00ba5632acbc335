//! How tasks are run: one handler a method. To add one: write `handlers/<method>.rs` and name it in [`all`].

use async_trait::async_trait;
use serde::Serialize;
use toji_protocol::value::{Value, to_value};

use crate::{context::TaskContext, failure::TaskError};

mod build_arch;
mod build_srpm_from_scm;
mod rebuild_srpm;
mod restart;
mod runroot;
mod save_failed_tree;
mod sleep;
mod source;
mod subtask;

/// Runs tasks of one method.
#[async_trait]
pub(crate) trait TaskHandler: Send + Sync {
    /// The method.
    fn method(&self) -> &'static str;

    /// Runs a task. Answers its result. Stopping a task drops this future; what it has started is then killed, and its
    /// folder deleted.
    async fn run(&self, ctx: &TaskContext) -> Result<Value, TaskError>;
}

/// The handlers of this builder.
#[derive(Clone, Copy)]
pub(crate) struct Registry(&'static [&'static dyn TaskHandler]);

/// All handlers.
pub(crate) fn all() -> Registry {
    Registry(&[
        &build_arch::BuildArch,
        &build_srpm_from_scm::BuildSrpmFromScm,
        &rebuild_srpm::RebuildSrpm,
        &sleep::Sleep,
        &sleep::Default,
        &subtask::Fork,
        &subtask::WaitTest,
        &subtask::Nested,
        &runroot::RunRoot,
        &save_failed_tree::SaveFailedTree,
        &restart::Restart,
        &restart::RestartVerify,
    ])
}

impl Registry {
    /// The methods that there are handlers for.
    pub(crate) fn methods(self) -> Vec<String> {
        self.0.iter().map(|handler| handler.method().to_owned()).collect()
    }

    /// The handler of a method.
    pub(crate) fn find(self, method: &str) -> Option<&'static dyn TaskHandler> {
        self.0.iter().copied().find(|handler| handler.method() == method)
    }
}

/// A result as it is sent.
fn answer<T: Serialize>(result: &T) -> Result<Value, TaskError> {
    to_value(result).map_err(|error| TaskError::Request(error.into()))
}

#[cfg(test)]
mod tests;
