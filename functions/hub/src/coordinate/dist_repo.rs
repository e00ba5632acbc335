//! `distRepo`: the repo's row is there since it was asked for; the repo function does the work and closes the task.

use chrono::{DateTime, Utc};
use toji_protocol::{
    id::TaskId,
    queue_name::{MakeRepo, QueueName},
};

use super::open;
use crate::{Hub, Result, call::Cx};

pub(super) async fn step(hub: &Hub, task: TaskId, now: DateTime<Utc>) -> Result<()> {
    let mut cx = Cx::internal(hub, now).await?;
    open(&mut cx, task).await?;
    // told twice, it is made once
    cx.post(QueueName::Repo, &MakeRepo { task });
    cx.commit().await
}
