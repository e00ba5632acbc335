//! How tasks are run: one handler a method. To add one to toji: write `handlers/<method>.rs` and name it in [`Handlers::own`].

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use serde::Serialize;
use thiserror::Error;
use toji_protocol::{
    method::worker::AddedMethod,
    value::{Value, to_value},
};

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

/// Runs tasks of one method. Whoever has a kind of task of their own implements it, and adds it to [`Handlers`].
#[async_trait]
pub trait TaskHandler: Send + Sync {
    /// The method.
    fn method(&self) -> &str;

    /// The share of a host's capacity that such tasks take, unless they say otherwise; None = 1. Only asked of handlers that were
    /// added.
    fn weight(&self) -> Option<f64> {
        None
    }

    /// The channel that such tasks go to, unless they ask for another; None = the hub's policy decides. Only asked of handlers that
    /// were added.
    fn channel(&self) -> Option<&str> {
        None
    }

    /// Runs a task. Answers its result. Stopping a task drops this future; what it has started is then killed, and its
    /// folder deleted. A task may be run again from its beginning, should this machine be lost: what it has done outside must bear
    /// that.
    ///
    /// # Errors
    /// Why the task failed.
    async fn run(&self, ctx: &TaskContext) -> Result<Value, TaskError>;
}

/// The handlers of a builder.
pub struct Handlers(BTreeMap<String, Known>);

struct Known {
    handler: Box<dyn TaskHandler>,
    is_added: bool,
}

/// There is a handler of that method.
#[derive(Debug, Error)]
#[error("there is a handler of the method {0} already")]
pub struct AlreadyHandled(pub String);

impl Handlers {
    /// Those of toji.
    pub fn own() -> Self {
        let own: Vec<Box<dyn TaskHandler>> = vec![
            Box::new(build_arch::BuildArch),
            Box::new(build_srpm_from_scm::BuildSrpmFromScm),
            Box::new(rebuild_srpm::RebuildSrpm),
            Box::new(sleep::Sleep),
            Box::new(sleep::Default),
            Box::new(subtask::Fork),
            Box::new(subtask::WaitTest),
            Box::new(subtask::Nested),
            Box::new(runroot::RunRoot),
            Box::new(save_failed_tree::SaveFailedTree),
            Box::new(restart::Restart),
            Box::new(restart::RestartVerify),
        ];
        let known = |handler: Box<dyn TaskHandler>| (handler.method().to_owned(), Known { handler, is_added: false });
        Self(own.into_iter().map(known).collect())
    }

    /// Adds one.
    ///
    /// # Errors
    /// When its method has one.
    pub fn add(&mut self, handler: impl TaskHandler + 'static) -> Result<(), AlreadyHandled> {
        let method = handler.method().to_owned();
        if self.0.contains_key(&method) || toji_protocol::task::params_of(&method).is_some() {
            return Err(AlreadyHandled(method));
        }
        self.0.insert(method, Known { handler: Box::new(handler), is_added: true });
        Ok(())
    }

    /// The methods that there are handlers for.
    pub(crate) fn methods(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// What the hub is told of those that were added.
    pub(crate) fn added(&self) -> Vec<AddedMethod> {
        let told = |handler: &dyn TaskHandler| AddedMethod {
            method: handler.method().to_owned(),
            weight: handler.weight(),
            channel: handler.channel().map(str::to_owned),
        };
        self.0.values().filter(|known| known.is_added).map(|known| told(known.handler.as_ref())).collect()
    }

    /// The handler of a method.
    pub(crate) fn find(&self, method: &str) -> Option<&dyn TaskHandler> {
        self.0.get(method).map(|known| known.handler.as_ref())
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A result as it is sent.
fn answer<T: Serialize>(result: &T) -> Result<Value, TaskError> {
    to_value(result).map_err(|error| TaskError::Request(error.into()))
}

#[cfg(test)]
mod tests;
