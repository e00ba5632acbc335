//! The API, asked as clients ask it: over the router, with a real database and S3 and SQS in this process.

mod app;
mod files;
mod json;
mod koji;
mod multicall;
mod openapi;
mod session;
mod transport;
mod upload;
