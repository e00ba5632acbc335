//! The program itself, against a hub whose answers each test writes.

#![allow(clippy::unwrap_used)]

mod build;
mod download;
mod hub;
mod misuse;
mod output;
mod run;
