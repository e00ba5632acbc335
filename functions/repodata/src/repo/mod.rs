//! The files of a repository.
//!
//! A data file is a concatenation of frames, each compressed on its own: one with the opening tag and the number of
//! packages, any number with packages, one with the closing tag. Readers see one stream, since both gzip members and
//! zstd frames may be concatenated; a frame whose packages have not changed need not be compressed again.

mod file;
mod frame;
mod index;
mod origins;
mod packages;
mod repomd;

pub use file::{DataKind, RepoFile, RepoFileWriter, Settings};
pub use frame::{Compression, Frame, Frames, compress_frame};
pub use index::{FrameIndex, IndexedChunk, Step};
pub use origins::Origins;
pub use packages::{ChunkWriter, PackageWriter, RepoPackage};
pub use repomd::repomd;

/// Why a repository file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// Compression, or the place written to, failed.
    #[error("cannot write a repository file: {0}")]
    Io(#[from] std::io::Error),
    /// The opening tag promised another number of packages.
    #[error("a {kind} file was to have {expected} packages but got {actual}")]
    PackageCount {
        /// The file's kind.
        kind: &'static str,
        /// As promised.
        expected: u64,
        /// As written.
        actual: u64,
    },
    /// A stored frame is not what it says it is.
    #[error("a stored frame holds {actual} bytes, but should hold {expected}")]
    FrameSize {
        /// As stored with the frame.
        expected: u64,
        /// As found inside.
        actual: u64,
    },
}
