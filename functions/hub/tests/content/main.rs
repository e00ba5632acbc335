//! Tags and what belongs to them, through the hub's calls, on a database of each test's own.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]
#![recursion_limit = "256"]

mod build_life;
mod content;
mod content_generators;
mod external_repos;
mod groups;
mod history;
mod hosts;
mod inheritance;
mod membership;
mod notifications;
mod packages;
mod policies;
mod policy_hooks;
mod policy_tests;
mod search;
mod sweep;
mod system;
mod tags;
mod targets;
mod users;
mod world;
