//! Tags and what belongs to them, through the hub's calls, on a database of each test's own.

// a call is many futures deep, and the compiler looks through all of them at once
#![recursion_limit = "256"]
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod api;
mod as_typed;
mod auto_repos;
mod build_life;
mod chains;
mod changes;
mod chroots;
mod content;
mod content_generators;
mod external_repos;
mod groups;
mod history;
mod hosts;
mod inheritance;
mod koji;
mod membership;
mod moves;
mod notifications;
mod packages;
mod policies;
mod policy_hooks;
mod policy_tests;
mod quirks;
mod repo_requests;
mod repos;
mod scheduler;
mod search;
mod sidetags;
mod snapshots;
mod statements;
mod sweep;
mod system;
mod tags;
mod targets;
mod users;
mod vectors;
mod world;
