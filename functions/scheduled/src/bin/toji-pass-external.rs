//! Looks whether external repos have changed. Reaches the internet; Postgres only when one has, or when something was written lately.

use toji_hub::external_repo::watch;
use toji_repo::HttpFetch;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let fetch = &HttpFetch::new()?;
    toji_scheduled::run(async |hub, now| watch::run_once(&hub, now, fetch).await).await
}
