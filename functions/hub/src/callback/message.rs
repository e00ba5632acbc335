//! What a message says: Koji's data, and what its protonmsg plugin adds for filters.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Callback;
use crate::{Error, Result};

/// Something that happens, or is about to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Happening {
    pub(super) callback: Callback,
    /// Such as `build.tag`.
    pub(super) address: String,
    /// What shares it is told in its order; None = in any.
    pub(super) key: Option<String>,
    /// What protonmsg's consumers filter by.
    pub(super) props: Map<String, Value>,
    /// The arguments of Koji's callback.
    pub(super) body: Map<String, Value>,
    /// Members of an argument that the call itself perhaps makes, and that are then others each time that it is run.
    pub(super) fresh: Option<(&'static str, &'static [&'static str])>,
}

impl Happening {
    pub(super) fn new(callback: Callback, address: impl Into<String>, key: Option<String>) -> Self {
        let mut props = Map::new();
        props.insert("type".to_owned(), callback.name().into());
        Self { callback, address: address.into(), key, props, body: Map::new(), fresh: None }
    }

    /// With members of an argument that the call itself perhaps makes.
    pub(super) fn fresh(self, argument: &'static str, members: &'static [&'static str]) -> Self {
        Self { fresh: Some((argument, members)), ..self }
    }

    /// With something to filter by.
    pub(super) fn prop(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.props.insert(name.to_owned(), value.into());
        self
    }

    /// With an argument of Koji's callback.
    pub(super) fn with(mut self, name: &str, value: impl Serialize) -> Result<Self> {
        self.body.insert(name.to_owned(), serde_json::to_value(value).map_err(Error::internal)?);
        Ok(self)
    }
}

/// The key of what happens to a build.
pub(super) fn of_build(build: toji_protocol::id::BuildId) -> Option<String> {
    Some(format!("build:{build}"))
}

/// The key of what happens to a task.
pub(super) fn of_task(task: toji_protocol::id::TaskId) -> Option<String> {
    Some(format!("task:{task}"))
}

/// The key of what happens to a tag.
pub(super) fn of_tag(tag: toji_protocol::id::TagId) -> Option<String> {
    Some(format!("tag:{tag}"))
}
