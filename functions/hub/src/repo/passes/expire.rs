//! READY repos whose time is over. Koji's rules: a repo is kept while it is current with default options; else for its lifetime; else
//! while it is the newest of a tag that some target builds from. A dist repo is kept for a lifetime of its own, and while it is the newest.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Budget;
use crate::{Hub, Result};

/// How many one statement expires.
const PAGE: i64 = 1000;

/// What is to be true, beside its age, of a repo that is to expire.
macro_rules! outdated {
    ($before:literal, $after:literal, $($argument:expr),*) => {
        sqlx::query!(
            $before + "state = 1 AND CASE WHEN dist THEN
                 EXISTS (SELECT 1 FROM repo newer WHERE newer.tag_id = old.tag_id AND newer.dist AND newer.state = 1
                     AND (newer.create_event, newer.id) > (old.create_event, old.id))
             ELSE (end_event IS NOT NULL OR custom_opts <> '{}') AND NOT (custom_opts = '{}'
                 AND EXISTS (SELECT 1 FROM build_target_config WHERE build_tag = old.tag_id AND active)
                 AND NOT EXISTS (SELECT 1 FROM repo newer WHERE newer.tag_id = old.tag_id AND NOT newer.dist
                     AND newer.state = 1 AND newer.custom_opts = '{}'
                     AND (newer.create_event, newer.id) > (old.create_event, old.id)))
             END " + $after,
            $($argument),*
        )
    };
}

/// Expires them, the oldest first. Answers how many.
pub(super) async fn run(hub: &Hub, budget: Budget) -> Result<usize> {
    let mut count = 0;
    while !budget.is_spent() {
        let now = budget.now();
        // two passes at once take different ones; what another pass has expired meanwhile is no longer READY
        let expired = outdated!(
            "UPDATE repo SET state = 2, state_time = $1 WHERE state = 1 AND id IN (SELECT id FROM repo old WHERE ",
            "AND state_time <= CASE WHEN dist THEN $3::timestamptz ELSE $2::timestamptz END
                 ORDER BY state_time, id LIMIT $4 FOR UPDATE SKIP LOCKED)",
            now,
            now - hub.config.repo_lifetime,
            now - hub.config.dist_repo_lifetime,
            PAGE
        )
        .execute(&hub.pool)
        .await?
        .rows_affected();
        count += expired as usize;
        if expired < PAGE as u64 {
            break;
        }
    }
    Ok(count)
}

/// When the next one expires, as things are.
pub(super) async fn due(conn: &mut PgConnection, hub: &Hub) -> Result<Option<DateTime<Utc>>> {
    let oldest = outdated!("SELECT dist, min(state_time) AS \"time!\" FROM repo old WHERE ", "GROUP BY dist",);
    let lifetime = |dist| if dist { hub.config.dist_repo_lifetime } else { hub.config.repo_lifetime };
    Ok(oldest.fetch_all(conn).await?.into_iter().map(|row| row.time + lifetime(row.dist)).min())
}
