//! Files that somebody was about to copy or delete when it was cut off. What is to become of them, the rows say.
//!
//! Whoever touches a build's files has a row of `pending_import` (see `super::files`). One that is older than a function can run is
//! a crash's. Taking it over first keeps everybody else away while a folder is being emptied.

use chrono::{DateTime, Utc};
use toji_protocol::{id::BuildId, nvr::Nvr, object_key, state::BuildState};

use super::{IMPORT_RUNS, draft_nvr, files, history, sql::state};
use crate::{Hub, Result, call::Cx};

/// Runs the pass once. Answers how many builds it has looked after.
///
/// # Errors
/// When something is away; what was done stands.
pub(crate) async fn sweep(hub: &Hub, now: DateTime<Utc>) -> Result<usize> {
    fail_cut_off(hub, now).await?;
    // an import of a task that is still under way is tried again by the task's next step
    let taken = sqlx::query!(
        r#"UPDATE pending_import SET start_time = $2 FROM build, package
           WHERE build.id = build_id AND package.id = build.pkg_id AND pending_import.start_time < $1
               AND (build.state <> 0 OR pending_import.task_id IS NULL)
           RETURNING build_id, cg_id, package.name, build.version, build.release, build.state, build.draft, claims,
               (promotion_time IS NOT NULL) AS "is_promoted!""#,
        now - IMPORT_RUNS,
        now
    )
    .fetch_all(&hub.pool)
    .await?;
    for row in &taken {
        let nvr =
            Nvr { name: row.name.clone(), version: row.version.clone(), release: row.release.clone(), epoch: None };
        let is_complete = state(row.state)? == BuildState::Complete;
        let dead = match &row.claims {
            _ if !is_complete => Some(nvr),
            // cut off before its name was changed: the copies lie where nobody else may begin
            Some(claimed) if row.draft => Some(Nvr { release: claimed.clone(), ..nvr }),
            // cut off after it
            _ if row.is_promoted => Some(draft_nvr(&nvr, BuildId(row.build_id))),
            // something was being added to it, and is added again over what is there
            _ => None,
        };
        if let Some(dead) = dead {
            hub.store.delete_prefix(&format!("{}/", object_key::build_dir(&dead))).await?;
        }
        let (build, is_building) = (BuildId(row.build_id), state(row.state)? == BuildState::Building);
        if is_building && row.cg_id.is_none() {
            // begun by an import of RPMs, which begins it anew when it is run again
            let mut tx = hub.pool.begin().await?;
            sqlx::query!("DELETE FROM pending_import WHERE build_id = $1 AND start_time = $2", build.0, now)
                .execute(&mut *tx)
                .await?;
            files::forget_rows(&mut tx, build).await?;
            tx.commit().await?;
            continue;
        }
        sqlx::query!("DELETE FROM pending_import WHERE build_id = $1 AND start_time = $2", row.build_id, now)
            .execute(&hub.pool)
            .await?;
    }
    Ok(taken.len())
}

/// A content generator's build that was to be completed by the call which had begun it has failed with it. One that is reserved
/// stays so.
async fn fail_cut_off(hub: &Hub, now: DateTime<Utc>) -> Result<()> {
    // a transaction that does nothing would keep the passes awake
    let any = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM pending_import JOIN build ON build.id = build_id
               WHERE build.state = 0 AND cg_id IS NOT NULL AND pending_import.task_id IS NULL
                   AND pending_import.start_time < $1) AS "any!""#,
        now - IMPORT_RUNS
    );
    if !any.fetch_one(&hub.pool).await? {
        return Ok(());
    }
    let mut cx = Cx::internal(hub, now).await?;
    let failed = sqlx::query_scalar!(
        "UPDATE build SET state = 3, completion_time = $2 FROM pending_import
         WHERE build_id = build.id AND state = 0 AND cg_id IS NOT NULL AND pending_import.task_id IS NULL AND pending_import.start_time < $1
             AND NOT EXISTS (SELECT FROM build_reservations WHERE build_reservations.build_id = build.id)
         RETURNING build.id",
        now - IMPORT_RUNS,
        now
    )
    .fetch_all(cx.db().await?)
    .await?;
    let failed: Vec<BuildId> = failed.into_iter().map(BuildId).collect();
    history::note(&mut cx, &failed).await?;
    cx.commit().await
}
