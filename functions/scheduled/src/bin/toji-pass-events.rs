//! Tells other programs again what they have not taken.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    toji_scheduled::run(async |hub, now| toji_hub::callback::deliver::run_once(&hub, now).await).await
}
