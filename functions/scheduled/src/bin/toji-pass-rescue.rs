//! Frees tasks whose builders are gone, rings again for what waits, and advances parents that were forgotten.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    toji_scheduled::run(async |hub, now| toji_hub::task::rescue::run_once(&hub, now).await).await
}
