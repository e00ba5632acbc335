//! toji as Lambda functions: the real programs, run by LocalStack with our executor (`localstack/executor`).
//!
//! Wants `DATABASE_URL`, `TOJI_TEST_LOCALSTACK` and `TOJI_TEST_MINIDISTRO`, and the programs built; without LocalStack the cases
//! say so and pass.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod deployment;
mod executor;
mod front_door;
mod functions;
mod scenario;

/// LocalStack's address, where there is one.
fn localstack() -> Option<String> {
    let url = std::env::var("TOJI_TEST_LOCALSTACK").ok().filter(|url| !url.is_empty());
    if url.is_none() {
        eprintln!("skipped: TOJI_TEST_LOCALSTACK holds no URL of a LocalStack");
    }
    Some(url?.trim_end_matches('/').to_owned())
}

/// What the names of one test's things in LocalStack begin with.
fn unique() -> String {
    format!("toji-{:08x}", rand::random::<u32>())
}
