//! The API, asked as clients ask it: over the router, with a real database and S3 and SQS in this process.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod app;
mod files;
mod json;
mod koji;
mod logs;
mod multicall;
mod openapi;
mod session;
mod transport;
mod upload;
