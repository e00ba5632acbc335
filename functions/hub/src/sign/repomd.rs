//! Signatures of repos: `repomd.xml.asc` beside each `repomd.xml`.

use chrono::{DateTime, Utc};
use toji_protocol::method::repo::Repo;

use super::{Key, Signed, key, log};
use crate::{Error, Hub, Result};

const CONTENT_TYPE: &str = "application/pgp-signature";

/// A detached signature of a repo's `repomd.xml` of one architecture, if the tag named a key at the repo's event.
///
/// # Errors
/// When the key is away: the text says which, and why.
pub(crate) async fn repomd(
    hub: &Hub,
    repo: &Repo,
    arch: &str,
    repomd: &str,
    now: DateTime<Utc>,
) -> Result<Option<String>> {
    let named = key::of_tag(&mut *hub.pool.acquire().await?, hub, repo.tag_id, Some(repo.create_event)).await?;
    let Some(named) = named else { return Ok(None) };
    let key = Key::open(hub, named).await?;
    let packet = key.signer(hub)?.sign(repomd.as_bytes(), now.timestamp()).await?;
    let mut conn = hub.pool.acquire().await?;
    let user = log::owner(&mut conn, repo.task_id).await?;
    let name = format!("{arch}/repodata/repomd.xml");
    let signed = Signed { tag: repo.tag_id, user, rpm: None, repo: Some(repo.id), name: &name };
    log::note(&mut conn, &key, signed, repomd.as_bytes(), now).await?;
    Ok(Some(toji_keyring::armored(&key.name, &packet)?))
}

/// The signature beside a `repomd.xml` that is replaced in place, put there after it. Two objects are not replaced at once. Readers fetch
/// `repomd.xml` first: so nobody finds the wrong signature who takes longer to come for it than we to write it; the other way round
/// everybody in between would. And who is slower than another that replaces the same pair signs what is there in the end.
///
/// # Errors
/// When S3 or the key is away.
pub(crate) async fn beside_latest(
    hub: &Hub,
    repo: &Repo,
    arch: &str,
    at: &str,
    signature: Option<String>,
    mut written: String,
    now: DateTime<Utc>,
) -> Result<()> {
    const TRIES: usize = 5;
    if signature.is_none() {
        return beside(hub, at, None).await;
    }
    let mut signature = signature;
    for _ in 0..TRIES {
        beside(hub, at, signature.as_deref()).await?;
        let there = hub.store.get(at).await?;
        if there == written.as_bytes() {
            return Ok(());
        }
        written = String::from_utf8_lossy(&there).into_owned();
        signature = repomd(hub, repo, arch, &written, now).await?;
    }
    Err(Error::Unavailable(anyhow::anyhow!("{at} is being replaced all the time")))
}

/// Puts a signature beside the `repomd.xml` at a key; without one, takes away what is there.
///
/// # Errors
/// When S3 is away.
pub(crate) async fn beside(hub: &Hub, repomd: &str, signature: Option<&str>) -> Result<()> {
    let key = format!("{repomd}.asc");
    match signature {
        Some(signature) => hub.store.put(&key, signature.to_owned(), CONTENT_TYPE).await?,
        None => hub.store.delete(&key).await?,
    }
    Ok(())
}
