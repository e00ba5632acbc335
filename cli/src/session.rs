//! What every command has: the hub, and how its user wants answers.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde::Serialize;
use serde_json::Value as Json;
use toji_protocol::{client::Client, id::TaskId, method::Method};

use crate::{config::Hub, output};

/// What every command has.
pub(crate) struct Session {
    pub(crate) client: Client,
    /// Where files are read from, without a slash at the end.
    pub(crate) topurl: String,
    /// Answers as the hub gave them.
    pub(crate) json: bool,
    /// No titles, no progress.
    pub(crate) quiet: bool,
}

impl Session {
    pub(crate) fn new(hub: Hub, json: bool, quiet: bool) -> anyhow::Result<Self> {
        let mut client = Client::new(&hub.server, hub.token.as_deref())?;
        if !quiet {
            let told = AtomicBool::new(false);
            client = client.on_retry(Arc::new(move |error, _| {
                if !told.swap(true, Ordering::Relaxed) {
                    output::warn(&format!("{error}; trying again for a minute"));
                }
            }));
        }
        Ok(Self { client, topurl: hub.topurl, json, quiet })
    }

    /// Calls a method.
    pub(crate) async fn call<M: Method>(&self, method: &M) -> anyhow::Result<M::Output> {
        Ok(self.client.call(method).await?)
    }

    /// Calls a method and shows its answer: raw with `--json`, else as `render` puts it.
    pub(crate) async fn show<M: Method>(
        &self,
        method: &M,
        render: impl FnOnce(M::Output) -> String,
    ) -> anyhow::Result<()> {
        if self.json {
            return self.say_json(&self.client.call_json(method).await?);
        }
        output::say(&render(self.call(method).await?))
    }

    /// The answer as JSON, to be put together with others.
    pub(crate) async fn raw<M: Method>(&self, method: &M) -> anyhow::Result<Json> {
        Ok(self.client.call_json(method).await?)
    }

    pub(crate) fn say(&self, text: &str) -> anyhow::Result<()> {
        output::say(text)
    }

    /// Says what scripts need not hear.
    pub(crate) fn tell(&self, text: &str) -> anyhow::Result<()> {
        if self.quiet || self.json { Ok(()) } else { output::say(text) }
    }

    pub(crate) fn say_json(&self, answer: &impl Serialize) -> anyhow::Result<()> {
        output::say(&serde_json::to_string_pretty(answer)?)
    }

    /// Tells which task was made.
    pub(crate) fn created(&self, task: TaskId) -> anyhow::Result<()> {
        if self.json {
            return self.say_json(&serde_json::json!({"task_id": task}));
        }
        self.say(&format!("Created task: {task}"))?;
        self.tell(&format!("Task info: toji taskinfo {task}"))
    }
}
