//! The whole of toji on one machine.
//!
//! On a laptop there is no AWS, and hub and builder still speak S3 and SQS through the AWS SDK: this crate serves both
//! protocols itself, from one directory, and behaves as AWS does where toji can tell the difference. One conformance
//! suite (`tests/tests/conformance`) runs against these servers and against LocalStack.
//!
//! What both promise: an answered write is there after a restart and after `kill -9` (it is in the page cache before the
//! answer). What they do not: surviving a power cut, for nothing is fsynced.

mod clock;
pub mod cloud;
pub mod credentials;
mod journal;
mod listen;
mod local;
pub mod s3;
pub mod sqs;
mod stop;
mod work;

pub use local::{Local, Parts, Settings};
