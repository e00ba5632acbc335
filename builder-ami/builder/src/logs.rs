//! Logs: their new bytes while the task runs, what becomes of them at its end, and the stages that a task goes through.

mod close;
mod collector;
mod shipper;
mod stages;
mod timestamps;

pub(crate) use close::{close, pack, packed_dir};
pub(crate) use collector::{Collector, Source};
pub(crate) use shipper::{Ending, Sender, Shipper};
pub(crate) use stages::Stages;
