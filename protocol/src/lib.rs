//! What toji's hub, builder and command line say to each other.
//!
//! Leaf vocabulary: ids, states, names, the methods of the API and the kinds of tasks, with no rules and no I/O unless a
//! feature asks for it (`client`: the typed HTTPS client; `queue`: SQS; `packed-log`: gzip).

pub mod arch;
#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "client")]
pub mod client;
pub mod glob;
pub mod id;
pub mod log_part;
pub mod method;
pub mod mock_config;
pub mod nvr;
pub mod object_key;
#[cfg(feature = "packed-log")]
pub mod packed_log;
#[cfg(feature = "queue")]
pub mod queue;
pub mod queue_name;
pub mod state;
pub mod task;
pub mod time;
pub mod value;
pub mod xmlrpc;
