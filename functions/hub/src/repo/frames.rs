//! A repo's primary, filelists and other, put together from frames: those of a repo before that hold what they should are taken over as
//! they are, and the rest is made.
//!
//! A few frames at a time are in memory. The files grow on disk, since their names are known only when they are whole.

use std::{io::BufWriter, ops::Range};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use tempfile::NamedTempFile;
use toji_protocol::object_key;
use toji_repodata::repo::{
    Compression, DataKind, Frame, FrameIndex, Frames, IndexedChunk, RepoError, RepoFile, RepoFileWriter, Settings, Step,
};
use toji_store::StoreError;
use tokio::{sync::mpsc, task::JoinHandle};

use super::members::Members;
use crate::{Error, Hub, Result};

/// Of the three files together, so many bytes of the repo before are read at once.
const RUN: u64 = 8 << 20;
/// Runs and chunks that are on their way at once.
const AT_ONCE: usize = 4;
/// The files that list packages.
const KINDS: [DataKind; 3] = [DataKind::Primary, DataKind::Filelists, DataKind::Other];

/// A chunk that the repo is to have.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    /// What is in it.
    pub(super) id: String,
    /// Its packages.
    pub(super) members: Range<usize>,
}

/// A repo whose frames may be taken over.
#[derive(Clone, Debug)]
pub(super) struct Before {
    /// The folder of its tag's repos.
    pub(super) folder: String,
    /// Its frames.
    pub(super) index: FrameIndex,
}

/// The files of a repo.
pub(super) struct Assembled {
    /// What they are, and the frames in them.
    pub(super) index: FrameIndex,
    /// The files themselves; None when they are those of the repo before.
    pub(super) spooled: Option<[NamedTempFile; 3]>,
    /// Chunks that were made; the others were taken over.
    pub(super) made: usize,
}

/// Why frames could not be put together.
enum Failed {
    /// The repo before is not what its index says.
    Before(String),
    Other(Error),
}

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

type Attempt<T> = std::result::Result<T, Failed>;

/// Frames of the three files that belong together.
struct Piece {
    chunks: Vec<IndexedChunk>,
    runs: [Run; 3],
}

/// Frames in a row of one file.
struct Run {
    bytes: Bytes,
    open_size: u64,
    packages: u64,
}

/// Puts the files together. What is not to be had of the repo before is made.
///
/// # Errors
/// When a package's metadata, S3 or the disk is away.
pub(super) async fn assemble(
    hub: &Hub,
    settings: Settings,
    chunks: &[Chunk],
    before: Option<&Before>,
    members: &Members<'_>,
) -> Result<Assembled> {
    if let Some(before) = before {
        match with(hub, settings, chunks, Some(before), members).await {
            Err(Failed::Before(why)) => tracing::warn!(folder = before.folder, why, "all is made anew"),
            Err(Failed::Other(error)) => return Err(error),
            Ok(assembled) => return Ok(assembled),
        }
    }
    with(hub, settings, chunks, None, members).await.map_err(|failed| match failed {
        Failed::Other(error) => error,
        Failed::Before(why) => Error::internal(anyhow::anyhow!(why)),
    })
}

