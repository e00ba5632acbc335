//! Statements about drafts that become the build of their name.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildId, UserId},
    nvr::Nvr,
};

use crate::Result;

/// An RPM of a draft whose name is another build's.
pub(super) async fn taken_rpm(conn: &mut PgConnection, draft: BuildId) -> Result<Option<String>> {
    let taken = sqlx::query_scalar!(
        r#"SELECT mine.name || '-' || mine.version || '-' || mine.release || '.' || mine.arch AS "nvra!"
           FROM rpminfo mine JOIN rpminfo other ON other.name = mine.name AND other.version = mine.version
               AND other.release = mine.release AND other.arch = mine.arch
           WHERE mine.build_id = $1 AND other.id <> mine.id AND other.external_repo_id = 0 AND other.draft IS NOT TRUE LIMIT 1"#,
        draft.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(taken)
}

/// Gives a complete draft its name, with its RPMs, and ends the claim to it. Answers whether it was one.
pub(super) async fn promote(
    conn: &mut PgConnection,
    draft: BuildId,
    release: &str,
    by: UserId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let promoted = sqlx::query!(
        "UPDATE build SET draft = false, release = $2, promoter = $3, promotion_time = $4 WHERE id = $1 AND draft AND state = 1",
        draft.0,
        release,
        by.0,
        now
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("UPDATE rpminfo SET draft = false WHERE build_id = $1", draft.0).execute(&mut *conn).await?;
    sqlx::query!("UPDATE pending_import SET claims = NULL WHERE build_id = $1", draft.0).execute(conn).await?;
    Ok(promoted.rows_affected() == 1)
}

/// Notes that the files of a build's tasks have gone from one folder to another.
pub(super) async fn rename_files(conn: &mut PgConnection, build: BuildId, from: &str, to: &str) -> Result<()> {
    sqlx::query!(
        "UPDATE task_file SET moved_to = $3 || substr(moved_to, length($2) + 1)
         FROM build JOIN task ON task.id = build.task_id OR task.parent = build.task_id
         WHERE build.id = $1 AND task_file.task_id = task.id AND starts_with(moved_to, $2)",
        build.0,
        from,
        to
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a build has got this name by promotion.
pub(super) async fn is_promoted(conn: &mut PgConnection, build: BuildId, nvr: &Nvr) -> Result<bool> {
    let is_promoted = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM build JOIN package ON package.id = pkg_id
               WHERE build.id = $1 AND package.name = $2 AND version = $3 AND release = $4 AND promotion_time IS NOT NULL)
               AS "is_promoted!""#,
        build.0,
        nvr.name,
        nvr.version,
        nvr.release
    )
    .fetch_one(conn)
    .await?;
    Ok(is_promoted)
}
