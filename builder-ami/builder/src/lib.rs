//! The builder: takes tasks from the hub, runs them in buildroots, and uploads what they make.
//!
//! - [`config`]: what the operator decides.
//! - `daemon`: enrolment, queues, claims, leases, capacity, and how one task runs from claim to end.
//! - `handlers`: one a task method.
//! - `buildroot`: mock, or dnf and bubblewrap; what the hub is told of a buildroot.
//! - `scm`, `srpm`: sources and what is refused.
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
mod mounts;
mod process;
mod scm;
mod srpm;
mod subtask;
#[cfg(test)]
mod testing;
mod upload;

mod buildroot;

pub use config::{Config, ConfigError};
pub use daemon::{Ended, RunError, announce, run};