async fn with(
    hub: &Hub,
    settings: Settings,
    chunks: &[Chunk],
    before: Option<&Before>,
    members: &Members<'_>,
) -> Attempt<Assembled> {
    let ids: Vec<&str> = chunks.iter().map(|chunk| chunk.id.as_str()).collect();
    let steps = match before {
        Some(before) => before.index.steps(&ids, settings),
        None => (0..chunks.len()).map(Step::Make).collect(),
    };
    if let Some(before) = before
        && before.index.is_whole(&steps, settings)
    {
        return Ok(Assembled { index: before.index.clone(), spooled: None, made: 0 });
    }
    let made = steps.iter().filter(|step| matches!(step, Step::Make(_))).count();
    let packages = chunks.iter().map(|chunk| chunk.members.len() as u64).sum();
    let (senders, writers): (Vec<_>, Vec<_>) = KINDS.map(|kind| spool(kind, packages, settings)).into_iter().unzip();

    let steps = steps.into_iter().flat_map(|step| match (step, before) {
        (Step::Copy(run), Some(before)) => before.index.pieces(run, RUN).into_iter().map(Step::Copy).collect(),
        (step, _) => vec![step],
    });
    let mut pieces = stream::iter(steps)
        .map(|step| async move {
            match (step, before) {
                (Step::Copy(run), Some(before)) => copy(hub, before, run).await,
                (Step::Copy(_), None) => Err(Failed::Before("there is none".to_owned())),
                (Step::Make(number), _) => make(&chunks[number], members, settings.compression).await,
            }
        })
        .buffered(AT_ONCE);
    let mut indexed = Vec::with_capacity(chunks.len());
    'pieces: while let Some(piece) = pieces.try_next().await? {
        indexed.extend(piece.chunks);
        for (sender, run) in senders.iter().zip(piece.runs) {
            if sender.send(run).await.is_err() {
                // its writer has failed, and says below why
                break 'pieces;
            }
        }
    }
    drop((pieces, senders));
    let mut written = Vec::with_capacity(KINDS.len());
    for writer in writers {
        let spooled = writer.await.map_err(Error::internal)?;
        written.push(spooled.map_err(|error| match before {
            Some(_) => Failed::Before(error.to_string()),
            None => Failed::Other(Error::internal(error)),
        })?);
    }
    let [(primary, a), (filelists, b), (other, c)] =
        <[_; 3]>::try_from(written).map_err(|_| Error::internal(anyhow::anyhow!("three files were written")))?;
    let index = FrameIndex {
        begins: [primary.1, filelists.1, other.1],
        files: [primary.0, filelists.0, other.0],
        chunks: indexed,
    };
    Ok(Assembled { index, spooled: Some([a, b, c]), made })
}

type Spooled = ((RepoFile, u64), NamedTempFile);

/// Begins to write a file on disk; answers where its frames go.
fn spool(
    kind: DataKind,
    packages: u64,
    settings: Settings,
) -> (mpsc::Sender<Run>, JoinHandle<std::result::Result<Spooled, RepoError>>) {
    let (sender, mut runs) = mpsc::channel::<Run>(AT_ONCE);
    let writing = tokio::task::spawn_blocking(move || {
        let out = BufWriter::with_capacity(1 << 20, NamedTempFile::new()?);
        let mut writer = RepoFileWriter::new(kind, packages, settings, out)?;
        let begins = writer.written();
        while let Some(run) = runs.blocking_recv() {
            writer.frames(Frames { bytes: &run.bytes, open_size: run.open_size, packages: run.packages })?;
        }
        let (file, out) = writer.finish()?;
        let out = out.into_inner().map_err(|error| RepoError::Io(error.into_error()))?;
        Ok(((file, begins), out))
    });
    (sender, writing)
}

/// Frames of the repo before.
async fn copy(hub: &Hub, before: &Before, run: Range<usize>) -> Attempt<Piece> {
    let chunks = &before.index.chunks[run.clone()];
    let read = async |file: usize| {
        let key = object_key::shared_data(&before.folder, &before.index.files[file].file_name());
        let range = before.index.bytes(run.clone(), file);
        let wanted = range.end - range.start;
        match hub.store.get_range(&key, range).await {
            Ok(bytes) if bytes.len() as u64 == wanted => Ok(Run {
                bytes,
                open_size: chunks.iter().map(|chunk| chunk.open_sizes[file]).sum(),
                packages: chunks.iter().map(|chunk| chunk.packages).sum(),
            }),
            Ok(bytes) => Err(Failed::Before(format!("{key} gives {} bytes of {wanted}", bytes.len()))),
            Err(error @ (StoreError::Missing(_) | StoreError::Mismatch { .. })) => {
                Err(Failed::Before(error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    };
    let (primary, filelists, other) = tokio::try_join!(read(0), read(1), read(2))?;
    Ok(Piece { chunks: chunks.to_vec(), runs: [primary, filelists, other] })
}

/// Frames that are made.
async fn make(chunk: &Chunk, members: &Members<'_>, compression: Compression) -> Attempt<Piece> {
    let packages = members.load(chunk.members.clone()).await?;
    let frames =
        tokio::task::spawn_blocking(move || packages.compress(compression)).await.map_err(Error::internal)??;
    let size = |number: fn(&Frame) -> u64| [0, 1, 2].map(|file: usize| number(&frames[file]));
    let indexed = IndexedChunk {
        id: chunk.id.clone(),
        packages: chunk.members.len() as u64,
        sizes: size(|frame| frame.bytes.len() as u64),
        open_sizes: size(|frame| frame.open_size),
    };
    let runs =
        frames.map(|frame| Run { bytes: frame.bytes.into(), open_size: frame.open_size, packages: frame.packages });
    Ok(Piece { chunks: vec![indexed], runs })
}
