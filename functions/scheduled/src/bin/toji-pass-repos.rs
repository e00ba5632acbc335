//! Asks for repos that are wanted, and expires and deletes those that are not.

use toji_hub::pass::Pass;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    toji_scheduled::run(async |hub, now| Pass::Repos.run(&hub, now).await).await
}
