//! Gives up uploads that nobody has ended, and deletes files of attempts that did not count.

use toji_hub::pass::Pass;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    toji_scheduled::run(async |hub, now| Pass::Uploads.run(&hub, now).await).await
}
