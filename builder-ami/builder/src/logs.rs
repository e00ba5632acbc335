//! Logs: their new bytes while the task runs, and the stages that a task goes through.

mod collector;
mod shipper;
mod stages;

pub(crate) use collector::{Collector, Source};
pub(crate) use shipper::Shipper;
pub(crate) use stages::Stages;
