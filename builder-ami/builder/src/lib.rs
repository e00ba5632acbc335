//! The builder: takes tasks from the hub, runs them in buildroots, and uploads what they make.
//!
//! - [`config`]: what the operator decides.
//! - `daemon`: enrolment, queues, claims, leases, capacity, and how one task runs from claim to end.
//! - `handlers`: one a task method.
//! - `buildroot`: mock, or dnf and bubblewrap; what the hub is told of a buildroot.
//! - `scm`, `srpm`: sources and what is refused.
//! - `plugin`: kinds of tasks that an operator adds as programs. As Rust, one is added by a program of one's own that gives [`run`] a
//!   [`TaskHandler`] more: `examples/thing.rs`.
//! - `subtask`: tasks that tasks make.
//! - `logs`, `upload`, `fetch`: bytes out and in.
//! - `process`, `mounts`: programs and mounts, and getting rid of them.

pub mod config;
mod context;
mod daemon;
mod failure;
mod fetch;
mod handlers;
mod hub;
mod logs;
mod metadata;
mod mounts;
mod plugin;
mod process;
mod scm;
mod srpm;
mod subtask;
#[cfg(test)]
mod testing;
mod upload;

mod buildroot;

pub use async_trait::async_trait;
pub use config::{Config, ConfigError};
pub use context::TaskContext;
pub use daemon::{Ended, RunError, announce, run};
pub use failure::TaskError;
pub use handlers::{AlreadyHandled, Handlers, TaskHandler};
pub use plugin::PluginError;
pub use subtask::Subtask;
pub use toji_protocol::{
    id::TaskId,
    method::worker::ClaimedTask,
    value::{Map, Value},
};
pub use upload::NamedFile;
