//! Sends the messages that a crash after the commit left behind.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    toji_scheduled::run(async |hub, now| toji_hub::outbox::run_once(&hub, now).await).await
}
