//! Sends the messages that a crash after the commit left behind.

use toji_hub::pass::Pass;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    toji_scheduled::run(async |hub, now| Pass::Outbox.run(&hub, now).await).await
}
