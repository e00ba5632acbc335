//! Statements that take from a build what it has.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::id::BuildId;

use crate::Result;

/// Forgets what speaks of the files themselves: signatures, and what repos are made of.
pub(super) async fn forget_files(conn: &mut PgConnection, build: BuildId) -> Result<()> {
    sqlx::query!("DELETE FROM rpmsigs USING rpminfo WHERE rpminfo.id = rpm_id AND build_id = $1", build.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("DELETE FROM rpm_fragment USING rpminfo WHERE rpminfo.id = rpm_id AND build_id = $1", build.0)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn set_deleted(conn: &mut PgConnection, build: BuildId) -> Result<()> {
    sqlx::query!("UPDATE build SET state = 2 WHERE id = $1", build.0).execute(conn).await?;
    Ok(())
}

/// Deletes all that refers to a build, and leaves it cancelled.
pub(super) async fn wipe(conn: &mut PgConnection, build: BuildId, now: DateTime<Utc>) -> Result<()> {
    forget_files(conn, build).await?;
    sqlx::query!("DELETE FROM buildroot_listing USING rpminfo WHERE rpminfo.id = rpm_id AND build_id = $1", build.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "DELETE FROM archive_rpm_components WHERE rpm_id IN (SELECT id FROM rpminfo WHERE build_id = $1)
             OR archive_id IN (SELECT id FROM archiveinfo WHERE build_id = $1)",
        build.0
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "DELETE FROM archive_components WHERE archive_id IN (SELECT id FROM archiveinfo WHERE build_id = $1)
             OR component_id IN (SELECT id FROM archiveinfo WHERE build_id = $1)",
        build.0
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "DELETE FROM buildroot_archives USING archiveinfo WHERE archiveinfo.id = archive_id AND build_id = $1",
        build.0
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("DELETE FROM archiveinfo WHERE build_id = $1", build.0).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM rpminfo WHERE build_id = $1", build.0).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM build_types WHERE build_id = $1", build.0).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM build_reservations WHERE build_id = $1", build.0).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM tag_listing WHERE build_id = $1", build.0).execute(&mut *conn).await?;
    sqlx::query!(
        "UPDATE build SET state = 4, task_id = NULL, volume_id = 0, completion_time = coalesce(completion_time, $2) WHERE id = $1",
        build.0,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
