//! Reading other people's repositories: streaming, with their checksums checked on the way.
//!
//! 1. [`Repomd::parse`] the bytes of `repodata/repomd.xml`.
//! 2. Open a record's downloaded bytes with [`Record::reader`].
//! 3. Read packages with [`PrimaryReader`] and [`FragmentReader`], or [`take`] them all into a [`Snapshot`] to keep.

mod carried;
mod checked;
mod decompress;
mod package;
mod pieces;
mod repomd;
mod snapshot;

pub use carried::{merge_modules, merge_updateinfo};
pub use package::{ExternalPackage, FragmentReader, OwnedLocation, PrimaryReader};
pub use repomd::{Checksum, Record, Repomd};
pub use snapshot::{Snapshot, SnapshotPackage, take};

/// Why an external repository could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    /// Reading failed; with [`std::io::ErrorKind::InvalidData`], the bytes are not those that `repomd.xml` describes.
    #[error("cannot read an external repository: {0}")]
    Io(#[from] std::io::Error),
    /// Its XML is broken.
    #[error("an external repository's metadata is not well-formed: {0}")]
    Xml(String),
    /// Its XML is fine but lacks something.
    #[error("an external repository's metadata is incomplete: {0}")]
    Incomplete(String),
    /// A format that is not supported.
    #[error("an external repository uses {0}, which is not supported: gzip, zstd, xz and plain files are")]
    Unsupported(String),
}

impl From<quick_xml::Error> for ExternalError {
    fn from(error: quick_xml::Error) -> Self {
        Self::Xml(error.to_string())
    }
}

impl From<quick_xml::events::attributes::AttrError> for ExternalError {
    fn from(error: quick_xml::events::attributes::AttrError) -> Self {
        Self::Xml(error.to_string())
    }
}
