//! Tags and what belongs to them, through the hub's calls, on a database of each test's own.

// clippy knows functions marked as tests, not those that help them
#![allow(clippy::unwrap_used)]

mod content;
mod external_repos;
mod groups;
mod history;
mod hosts;
mod inheritance;
mod packages;
mod tags;
mod targets;
mod users;
mod world;
