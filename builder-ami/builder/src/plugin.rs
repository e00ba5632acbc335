//! Kinds of tasks that an operator adds: a program and a small file that says what it is for. `builder-ami/plugins/README.md` is for
//! who writes one.

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use toji_protocol::value::Value;

use crate::{
    config::Config,
    context::TaskContext,
    failure::{TaskError, with_last_words},
    handlers::{Handlers, TaskHandler},
    process::kill_all,
};

mod conversation;
mod manifest;
mod words;

use conversation::{Conversation, Outcome};
pub use manifest::PluginError;

/// Adds the plugins of the settings' folder that are for a machine like this.
///
/// # Errors
/// What is wrong with one; none is then left out silently.
pub(crate) fn add(handlers: &mut Handlers, config: &Config) -> Result<(), PluginError> {
    let Some(dir) = &config.plugin_dir else { return Ok(()) };
    for (file, plugin) in manifest::load(dir, config)? {
        tracing::info!(method = plugin.method, program = %plugin.program.display(), "a plugin is there");
        handlers.add(plugin).map_err(|error| PluginError::Senseless { file, problem: error.to_string() })?;
    }
    Ok(())
}

/// A program that runs tasks of one method.
#[derive(Clone, Debug, PartialEq)]
struct Plugin {
    method: String,
    program: PathBuf,
    args: Vec<String>,
    weight: f64,
    channel: Option<String>,
    /// Who it runs as; root unless said.
    uid: Option<u32>,
    timeout: Duration,
}

#[async_trait]
impl TaskHandler for Plugin {
    fn method(&self) -> &str {
        &self.method
    }

    fn weight(&self) -> Option<f64> {
        Some(self.weight)
    }

    fn channel(&self) -> Option<&str> {
        self.channel.as_deref()
    }

    async fn run(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        ctx.with_logs(|logs| self.run_logged(ctx, logs.join(format!("{}.log", self.method)))).await
    }
}

impl Plugin {
    async fn run_logged(&self, ctx: &TaskContext, log: PathBuf) -> Result<Value, TaskError> {
        let conversation = Conversation::begin(self, ctx, log.clone()).await?;
        let Ok(outcome) = tokio::time::timeout(self.timeout, conversation.hold()).await else {
            kill_all(&ctx.scope, Duration::ZERO).await;
            let (method, seconds) = (&self.method, self.timeout.as_secs());
            return Err(TaskError::TimedOut(format!(
                "the plugin for {method} was stopped after {seconds} s, its time limit; see {method}.log"
            )));
        };
        let Outcome { result, status } = outcome?;
        if status == 0 {
            return Ok(result.unwrap_or(Value::Nil));
        }
        let after = if result.is_some() { ", although it had told a result" } else { "" };
        let message = format!("the plugin for {0} exited with status {status}{after}; see {0}.log", self.method);
        Err(TaskError::Invalid(with_last_words(message, &log)))
    }
}

#[cfg(test)]
mod tests;
