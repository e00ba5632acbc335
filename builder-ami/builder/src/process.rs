//! The programs that a task runs: started so that they cannot outlive the builder, found again, and killed with all
//! that they have started.

mod command;
mod group;
mod hierarchy;
mod kill;
mod meter;
mod spawner;

pub(crate) use command::{Command, Ended, ended};
pub(crate) use group::{Groups, Limits};
pub(crate) use kill::{Scope, kill_all};
pub(crate) use meter::Meter;
