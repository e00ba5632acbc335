//! Tasks that wait for a host that there is not: why they wait is said in the scheduler's log, once.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Hub, Result};

/// A host that is just being set up, or enabled, gets this long.
const GRACE: TimeDelta = TimeDelta::seconds(10);
/// The most tasks that one pass looks at.
const BATCH: i64 = 500;

/// Notes which free tasks no enabled host may take. Answers how many it had not noted before.
pub(super) async fn note(hub: &Hub, now: DateTime<Utc>) -> Result<usize> {
    let noted = sqlx::query!(
        r#"INSERT INTO scheduler_log_messages (task_id, msg_time, msg)
           SELECT task.id, $1, 'No enabled host takes ' || method || ' tasks for ' || task.arch || ' in channel '
               || channels.name || CASE WHEN channels.enabled THEN '' ELSE ', which is disabled' END
           FROM task JOIN channels ON channels.id = task.channel_id
           WHERE state = 0 AND NOT coordinated AND free_since < $2
               AND NOT EXISTS (SELECT FROM scheduler_log_messages said
                   WHERE said.task_id = task.id AND said.msg_time >= task.free_since AND said.msg LIKE 'No enabled host takes %')
               AND NOT EXISTS (SELECT FROM host JOIN host_config ON host_config.host_id = host.id AND host_config.active
                       JOIN host_channels ON host_channels.host_id = host.id AND host_channels.active
                   WHERE channels.enabled AND host_channels.channel_id = task.channel_id AND host_config.enabled
                       AND task.method = ANY(host.methods)
                       AND task.arch = ANY(string_to_array(host_config.arches, ' ') || 'noarch'::text))
           ORDER BY task.id LIMIT $3"#,
        now,
        now - GRACE,
        BATCH
    )
    .execute(&hub.pool)
    .await?;
    Ok(noted.rows_affected() as usize)
}
