//! What a build was at each event: its state, owner and volume. Koji keeps only the present, so its calls do not show this.

use toji_protocol::id::BuildId;

use crate::{Result, call::Cx, callback::tell};

/// Notes what some builds have become, under the call's event. To be called after the change, in its transaction; a build in which
/// nothing that counts has changed keeps its row.
///
/// # Errors
/// When the database is away.
pub(crate) async fn note(cx: &mut Cx, builds: &[BuildId]) -> Result<()> {
    if builds.is_empty() {
        return Ok(());
    }
    tell::build_changed(cx, builds).await?;
    // the hub itself acts for the build's owner
    let by = cx.caller.user_id().map(|user| user.0);
    let ids: Vec<i64> = builds.iter().map(|id| id.0).collect();
    let event = cx.event().await?;
    let conn = cx.db().await?;
    sqlx::query!(
        "UPDATE build_config config SET active = NULL, revoke_event = $2, revoker_id = coalesce($3, build.owner)
         FROM build WHERE build.id = config.build_id AND build.id = ANY($1) AND config.active AND config.create_event <> $2
             AND (config.state, config.owner, config.volume_id) IS DISTINCT FROM (build.state, build.owner, build.volume_id)",
        &ids,
        event.0,
        by
    )
    .execute(&mut *conn)
    .await?;
    // changed twice by one call, it has been only what it was in the end
    sqlx::query!(
        "INSERT INTO build_config (build_id, state, owner, volume_id, create_event, creator_id)
         SELECT id, state, owner, volume_id, $2, coalesce($3, owner) FROM build WHERE id = ANY($1) AND NOT EXISTS
             (SELECT FROM build_config live WHERE live.build_id = build.id AND live.active AND live.create_event <> $2)
         ON CONFLICT (create_event, build_id) DO UPDATE
             SET state = excluded.state, owner = excluded.owner, volume_id = excluded.volume_id",
        &ids,
        event.0,
        by
    )
    .execute(conn)
    .await?;
    Ok(())
}
