//! Asks for repos that are wanted, and expires and deletes those that are not.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    toji_scheduled::run(async |hub, now| toji_hub::repo::passes::run_once(&hub, now).await).await
}
