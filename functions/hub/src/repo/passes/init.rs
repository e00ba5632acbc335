//! Repos that are not made yet: their tasks are sent again, or they are given up.

use chrono::{DateTime, TimeDelta, Utc};
use toji_protocol::{
    id::TaskId,
    queue_name::{MakeRepo, QueueName},
};

use crate::{Error, Hub, Result, coordinate};

/// A repo that is still not made after this is given up.
const TIMEOUT: TimeDelta = TimeDelta::hours(2);
/// The repo function gets this long before its task is sent again.
pub(super) const GRACE: TimeDelta = TimeDelta::seconds(30);

/// Gives up those whose task has ended, or which take too long, and sends the tasks of the others again. Answers how many it gave up.
pub(super) async fn run(hub: &Hub, now: DateTime<Utc>) -> Result<usize> {
    let dead = sqlx::query!(
        "UPDATE repo SET state = 4, state_time = $1 WHERE state = 0
             AND NOT EXISTS (SELECT 1 FROM task WHERE task.id = task_id AND task.state IN (0, 1, 4))",
        now
    )
    .execute(&hub.pool)
    .await?
    .rows_affected() as usize;
    let late = sqlx::query!(
        r#"SELECT task.id AS task, creation_time < $2 AS "is_hopeless!", task.state = 1 AS "is_begun!"
           FROM repo JOIN task ON task.id = task_id WHERE repo.state = 0 AND creation_time < $1 ORDER BY repo.id"#,
        now - GRACE,
        now - TIMEOUT
    )
    .fetch_all(&hub.pool)
    .await?;
    let mut given_up = 0;
    for row in late.iter().filter(|row| row.is_hopeless) {
        let hours = TIMEOUT.num_hours();
        let error = Error::invalid(format!("the repo was not made within {hours} hours: ask for it again"));
        coordinate::fail_task(hub, TaskId(row.task), &error, now).await?;
        given_up += 1;
    }
    let again = late.iter().filter(|row| !row.is_hopeless && row.is_begun).map(|row| TaskId(row.task));
    send(hub, again.collect()).await?;
    Ok(dead + given_up)
}

/// Sends tasks to the repo function, unless it still has messages to take.
async fn send(hub: &Hub, tasks: Vec<TaskId>) -> Result<()> {
    let unavailable = |error: toji_protocol::queue::QueueError| Error::Unavailable(error.into());
    if tasks.is_empty() || hub.queues.depth(&QueueName::Repo).await.map_err(unavailable)? > 0 {
        return Ok(());
    }
    let bodies: Vec<String> = tasks.into_iter().map(|task| toji_protocol::queue::body(&MakeRepo { task })).collect();
    hub.queues.send(&QueueName::Repo, &bodies).await.map_err(unavailable)
}
