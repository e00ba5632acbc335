//! Writing one repository file, frame by frame.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Compression, Frames, RepoError, compress_frame};

/// What a file of a repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataKind {
    /// What a resolver needs of each package.
    Primary,
    /// The files of each package.
    Filelists,
    /// The changelog of each package.
    Other,
    /// Package groups: see [`crate::comps`].
    Group,
    /// Where each package comes from: see [`super::Origins`].
    Origin,
    /// Advisories of external repositories.
    Updateinfo,
    /// Modules of external repositories.
    Modules,
}

impl DataKind {
    /// The name in `repomd.xml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Filelists => "filelists",
            Self::Other => "other",
            Self::Group => "group",
            Self::Origin => "origin",
            Self::Updateinfo => "updateinfo",
            Self::Modules => "modules",
        }
    }

    fn file_name(self) -> &'static str {
        match self {
            Self::Primary => "primary.xml",
            Self::Filelists => "filelists.xml",
            Self::Other => "other.xml",
            Self::Group => "comps.xml",
            Self::Origin => "pkgorigins",
            Self::Updateinfo => "updateinfo.xml",
            Self::Modules => "modules.yaml",
        }
    }

    /// Opening tag with its attributes less the number of packages, and closing tag; for files that list packages.
    fn document(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Primary => Some((
                "<metadata xmlns=\"http://linux.duke.edu/metadata/common\" \
                 xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\"",
                "</metadata>",
            )),
            Self::Filelists => Some(("<filelists xmlns=\"http://linux.duke.edu/metadata/filelists\"", "</filelists>")),
            Self::Other => Some(("<otherdata xmlns=\"http://linux.duke.edu/metadata/other\"", "</otherdata>")),
            Self::Group | Self::Origin | Self::Updateinfo | Self::Modules => None,
        }
    }
}

/// How a repository's files are written.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Compression of every file.
    pub compression: Compression,
    /// Whether `repomd.xml` gives the checksum of the plain bytes too. It is optional, dnf does not look at it, and it
    /// costs a decompression of every frame that is used again.
    pub open_checksum: bool,
}

/// A finished file, as `repomd.xml` describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoFile {
    /// What it holds.
    pub kind: DataKind,
    /// How it is compressed.
    pub compression: Compression,
    /// SHA-256 of the file, hex.
    pub checksum: String,
    /// SHA-256 of the plain bytes, hex, if it was asked for.
    pub open_checksum: Option<String>,
    /// Bytes of the file.
    pub size: u64,
    /// Bytes before compression.
    pub open_size: u64,
}

impl RepoFile {
    /// A name made of the content, such as `<sha256>-primary.xml.gz`: two files of one name are the same file.
    pub fn file_name(&self) -> String {
        format!("{}-{}.{}", self.checksum, self.kind.file_name(), self.compression.extension())
    }
}

/// Plain bytes that [`RepoFileWriter::push`] gathers into one frame: enough to compress well, little to hold.
const FRAME_TARGET: usize = 1 << 20;

/// Writes one file into a [`Write`], hashing what goes in and what comes out. Holds one frame in memory.
#[derive(Debug)]
pub struct RepoFileWriter<W> {
    out: W,
    kind: DataKind,
    compression: Compression,
    hash: Sha256,
    open_hash: Option<Sha256>,
    size: u64,
    open_size: u64,
    packages_expected: u64,
    packages: u64,
    pending: Vec<u8>,
    pending_packages: u64,
}

impl<W: Write> RepoFileWriter<W> {
    /// Starts a file that will list `packages` packages; 0 for a kind that lists none.
    pub fn new(kind: DataKind, packages: u64, settings: Settings, out: W) -> Result<Self, RepoError> {
        let mut writer = Self {
            out,
            kind,
            compression: settings.compression,
            hash: Sha256::new(),
            open_hash: settings.open_checksum.then(Sha256::new),
            size: 0,
            open_size: 0,
            packages_expected: packages,
            packages: 0,
            pending: Vec::new(),
            pending_packages: 0,
        };
        if let Some((opening, _)) = kind.document() {
            let header = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{opening} packages=\"{packages}\">\n");
            writer.plain_frame(header.as_bytes(), 0)?;
        }
        Ok(writer)
    }

    /// Appends frames in a row that [`compress_frame`] has made with this file's compression.
    ///
    /// # Errors
    /// When they do not hold what they should; this is found only where a checksum of the plain bytes is wanted.
    pub fn frames(&mut self, frames: Frames<'_>) -> Result<(), RepoError> {
        self.flush()?;
        if let Some(hash) = &mut self.open_hash {
            let actual = hash_all(&mut *self.compression.decoder(frames.bytes)?, hash)?;
            if actual != frames.open_size {
                return Err(RepoError::FrameSize { expected: frames.open_size, actual });
            }
        }
        self.write(frames)
    }

    /// Bytes of the file so far; what was pushed and is no frame yet is not counted.
    pub fn written(&self) -> u64 {
        self.size
    }

    /// Appends plain bytes: whole `<package>` elements (`packages` of them), or a piece of another kind of file.
    pub fn push(&mut self, open: &[u8], packages: u64) -> Result<(), RepoError> {
        self.pending.extend_from_slice(open);
        self.pending_packages += packages;
        if self.pending.len() < FRAME_TARGET {
            return Ok(());
        }
        self.flush()
    }

    /// Closes the file. Fails if it did not get as many packages as it was to have.
    pub fn finish(mut self) -> Result<(RepoFile, W), RepoError> {
        self.flush()?;
        if self.packages != self.packages_expected {
            let (expected, actual) = (self.packages_expected, self.packages);
            return Err(RepoError::PackageCount { kind: self.kind.name(), expected, actual });
        }
        if let Some((_, closing)) = self.kind.document() {
            self.plain_frame(closing.as_bytes(), 0)?;
        } else if self.size == 0 {
            // An empty file is no gzip or zstd file.
            self.plain_frame(b"", 0)?;
        }
        self.out.flush()?;
        let file = RepoFile {
            kind: self.kind,
            compression: self.compression,
            checksum: hex::encode(self.hash.finalize()),
            open_checksum: self.open_hash.map(|hash| hex::encode(hash.finalize())),
            size: self.size,
            open_size: self.open_size,
        };
        Ok((file, self.out))
    }

    fn flush(&mut self) -> Result<(), RepoError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let (mut pending, packages) = (std::mem::take(&mut self.pending), std::mem::take(&mut self.pending_packages));
        self.plain_frame(&pending, packages)?;
        pending.clear();
        self.pending = pending;
        Ok(())
    }

    fn plain_frame(&mut self, open: &[u8], packages: u64) -> Result<(), RepoError> {
        if let Some(hash) = &mut self.open_hash {
            hash.update(open);
        }
        self.write(compress_frame(open, packages, self.compression)?.borrow())
    }

    fn write(&mut self, frames: Frames<'_>) -> Result<(), RepoError> {
        self.out.write_all(frames.bytes)?;
        self.hash.update(frames.bytes);
        self.size += frames.bytes.len() as u64;
        self.open_size += frames.open_size;
        self.packages += frames.packages;
        Ok(())
    }
}

/// Feeds everything that `reader` gives to `hash`; returns how many bytes that was.
fn hash_all(reader: &mut dyn Read, hash: &mut Sha256) -> io::Result<u64> {
    let (mut buffer, mut total) = (vec![0; 64 << 10], 0);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(total),
            count => {
                hash.update(&buffer[..count]);
                total += count as u64;
            }
        }
    }
}
