//! Whole builds on whole systems, and what may go wrong with them.
//!
//! `DATABASE_URL` names a Postgres whose user may make databases, `TOJI_TEST_MINIDISTRO` the folder with the mini
//! distribution, `TOJI_TEST_KOJI` the stock client (without it, what needs it is skipped). `make test` sets them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bad_input;
mod builder_dies;
mod builder_tasks;
mod cancel;
mod closed_logs;
mod commands;
mod crashes;
mod good_build;
mod hooks;
mod hostile;
mod live_logs;
mod openapi;
mod plugins;
mod postgres_stops;
mod repo_figures;
mod server_dies;
mod signed_repos;
mod stock_client;
mod stock_gc;
mod stock_kojira;
mod transcripts;
mod two_arches;
mod watch_logs;
