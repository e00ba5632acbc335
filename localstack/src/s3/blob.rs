//! The bytes: files with random names under `blobs/`, through `object_store`.
//!
//! Names are ours and never derived from keys, so no key can be too long, collide or climb out of the directory. A blob
//! is written once and never changed. It counts from the moment that the journal names it; what no journal line names is
//! removed, by [`Drop`] while running and by [`Blobs::sweep`] after a crash.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use object_store::local::LocalFileSystem;
use object_store::{
    CopyOptions, GetOptions, GetResultPayload, MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions,
    PutPayload,
};
use s3s::StdError;
use serde::{Deserialize, Serialize};

use super::checksum::{Algorithm, Digests, Hasher};

/// A body is written in pieces of this size, so an upload holds about two of them in memory.
const WRITE_PIECE: usize = 1 << 20;
/// And read in pieces of this size.
const READ_PIECE: u64 = 256 << 10;
/// Hashing less than this is cheaper than moving it to another thread.
const HASH_INLINE: usize = 32 << 10;

/// One file under `blobs/`.
///
/// Dropping the last handle of a blob that nothing names any more removes the file; a reader's handle therefore keeps a
/// replaced object readable to its end.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Blob {
    name: String,
    size: u64,
    /// Unset while the journal is replayed: those handles own nothing.
    #[serde(skip)]
    file: OnceLock<PathBuf>,
    #[serde(skip)]
    unwanted: AtomicBool,
}

impl Blob {
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The journal names it now.
    pub(super) fn keep(&self) {
        self.unwanted.store(false, Ordering::Relaxed);
    }

    /// The journal no longer names it.
    pub(super) fn give_up(&self) {
        self.unwanted.store(true, Ordering::Relaxed);
    }

    fn location(&self) -> object_store::path::Path {
        location(&self.name)
    }
}

impl Drop for Blob {
    fn drop(&mut self) {
        if !*self.unwanted.get_mut() {
            return;
        }
        if let Some(file) = self.file.get()
            && let Err(error) = std::fs::remove_file(file)
        {
            tracing::warn!(%error, blob = self.name, "cannot remove a blob; the next start will");
        }
    }
}

/// 256 folders, for the sake of file systems that dislike large ones.
fn location(name: &str) -> object_store::path::Path {
    object_store::path::Path::from(format!("{}/{name}", &name[..2]))
}

/// All blobs of one server.
#[derive(Clone, Debug)]
pub(super) struct Blobs {
    root: PathBuf,
    files: Arc<LocalFileSystem>,
}

