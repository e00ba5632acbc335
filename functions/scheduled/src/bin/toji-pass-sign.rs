//! Has builds signed whose messages were lost, or whose key was away.

use toji_hub::pass::Pass;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    toji_scheduled::run(async |hub, now| Pass::Sign.run(&hub, now).await).await
}
