//! Has builds signed whose messages were lost, or whose key was away.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    toji_scheduled::run(async |hub, now| toji_hub::sign::run_once(&hub, now).await).await
}
