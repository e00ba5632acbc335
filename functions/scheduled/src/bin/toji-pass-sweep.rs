//! Deletes what is left over: old receipts, sessions and scratch builds, and the copies of imports that came to nothing.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    toji_scheduled::run(async |hub, now| toji_hub::sweep::run_once(&hub, now).await).await
}
