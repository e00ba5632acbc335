//! Moving a build to another volume: its objects are copied onto themselves with another storage class.

use toji_protocol::{
    id::BuildId,
    method::{
        build::Build,
        volume::{ApplyVolumePolicy, ChangeBuildVolume, Volume},
    },
    object_key,
    state::BuildState,
};

use super::{policy, require, storage_class};
use crate::{
    Error, Result,
    build::{self, files, history},
    call::{Cx, Handle},
    import::{Copy, copy_all},
    tag,
};

impl Handle for ChangeBuildVolume {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let conn = cx.db().await?;
        let volume = require(conn, &self.volume).await?;
        let build = build::require(conn, &self.build).await?;
        let build = build::get(conn, build).await?;
        if build.volume_id == volume.id && self.strict {
            return Err(Error::invalid(format!("Build {} already on volume {}", build.nvr, build.volume_name)));
        }
        set(cx, build.id, &volume).await
    }
}

impl Handle for ApplyVolumePolicy {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let conn = cx.db().await?;
        let build = build::require(conn, &self.build).await?;
        let build = build::get(conn, build).await?;
        match policy::of_build(cx, &build, self.strict).await? {
            Some(volume) => set(cx, build.id, &volume).await,
            None => Ok(()),
        }
    }
}

/// Moves a build. Harmless when it is there already.
///
/// # Errors
/// When the build is not complete, or S3 is away: it stays where it is.
pub(crate) async fn set(cx: &mut Cx, build: BuildId, volume: &Volume) -> Result<()> {
    let hub = cx.hub.clone();
    let mut tx = cx.transaction().await?;
    let build = build::get(tx.db().await?, build).await?;
    if build.volume_id == volume.id {
        return Ok(());
    }
    if !matches!(build.state, BuildState::Complete | BuildState::Deleted) {
        return Err(Error::invalid(format!("Build {} is {}", build.nvr, build.state)));
    }
    let now = tx.now;
    let lease = files::lease(tx.db().await?, build.id, None, now).await?;
    tx.commit().await?;
    let moved = rewrite(cx, &build, volume).await;
    let moved = match moved {
        Ok(()) => note(cx, &build, volume, lease).await,
        failed => failed,
    };
    if moved.is_err() {
        // objects of another class than the volume's serve as well
        lease.give_up(&hub).await;
    }
    moved
}

async fn rewrite(cx: &mut Cx, build: &Build, volume: &Volume) -> Result<()> {
    let from = storage_class(cx.db().await?, build.volume_id).await?;
    let class = storage_class(cx.db().await?, volume.id).await?;
    cx.release();
    if from == class {
        return Ok(());
    }
    let dir = format!("{}/", object_key::build_dir(&build::nvr(build)));
    let objects = cx.hub.store.list(&dir).await?;
    let copy = |object: toji_store::Object| Copy {
        task: None,
        name: String::new(),
        from: object.key.clone(),
        to: object.key,
        size: object.size,
    };
    let copies: Vec<Copy> = objects.into_iter().map(copy).collect();
    copy_all(&cx.hub, &copies, Some(class.as_deref().unwrap_or("STANDARD"))).await
}

async fn note(cx: &mut Cx, build: &Build, volume: &Volume, lease: files::Lease) -> Result<()> {
    let mut tx = cx.transaction().await?;
    // the volume may be removed, or the build reset, meanwhile
    let set = sqlx::query!(
        "UPDATE build SET volume_id = volume.id FROM volume
         WHERE build.id = $1 AND build.volume_id = $2 AND build.state IN (1, 2) AND volume.id = $3",
        build.id.0,
        build.volume_id.0,
        volume.id.0
    )
    .execute(tx.db().await?)
    .await?;
    if set.rows_affected() == 0 {
        return Err(Error::conflict(format!("build {} was changed while its files were being moved", build.nvr)));
    }
    lease.release(tx.db().await?).await?;
    history::note(&mut tx, &[build.id]).await?;
    tag::note_update(&mut tx, build.id, tag::Update::VolumeChange).await?;
    tx.commit().await
}
