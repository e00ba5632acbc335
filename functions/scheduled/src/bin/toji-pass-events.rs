//! Tells other programs again what they have not taken.

use toji_hub::pass::Pass;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    toji_scheduled::run(async |hub, now| Pass::Events.run(&hub, now).await).await
}
