//! Whether what the hub stands on answers.

use std::{fmt::Display, future::Future, time::Duration};

use serde::Serialize;

use crate::Hub;

/// Who does not answer within this is not there.
const PATIENCE: Duration = Duration::from_secs(3);

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// It answers.
    Ok,
    /// It does not; why is in the log.
    Unavailable,
}

/// How all parts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Postgres.
    pub database: Condition,
    /// S3.
    pub s3: Condition,
    /// SQS.
    pub queues: Condition,
}

impl Health {
    /// Whether all of them answer.
    pub fn is_ok(&self) -> bool {
        [self.database, self.s3, self.queues].iter().all(|part| *part == Condition::Ok)
    }
}

/// Asks each part, all at once.
pub async fn check(hub: &Hub) -> Health {
    let (database, s3, queues) = futures::join!(
        ask("database", async { sqlx::query("SELECT 1").execute(&hub.pool).await }),
        ask("s3", hub.store.head("healthz")),
        ask("queues", hub.queues.check()),
    );
    Health { database, s3, queues }
}

async fn ask<T, E: Display>(part: &str, answer: impl Future<Output = Result<T, E>>) -> Condition {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(_)) => return Condition::Ok,
        Ok(Err(error)) => tracing::warn!(part, %error, "unhealthy"),
        Err(_) => tracing::warn!(part, "does not answer within {PATIENCE:?}"),
    }
    Condition::Unavailable
}
