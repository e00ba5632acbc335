//! Signatures of repos: `repomd.xml.asc` beside each `repomd.xml`.

use chrono::{DateTime, Utc};
use toji_protocol::method::repo::Repo;

use super::{Key, Signed, key, log};
use crate::{Hub, Result};

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
