//! The life of tasks, through the hub's calls and passes, on a database of each test's own and toji-local's S3 and SQS.
//!
//! Time is a parameter: nothing here sleeps. Builders are scripted, and say only what real ones can.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]
#![recursion_limit = "256"]

mod builder;
mod callbacks;
mod claim;
mod closed_logs;
mod content_generators;
mod fence;
mod imports;
mod lease;
mod live_logs;
mod migrations;
mod noarch;
mod notes;
mod parents;
mod refused;
mod repo_passes;
#[path = "../../../functions/repodata/tests/common/mod.rs"]
mod repodata;
mod repos;
mod repos_at_scale;
mod rpm_files;
mod rpms;
mod scan;
mod sign_inside;
mod signatures;
mod signing;
mod sleep;
mod storm;
mod subtasks;
mod uploads;
mod versions;
mod watch;
mod world;
