//! RPMs that join a build outside of its own task: they are copied while the build's files are leased, then noted in one commit.

use toji_protocol::{id::RpmId, nvr::Nvra, state::BuildState};

use super::{Copy, Home, Incoming, copy_all, keep_signatures, rows};
use crate::{
    Error, Result,
    build::{self, files::Lease, history, kinds},
    call::Cx,
    callback::tell,
    error::FaultCode,
    tag, volume,
};

/// What is to be added to a build.
pub(crate) struct Joining {
    pub(crate) home: Home,
    /// The right to touch its files.
    pub(crate) lease: Lease,
    /// The build was begun for this, and is completed with it.
    pub(crate) is_new: bool,
    pub(crate) rpms: Vec<Incoming>,
    /// The RPMs' files, and others.
    pub(crate) copies: Vec<Copy>,
}

/// Refuses RPMs whose names are taken: their files would be written over.
///
/// # Errors
/// When one is.
pub(crate) async fn check_names(cx: &mut Cx, rpms: &[&Nvra]) -> Result<()> {
    let column = |part: fn(&Nvra) -> &String| rpms.iter().map(|rpm| part(rpm).clone()).collect::<Vec<_>>();
    let taken = sqlx::query!(
        "SELECT rpminfo.name, rpminfo.version, rpminfo.release, rpminfo.arch
         FROM rpminfo JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS new (name, version, release, arch)
             ON rpminfo.name = new.name AND rpminfo.version = new.version AND rpminfo.release = new.release
                 AND rpminfo.arch = new.arch
         WHERE external_repo_id = 0 AND draft IS NOT TRUE LIMIT 1",
        &column(|rpm| &rpm.nvr.name),
        &column(|rpm| &rpm.nvr.version),
        &column(|rpm| &rpm.nvr.release),
        &column(|rpm| &rpm.arch)
    )
    .fetch_optional(cx.db().await?)
    .await?;
    match taken {
        Some(rpm) => Err(Error::invalid(format!(
            "rpm already exists: {}-{}-{}.{}",
            rpm.name, rpm.version, rpm.release, rpm.arch
        ))),
        None => Ok(()),
    }
}

/// Copies the files and notes the RPMs, or leaves everything as it was. Answers the RPMs' ids, in order.
///
/// # Errors
/// When something is away, or the build is not what it was.
pub(crate) async fn join(cx: &mut Cx, joining: Joining) -> Result<Vec<RpmId>> {
    let (home, lease, is_new) = (joining.home.clone(), joining.lease, joining.is_new);
    let hub = cx.hub.clone();
    let mut is_known = true;
    let done = match copy(cx, &joining).await {
        Ok(()) => {
            let noted = note(cx, joining).await;
            // after anything but a rule's no or a deadlock it may have been committed: the sweep pass sees
            is_known = noted.as_ref().err().is_none_or(|error| error.is_rule() || matches!(error, Error::Deadlock(_)));
            noted
        }
        Err(error) => Err(error),
    };
    match &done {
        Err(_) if is_known && is_new => build::files::forget(&hub, home.build, &home.nvr, lease).await,
        Err(_) if is_known => lease.give_up(&hub).await,
        _ => {}
    }
    done
}

async fn copy(cx: &mut Cx, joining: &Joining) -> Result<()> {
    let class = volume::storage_class_of(cx.db().await?, joining.home.build).await?;
    cx.release();
    copy_all(&cx.hub, &joining.copies, class.as_deref()).await?;
    keep_signatures(&cx.hub, &joining.home, &joining.rpms).await
}

async fn note(cx: &mut Cx, joining: Joining) -> Result<Vec<RpmId>> {
    let Joining { home, lease, is_new, rpms, copies } = joining;
    let prepared = rows::Rows::make(rpms)?;
    let mut tx = cx.transaction().await?;
    if is_new {
        complete(&mut tx, &home).await?;
    } else {
        keep(&mut tx, &home).await?;
    }
    let ids = prepared.insert(tx.db().await?, &home).await?;
    tell::imported_rpms(&mut tx, home.build, &ids).await?;
    kinds::add(tx.db().await?, home.build, "rpm").await?;
    rows::moved(tx.db().await?, &copies).await?;
    lease.release(tx.db().await?).await?;
    history::note(&mut tx, &[home.build]).await?;
    tag::note_update(&mut tx, home.build, tag::Update::Import).await?;
    tx.commit().await?;
    Ok(ids)
}

async fn complete(cx: &mut Cx, home: &Home) -> Result<()> {
    let now = cx.now;
    let completed =
        sqlx::query!("UPDATE build SET state = 1, completion_time = $2 WHERE id = $1 AND state = 0", home.build.0, now)
            .execute(cx.db().await?)
            .await?;
    if completed.rows_affected() == 0 {
        return Err(Error::conflict(format!("build {} is no longer being imported", home.nvr)));
    }
    Ok(())
}

/// Sees to it that nobody deletes the build until the commit.
async fn keep(cx: &mut Cx, home: &Home) -> Result<()> {
    let state = sqlx::query_scalar!("SELECT state FROM build WHERE id = $1 FOR NO KEY UPDATE", home.build.0)
        .fetch_optional(cx.db().await?)
        .await?;
    match state.and_then(|state| BuildState::from_number(state.into())) {
        Some(BuildState::Complete) => Ok(()),
        state => {
            let state = state.map_or("gone", BuildState::name);
            Err(Error::Invalid(FaultCode::Generic, format!("Build is {state}: {}", home.nvr)))
        }
    }
}
