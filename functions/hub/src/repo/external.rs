//! External repos as they are kept in S3: each state of one is read once, told by its `repomd.xml`, whoever uses it.

use std::{collections::HashMap, fs::File, future::Future, path::Path, pin::Pin};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};
use toji_protocol::object_key;
use toji_repodata::{
    external::{ExternalError, Record, Repomd, Snapshot, merge_modules, merge_updateinfo, take},
    fragment::Fragments,
    repo::DataKind,
};
use toji_store::StoreError;

use crate::{Error, Hub, Result, error::FaultCode};

/// The answer of [`Fetch::fetch`]; the error is a sentence.
pub type Fetched<'a> = Pin<Box<dyn Future<Output = std::result::Result<Bytes, String>> + Send + 'a>>;
/// The answer of [`Fetch::download`]; the error is a sentence.
pub type Downloaded<'a> = Pin<Box<dyn Future<Output = std::result::Result<(), String>> + Send + 'a>>;

/// Reads external repos.
pub trait Fetch: Send + Sync {
    /// The bytes at a URL, which are few.
    fn fetch<'a>(&'a self, url: &'a str) -> Fetched<'a>;

    /// Writes what is at a URL, however large, into a file.
    fn download<'a>(&'a self, url: &'a str, to: &'a Path) -> Downloaded<'a>;
}

/// What bare mode carries beside packages.
pub(super) const CARRIED: [DataKind; 2] = [DataKind::Updateinfo, DataKind::Modules];
/// The object that is written last: where it is, the others are.
const LIST: &str = "packages.json.zst";
const FRAGMENTS: &str = "fragments";
/// Chunks of fragments that are read at once.
const AT_ONCE: usize = 4;

/// An external repo of an architecture, as it is now.
pub(super) struct External {
    /// Its base URL, without a slash at the end.
    pub(super) url: String,
    /// Its state's id.
    id: String,
    /// Its packages.
    pub(super) snapshot: Snapshot,
    /// What else it has, of [`CARRIED`].
    carried: Vec<DataKind>,
}

fn broken(url: &str, error: impl std::fmt::Display) -> Error {
    Error::Invalid(FaultCode::Generic, format!("external repo {url}: {error}"))
}

/// An external repo as it is now. A state that is not known yet is read whole, and kept.
///
/// # Errors
/// When it cannot be reached, or is broken; with a sentence that names it.
pub(super) async fn read(hub: &Hub, url: &str, fetch: &dyn Fetch) -> Result<External> {
    let url = url.trim_end_matches('/').to_owned();
    let repomd = fetch.fetch(&format!("{url}/repodata/repomd.xml")).await.map_err(|error| broken(&url, error))?;
    let id = hex::encode(Sha256::digest(&repomd));
    let index = Repomd::parse(&repomd).map_err(|error| broken(&url, error))?;
    let carried = CARRIED.into_iter().filter(|kind| index.record(kind.name()).is_some()).collect();
    let snapshot = match hub.store.get(&object_key::external_repo(&id, LIST)).await {
        Ok(kept) => tokio::task::spawn_blocking(move || Snapshot::decode(&kept)).await.map_err(Error::internal)?,
        Err(StoreError::Missing(_)) => return take_over(hub, url, id, &index, carried, fetch).await,
        Err(error) => return Err(error.into()),
    };
    let snapshot = snapshot.map_err(Error::internal)?;
    Ok(External { url, id, snapshot, carried })
}