/// Why a body could not be stored.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The client went away, or what it sent does not match what it signed.
    #[error("the body: {0}")]
    Body(StdError),
    #[error(transparent)]
    Store(#[from] object_store::Error),
    #[error(transparent)]
    Hash(#[from] tokio::task::JoinError),
}

impl Blobs {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(root)?;
        let files = LocalFileSystem::new_with_prefix(root)?;
        Ok(Self { root: root.to_owned(), files: Arc::new(files) })
    }

    /// Stores a body and sums it on the way. The blob is unwanted until [`Blob::keep`].
    pub(super) async fn write(
        &self,
        mut body: impl Stream<Item = Result<Bytes, StdError>> + Unpin,
        algorithm: Option<Algorithm>,
    ) -> Result<(Arc<Blob>, Digests), WriteError> {
        let name = format!("{:032x}", rand::random::<u128>());
        let mut hasher = Hasher::new(algorithm);
        let mut size = 0;
        let mut upload: Option<Box<dyn MultipartUpload>> = None;
        loop {
            let piece = next_piece(&mut body).await.map_err(WriteError::Body)?;
            let length: usize = piece.iter().map(Bytes::len).sum();
            size += length as u64;
            let last = length < WRITE_PIECE;
            let payload = PutPayload::from_iter(piece.iter().cloned());
            hasher = match &mut upload {
                None if last => {
                    let options = PutOptions::default();
                    let target = location(&name);
                    let stored = self.files.put_opts(&target, payload, options);
                    let (stored, hasher) = tokio::join!(stored, hash(hasher, piece));
                    stored?;
                    hasher?
                }
                None => {
                    let options = PutMultipartOptions::default();
                    let mut fresh = self.files.put_multipart_opts(&location(&name), options).await?;
                    let (stored, hasher) = tokio::join!(fresh.put_part(payload), hash(hasher, piece));
                    stored?;
                    upload = Some(fresh);
                    hasher?
                }
                Some(upload) => {
                    let (stored, hasher) = tokio::join!(upload.put_part(payload), hash(hasher, piece));
                    stored?;
                    hasher?
                }
            };
            if last {
                break;
            }
        }
        if let Some(mut upload) = upload {
            upload.complete().await?;
        }
        Ok((self.fresh(name, size), hasher.finish()))
    }

    /// A second blob with the same bytes, for the price of a name.
    pub(super) async fn link(&self, blob: &Blob) -> object_store::Result<Arc<Blob>> {
        let name = format!("{:032x}", rand::random::<u128>());
        let options = CopyOptions::default();
        self.files.copy_opts(&blob.location(), &location(&name), options).await?;
        Ok(self.fresh(name, blob.size))
    }

    /// The bytes in `range` of the blobs, one behind the other.
    pub(super) async fn read(
        &self,
        blobs: &[Arc<Blob>],
        range: Range<u64>,
    ) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + Sync + Unpin + use<>> {
        // The receiving end of a channel is the one simple stream that is `Sync`, as s3s wants it.
        let (sender, mut receiver) = tokio::sync::mpsc::channel(2);
        let stretches = stretches(blobs, range);
        match stretches.as_slice() {
            [] => {}
            [(blob, stretch)] if stretch.end - stretch.start <= READ_PIECE => {
                let piece = read_piece(self.file(blob).await?, stretch.clone()).await?;
                let _room_for_two = sender.try_send(Ok(piece));
            }
            _ => {
                let this = self.clone();
                tokio::spawn(async move {
                    for (blob, stretch) in stretches {
                        if let Err(error) = this.send(&blob, stretch, &sender).await {
                            let _reader_may_be_gone = sender.send(Err(error)).await;
                            return;
                        }
                    }
                });
            }
        }
        Ok(futures::stream::poll_fn(move |context| receiver.poll_recv(context)))
    }

    /// Sends a stretch of a blob, piece by piece.
    async fn send(
        &self,
        blob: &Blob,
        stretch: Range<u64>,
        to: &tokio::sync::mpsc::Sender<io::Result<Bytes>>,
    ) -> io::Result<()> {
        let file = self.file(blob).await?;
        let mut at = stretch.start;
        while at < stretch.end {
            let end = stretch.end.min(at + READ_PIECE);
            let piece = read_piece(file.clone(), at..end).await?;
            if to.send(Ok(piece)).await.is_err() {
                return Err(io::Error::from(io::ErrorKind::BrokenPipe));
            }
            at = end;
        }
        Ok(())
    }

    async fn file(&self, blob: &Blob) -> io::Result<Arc<File>> {
        let options = GetOptions::default();
        let found = self.files.get_opts(&blob.location(), options).await?;
        match found.payload {
            GetResultPayload::File(file, _) => Ok(Arc::new(file)),
            GetResultPayload::Stream(_) => Err(io::Error::other("a local file came as a stream")),
        }
    }

    fn fresh(&self, name: String, size: u64) -> Arc<Blob> {
        let blob = Blob { name, size, file: OnceLock::new(), unwanted: AtomicBool::new(true) };
        self.own(&blob);
        Arc::new(blob)
    }

    /// Makes a handle responsible for its file. A handle from the journal becomes so when the replay is over.
    pub(super) fn own(&self, blob: &Blob) {
        let file = self.root.join(&blob.name[..2]).join(&blob.name);
        let _already = blob.file.set(file);
    }

    /// Removes every file that is none of `wanted`, and says how many. Only before serving: an upload under way looks
    /// like rubbish.
    pub(super) fn sweep<'a>(&self, wanted: impl IntoIterator<Item = &'a Blob>) -> io::Result<usize> {
        let wanted: HashSet<&str> = wanted.into_iter().map(|blob| blob.name.as_str()).collect();
        let mut removed = 0;
        for folder in std::fs::read_dir(&self.root)? {
            for file in std::fs::read_dir(folder?.path())? {
                let file = file?;
                let known = file.file_name().to_str().is_some_and(|name| wanted.contains(name));
                if !known {
                    std::fs::remove_file(file.path())?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}

/// Collects chunks of a body until they make a piece; less than a piece is the end.
async fn next_piece(body: &mut (impl Stream<Item = Result<Bytes, StdError>> + Unpin)) -> Result<Vec<Bytes>, StdError> {
    let mut piece = Vec::new();
    let mut length = 0;
    while length < WRITE_PIECE {
        let Some(chunk) = body.next().await else {
            break;
        };
        let chunk = chunk?;
        length += chunk.len();
        piece.push(chunk);
    }
    Ok(piece)
}

/// Hashes a piece, beside the reactor if it is long.
async fn hash(mut hasher: Hasher, piece: Vec<Bytes>) -> Result<Hasher, tokio::task::JoinError> {
    let short = piece.iter().map(Bytes::len).sum::<usize>() <= HASH_INLINE;
    let update = move || {
        for chunk in &piece {
            hasher.update(chunk);
        }
        hasher
    };
    if short {
        return Ok(update());
    }
    tokio::task::spawn_blocking(update).await
}

async fn read_piece(file: Arc<File>, stretch: Range<u64>) -> io::Result<Bytes> {
    let length = usize::try_from(stretch.end - stretch.start).map_err(io::Error::other)?;
    let read = move || {
        let mut buffer = vec![0; length];
        file.read_exact_at(&mut buffer, stretch.start)?;
        Ok(Bytes::from(buffer))
    };
    tokio::task::spawn_blocking(read).await?
}

/// Which stretch of which blob makes up `range` of all of them together.
fn stretches(blobs: &[Arc<Blob>], range: Range<u64>) -> Vec<(Arc<Blob>, Range<u64>)> {
    let mut found = Vec::new();
    let mut start = 0;
    for blob in blobs {
        let end = start + blob.size;
        let (from, to) = (range.start.max(start), range.end.min(end));
        if from < to {
            found.push((blob.clone(), from - start..to - start));
        }
        start = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;

    fn body(chunks: &[&[u8]]) -> impl Stream<Item = Result<Bytes, StdError>> + Unpin + use<> {
        let chunks: Vec<_> = chunks.iter().map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        futures::stream::iter(chunks)
    }

    async fn read(blobs: &Blobs, pieces: &[Arc<Blob>], range: Range<u64>) -> Vec<u8> {
        let stream = blobs.read(pieces, range).await.unwrap();
        let chunks: Vec<Bytes> = stream.try_collect().await.unwrap();
        chunks.concat()
    }

    fn files(dir: &Path) -> usize {
        std::fs::read_dir(dir).unwrap().map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
    }

    #[tokio::test]
    async fn ranges_cross_blobs_and_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let large: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
        let chunks: Vec<&[u8]> = large.chunks(70_001).collect();
        let (first, digests) = blobs.write(body(&chunks), None).await.unwrap();
        let (second, _) = blobs.write(body(&[b"tail"]), None).await.unwrap();
        let (nothing, _) = blobs.write(body(&[]), None).await.unwrap();
        assert_eq!((first.size(), nothing.size()), (3_000_000, 0));
        let mut hasher = Hasher::new(None);
        hasher.update(&large);
        assert_eq!(digests.etag(), hasher.finish().etag());

        let all = [first, nothing, second];
        let whole = read(&blobs, &all, 0..3_000_004).await;
        assert_eq!(whole, [large.as_slice(), b"tail"].concat());
        assert_eq!(read(&blobs, &all, 2_999_999..3_000_002).await, [large[2_999_999], b't', b'a']);
        assert_eq!(read(&blobs, &all, 5..5).await, b"");
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let broken = [Ok(Bytes::from_static(b"a")), Err("gone".into())];
        let error = blobs.write(futures::stream::iter(broken), None).await;
        assert!(matches!(error, Err(WriteError::Body(_))));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn only_kept_blobs_stay() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let (kept, _) = blobs.write(body(&[b"kept"]), None).await.unwrap();
        kept.keep();
        let (lost, _) = blobs.write(body(&[b"lost"]), None).await.unwrap();
        let copy = blobs.link(&lost).await.unwrap();
        copy.keep();
        drop((lost, kept));
        assert_eq!(files(dir.path()), 2);
        // A replaced blob stays readable for who holds it.
        copy.give_up();
        let held = [copy];
        assert_eq!(read(&blobs, &held, 0..4).await, b"lost");
        drop(held);
        assert_eq!(files(dir.path()), 1);
        assert_eq!(blobs.sweep([]).unwrap(), 1);
    }
}
