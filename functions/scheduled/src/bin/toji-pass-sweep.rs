//! Deletes what is left over: old receipts, sessions and scratch builds, and the copies of imports that came to nothing.

use toji_hub::pass::Pass;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    toji_scheduled::run(async |hub, now| Pass::Sweep.run(&hub, now).await).await
}
