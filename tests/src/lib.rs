//! The harness of the end-to-end tests: whole systems of the real programs, each with a folder and a database of its own.
//!
//! A [`System`] is a `toji-local` and as many `toji-builder`s as a test wishes for; a test kills and restarts them,
//! and speaks to them as everybody else does: through the API, `toji`, and the stock `koji`. Packages to build are
//! [`Golden`]: named for how their builds ought to end.
//!
//! Whatever goes wrong here panics, with the story: this is the tests' ground, not a library for programs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, unreachable_pub, reason = "it is the tests' of toji-repodata, too")]
#[path = "../../functions/repodata/tests/common/craft.rs"]
mod craft;
mod database;
mod events;
mod fence;
mod front_door;
mod golden;
mod hub;
pub mod made_up;
mod network;
mod postgres;
mod process;
mod programs;
mod said;
mod second_arch;
mod system;
mod traces;
mod transcript;
mod wait;

pub use database::Database;
pub use events::{Event, Events};
pub use fence::{Disk, Fence};
pub use front_door::{FrontDoor, Streams};
pub use golden::Golden;
pub use hub::Hub;
pub use network::Network;
pub use postgres::Postgres;
pub use process::Daemon;
pub use programs::{koji, program};
pub use said::Said;
pub use second_arch::SecondArch;
pub use system::{ADMIN, BuilderProgram, Part, System, TOKEN, Wishes, names_in};
pub use traces::{count, is_running, running};
pub use transcript::{Ran, Runner, Transcript};
pub use wait::{SOON, until};
