//! Gives up uploads that nobody has ended, and deletes files of attempts that did not count.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    toji_scheduled::run(async |hub, now| toji_hub::sweep::uploads::run_once(&hub, now).await).await
}
