//! The data files of repos: stored once for all repos of a tag that are made of them, and deleted when none is.
//!
//! A file is noted before it is stored. When the last repo that is made of it is gone, it stays for a while, for readers who have begun
//! with that repo; then its row is marked, its object deleted, and the row after it. Who wants to use it between these steps waits.

use std::path::Path;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{
    Either, PgConnection,
    postgres::{PgAdvisoryLock, PgAdvisoryLockKey},
};
use toji_protocol::{id::RepoId, object_key};
use toji_repodata::repo::RepoFile;
use toji_store::StoreError;

use super::passes::Budget;
use crate::{Error, Hub, Result};

/// A file that no repo is made of is kept so long.
const UNUSED_FOR: TimeDelta = TimeDelta::days(1);
/// Files that are deleted in one go.
const BATCH: i64 = 500;
/// Held by who deletes.
const SWEEP_LOCK: i64 = 7071;

/// Where a file's bytes are.
pub(super) enum Content<'a> {
    /// On disk.
    File(&'a Path),
    /// In memory.
    Bytes(Bytes),
    /// In this folder, or so it should be.
    In(&'a str),
}

/// Notes that a repo is made of files, in the folder of its tag's repos.
///
/// # Errors
/// [`Error::Unavailable`] when one of them is just being deleted.
pub(super) async fn note(hub: &Hub, repo: RepoId, folder: &str, files: &[RepoFile], now: DateTime<Utc>) -> Result<()> {
    let names: Vec<String> = files.iter().map(RepoFile::file_name).collect();
    let mut transaction = hub.pool.begin().await?;
    let noted = sqlx::query_scalar!(
        "INSERT INTO repo_data (folder, name, used_at) SELECT $1, name, $3 FROM unnest($2::text[]) AS name ORDER BY name
         ON CONFLICT (folder, name) DO UPDATE SET used_at = greatest(repo_data.used_at, excluded.used_at)
         WHERE NOT repo_data.deleting RETURNING id",
        folder,
        &names,
        now
    )
    .fetch_all(&mut *transaction)
    .await?;
    if noted.len() < names.len() {
        return Err(Error::Unavailable(anyhow::anyhow!("a file of {folder} is just being deleted: {names:?}")));
    }
    sqlx::query!(
        "INSERT INTO repo_file (repo_id, data_id) SELECT $1, id FROM unnest($2::bigint[]) AS id ON CONFLICT DO NOTHING",
        repo.0,
        &noted
    )
    .execute(&mut *transaction)
    .await?;
    Ok(transaction.commit().await?)
}

/// Stores a file that was noted, unless it is there. Answers whether it is there now; not when it should have been in another folder, and
/// is not.
///
/// # Errors
/// When S3 is away.
pub(super) async fn store(hub: &Hub, folder: &str, file: &RepoFile, content: Content<'_>) -> Result<bool> {
    const TYPE: &str = "application/octet-stream";
    let (name, size) = (file.file_name(), file.size as i64);
    let key = object_key::shared_data(folder, &name);
    if hub.store.head(&key).await?.is_some_and(|object| object.size == size) {
        return Ok(true);
    }
    match content {
        Content::File(path) => hub.store.put_file(&key, path, TYPE).await?,
        Content::Bytes(bytes) => hub.store.put(&key, bytes, TYPE).await?,
        Content::In(other) if other == folder => return Ok(false),
        Content::In(other) => match hub.store.copy(&object_key::shared_data(other, &name), &key, size, None).await {
            Err(StoreError::Missing(_)) => return Ok(false),
            copied => copied?,
        },
    }
    Ok(true)
}

/// Notes and stores a file that is small.
///
/// # Errors
/// As with [`note`] and [`store`].
pub(super) async fn add(
    hub: &Hub,
    repo: RepoId,
    folder: &str,
    file: &RepoFile,
    bytes: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<()> {
    note(hub, repo, folder, std::slice::from_ref(file), now).await?;
    store(hub, folder, file, Content::Bytes(bytes.into())).await.map(drop)
}

/// Repos are gone: they are made of nothing any more.
///
/// # Errors
/// When the database is away.
pub(super) async fn forget(conn: &mut PgConnection, repos: &[i64], now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "WITH gone AS (DELETE FROM repo_file WHERE repo_id = ANY($1) RETURNING data_id)
         UPDATE repo_data SET used_at = greatest(used_at, $2) WHERE id IN (SELECT data_id FROM gone)",
        repos,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes files that no repo has been made of for a while. Answers how many. Of two who do so at once, one does nothing; it may begin
/// again at any step.
///
/// # Errors
/// When something is away; what was done stands.
pub(super) async fn sweep(hub: &Hub, budget: Budget) -> Result<usize> {
    // A second one might delete what has been noted and stored again since the first has.
    let lock = PgAdvisoryLock::with_key(PgAdvisoryLockKey::BigInt(SWEEP_LOCK));
    let Either::Left(mut alone) = lock.try_acquire(hub.pool.acquire().await?).await? else { return Ok(0) };
    let swept = sweep_alone(hub, &mut alone, budget).await;
    alone.release_now().await?;
    swept
}

async fn sweep_alone(hub: &Hub, conn: &mut PgConnection, budget: Budget) -> Result<usize> {
    let mut deleted = 0;
    while !budget.is_spent() {
        // who notes a file meanwhile holds its row until then, and is seen by its time
        let doomed = sqlx::query!(
            "UPDATE repo_data SET deleting = true WHERE id IN (
                 SELECT id FROM repo_data WHERE deleting OR used_at < $1
                     AND NOT EXISTS (SELECT FROM repo_file WHERE data_id = repo_data.id)
                 ORDER BY used_at LIMIT $2 FOR UPDATE)
             RETURNING id, folder, name",
            budget.now() - UNUSED_FOR,
            BATCH
        )
        .fetch_all(&mut *conn)
        .await?;
        let (ids, keys): (Vec<i64>, Vec<String>) =
            doomed.iter().map(|row| (row.id, object_key::shared_data(&row.folder, &row.name))).unzip();
        if ids.is_empty() {
            break;
        }
        hub.store.delete_all(&keys).await?;
        sqlx::query!("DELETE FROM repo_data WHERE id = ANY($1) AND deleting", &ids).execute(&mut *conn).await?;
        deleted += ids.len();
    }
    Ok(deleted)
}

/// When the next one can be deleted, as things are.
///
/// # Errors
/// When the database is away.
pub(super) async fn due(conn: &mut PgConnection) -> Result<Option<DateTime<Utc>>> {
    let oldest = sqlx::query_scalar!(
        "SELECT min(used_at) FROM repo_data WHERE NOT EXISTS (SELECT FROM repo_file WHERE data_id = repo_data.id)"
    );
    Ok(oldest.fetch_one(conn).await?.map(|time| time + UNUSED_FOR))
}