async fn take_over(
    hub: &Hub,
    url: String,
    id: String,
    index: &Repomd,
    carried: Vec<DataKind>,
    fetch: &dyn Fetch,
) -> Result<External> {
    tracing::info!(url, id, "an external repo has changed: it is read");
    let dir = TempDir::new().map_err(Error::internal)?;
    let record = |kind: &str| {
        let record = index.record(kind).cloned();
        record.ok_or_else(|| broken(&url, format!("its repomd.xml names no {kind}")))
    };
    let mut files = Vec::new();
    for kind in ["primary", "filelists", "other"].into_iter().chain(carried.iter().map(|kind| kind.name())) {
        let record = record(kind)?;
        let base = record.base.as_deref().unwrap_or(&url).trim_end_matches('/');
        let path = dir.path().join(kind);
        let from = format!("{base}/{}", record.href);
        fetch.download(&from, &path).await.map_err(|error| broken(&url, error))?;
        files.push((record, path));
    }
    let extras = files.split_off(3);
    let out = NamedTempFile::new().map_err(Error::internal)?;
    let (out, snapshot) = tokio::task::spawn_blocking(move || {
        let open = |(record, path): &(Record, std::path::PathBuf)| record.reader(File::open(path)?);
        let readers = [open(&files[0])?, open(&files[1])?, open(&files[2])?];
        let mut spool = tempfile::tempfile()?;
        let snapshot = take(readers, &mut spool, &mut std::io::BufWriter::new(out.as_file()))?;
        Ok((out, snapshot))
    })
    .await
    .map_err(Error::internal)?
    .map_err(|error: ExternalError| broken(&url, error))?;
    let key = |name: &str| object_key::external_repo(&id, name);
    hub.store.put_file(&key(FRAGMENTS), out.path(), "application/octet-stream").await?;
    for (kind, (record, path)) in carried.iter().zip(extras) {
        let plain = plain(&record, &path).map_err(|error| broken(&url, error))?;
        // what does not merge is found here, and not when it has been kept
        merge(*kind, &[&plain]).map_err(|error| broken(&url, error))?;
        hub.store.put(&key(kind.name()), plain, "text/plain").await?;
    }
    let list = snapshot.encode().map_err(Error::internal)?;
    hub.store.put(&key(LIST), list, "application/octet-stream").await?;
    Ok(External { url, id, snapshot, carried })
}

fn plain(record: &Record, path: &Path) -> std::result::Result<Vec<u8>, ExternalError> {
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut record.reader(File::open(path)?)?, &mut plain)?;
    Ok(plain)
}

fn merge(kind: DataKind, texts: &[impl AsRef<[u8]>]) -> std::result::Result<Vec<u8>, ExternalError> {
    if kind == DataKind::Modules { merge_modules(texts) } else { merge_updateinfo(texts) }
}

/// What external repos carry of a kind, of [`CARRIED`], together; None when none has any.
///
/// # Errors
/// When S3 is away.
pub(super) async fn carried(hub: &Hub, repos: &[External], kind: DataKind) -> Result<Option<Vec<u8>>> {
    let mut texts: Vec<Bytes> = Vec::new();
    for repo in repos {
        texts.extend(repo.carried(hub, kind).await?);
    }
    if texts.is_empty() {
        return Ok(None);
    }
    merge(kind, &texts).map(Some).map_err(Error::internal)
}

impl External {
    /// What it carries of a kind, as plain text.
    async fn carried(&self, hub: &Hub, kind: DataKind) -> Result<Option<Bytes>> {
        if !self.carried.contains(&kind) {
            return Ok(None);
        }
        Ok(Some(hub.store.get(&object_key::external_repo(&self.id, kind.name())).await?))
    }

    /// The fragments of packages, by their places in the list.
    pub(super) async fn fragments(&self, hub: &Hub, packages: &[usize]) -> Result<HashMap<usize, Fragments>> {
        let mut chunks: Vec<_> = packages.iter().map(|package| self.snapshot.chunk_of(*package)).collect();
        chunks.sort_unstable_by_key(|(packages, _)| packages.start);
        chunks.dedup();
        let key = object_key::external_repo(&self.id, FRAGMENTS);
        let read = stream::iter(chunks).map(|(places, bytes)| {
            let key = &key;
            async move {
                let kept = hub.store.get_range(key, bytes).await?;
                let fragments = tokio::task::spawn_blocking(move || Snapshot::fragments(&kept)).await;
                let fragments = fragments.map_err(Error::internal)?.map_err(Error::internal)?;
                Ok::<_, Error>(places.zip(fragments))
            }
        });
        let read: Vec<_> = read.buffered(AT_ONCE).try_collect().await?;
        Ok(read.into_iter().flatten().collect())
    }
}
