//! Old scratch builds: their tasks, all that is known of them, and the buildroots that nothing else came out of.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use toji_protocol::task::{TaskMethod, build::BuildTask};

use crate::{Hub, Result, task::decode_request};

/// Scratch builds are kept for so long.
const LASTS: TimeDelta = TimeDelta::days(730);
/// Scratch builds that one pass deletes, and builds that it looks at to find them.
const BATCH: i64 = 100;

/// Deletes some. Answers how many tasks went, those below the builds included.
pub(super) async fn sweep(hub: &Hub, now: DateTime<Utc>) -> Result<u64> {
    let mut tx = hub.pool.begin().await?;
    let tops = tops(&mut tx, now - LASTS).await?;
    let tasks = sqlx::query_scalar!(
        r#"WITH RECURSIVE tree AS (
               SELECT id FROM task WHERE id = ANY($1) UNION ALL SELECT task.id FROM task JOIN tree ON task.parent = tree.id)
           SELECT id AS "id!" FROM tree"#,
        &tops
    )
    .fetch_all(&mut *tx)
    .await?;
    forget(&mut tx, &tasks).await?;
    tx.commit().await?;
    Ok(tasks.len() as u64)
}

/// Scratch builds that ended before a time, oldest first. A task that others still count on stays: a task of its tree that a build
/// row, a repo or a request names, or that has not ended.
async fn tops(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<Vec<i64>> {
    let rows = sqlx::query!(
        "SELECT id, request FROM task top
         WHERE method = 'build' AND parent IS NULL AND completion_time < $1 AND request LIKE '%<name>scratch</name>%'
             AND NOT EXISTS (
                 WITH RECURSIVE tree AS (
                     SELECT top.id UNION ALL SELECT task.id FROM task JOIN tree ON task.parent = tree.id)
                 SELECT FROM tree JOIN task ON task.id = tree.id
                 WHERE state NOT IN (2, 3, 5) OR EXISTS (SELECT FROM build WHERE task_id = task.id)
                     OR EXISTS (SELECT FROM repo WHERE task_id = task.id)
                     OR EXISTS (SELECT FROM repo_queue WHERE task_id = task.id))
         ORDER BY completion_time LIMIT $2 FOR UPDATE SKIP LOCKED",
        before,
        BATCH
    )
    .fetch_all(conn)
    .await?;
    let is_scratch = |request: &str| {
        let asked = decode_request(request).ok().and_then(|arguments| BuildTask::from_request(arguments).ok());
        asked.and_then(|asked| asked.opts).and_then(|opts| opts.scratch).unwrap_or(false)
    };
    Ok(rows.into_iter().filter(|row| is_scratch(&row.request)).map(|row| row.id).collect())
}

/// Deletes tasks, and what is known of them alone.
async fn forget(conn: &mut PgConnection, tasks: &[i64]) -> Result<()> {
    let buildroots = sqlx::query_scalar!(
        "SELECT id FROM buildroot WHERE task_id = ANY($1)
             AND NOT EXISTS (SELECT FROM rpminfo WHERE buildroot_id = buildroot.id)
             AND NOT EXISTS (SELECT FROM archiveinfo WHERE buildroot_id = buildroot.id)
             AND NOT EXISTS (SELECT FROM buildroot_archives WHERE buildroot_id = buildroot.id)",
        tasks
    )
    .fetch_all(&mut *conn)
    .await?;
    sqlx::query!("DELETE FROM buildroot_listing WHERE buildroot_id = ANY($1)", &buildroots).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM buildroot WHERE id = ANY($1)", &buildroots).execute(&mut *conn).await?;
    sqlx::query!("UPDATE buildroot SET task_id = NULL WHERE task_id = ANY($1)", tasks).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM task_run WHERE task_id = ANY($1)", tasks).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM task_refusal WHERE task_id = ANY($1)", tasks).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM task_file WHERE task_id = ANY($1)", tasks).execute(&mut *conn).await?;
    // parents and children in one statement: the keys between them are checked at its end
    sqlx::query!("DELETE FROM task WHERE id = ANY($1)", tasks).execute(conn).await?;
    Ok(())
}
