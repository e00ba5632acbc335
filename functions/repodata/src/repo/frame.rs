//! One independently compressed piece of a repository file.

use std::io::{self, Read, Write};

use flate2::{GzBuilder, read::MultiGzDecoder};
use serde::{Deserialize, Serialize};

/// How repository files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Every dnf and createrepo_c reads it.
    Gzip,
    /// Several times faster to write. dnf reads it; mergerepo_c before 1.0 does not, and does not say so.
    Zstd,
}

/// What createrepo_c uses too.
const GZIP_LEVEL: u32 = 6;
/// zstd's own default.
const ZSTD_LEVEL: i32 = 3;

impl Compression {
    /// Without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Zstd => "zst",
        }
    }

    /// A reader of the plain bytes of frames in a row.
    pub(super) fn decoder<'a>(self, bytes: &'a [u8]) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(bytes)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(bytes)?),
        })
    }
}

/// A compressed piece, to be stored and used again for as long as its packages do not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The compressed bytes.
    pub bytes: Vec<u8>,
    /// Bytes before compression.
    pub open_size: u64,
    /// How many packages it holds.
    pub packages: u64,
}

impl Frame {
    /// As a row of one.
    pub fn borrow(&self) -> Frames<'_> {
        Frames { bytes: &self.bytes, open_size: self.open_size, packages: self.packages }
    }
}

/// Frames in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frames<'a> {
    /// The compressed bytes of all.
    pub bytes: &'a [u8],
    /// Bytes before compression.
    pub open_size: u64,
    /// How many packages they hold.
    pub packages: u64,
}

/// Compresses one frame. The same input always gives the same bytes.
pub fn compress_frame(open: &[u8], packages: u64, compression: Compression) -> io::Result<Frame> {
    let bytes = match compression {
        Compression::Gzip => {
            let room = Vec::with_capacity(open.len() / 4 + 64);
            let mut encoder = GzBuilder::new().mtime(0).write(room, flate2::Compression::new(GZIP_LEVEL));
            encoder.write_all(open)?;
            encoder.finish()?
        }
        Compression::Zstd => zstd::bulk::compress(open, ZSTD_LEVEL)?,
    };
    Ok(Frame { bytes, open_size: open.len() as u64, packages })
}
