//! Frees tasks whose builders are gone, rings again for what waits, and advances parents that were forgotten.

use toji_hub::pass::Pass;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    toji_scheduled::run(async |hub, now| Pass::Rescue.run(&hub, now).await).await
}
