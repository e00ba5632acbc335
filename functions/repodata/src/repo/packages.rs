//! The three files that list packages, written side by side.

use std::io::{self, Write};

use super::{Compression, DataKind, Frame, RepoError, RepoFile, RepoFileWriter, Settings, compress_frame};
use crate::fragment::{Location, PrimaryTemplate};

/// One package of a repository: its stored fragments, and where it is in this repository.
#[derive(Debug, Clone, Copy)]
pub struct RepoPackage<'a> {
    /// Primary fragment.
    pub primary: &'a PrimaryTemplate,
    /// Filelists fragment.
    pub filelists: &'a str,
    /// Other fragment.
    pub other: &'a str,
    /// Where the file is.
    pub location: Location<'a>,
    /// Modification time of the file, seconds since 1970.
    pub file_time: u64,
}

/// Writes `primary`, `filelists` and `other` of a repository, package by package.
#[derive(Debug)]
pub struct PackageWriter<W> {
    primary: RepoFileWriter<W>,
    filelists: RepoFileWriter<W>,
    other: RepoFileWriter<W>,
    rendered: Vec<u8>,
}

impl<W: Write> PackageWriter<W> {
    /// Starts the three files of a repository of `packages` packages, in the order primary, filelists, other.
    pub fn new(packages: u64, settings: Settings, outs: [W; 3]) -> Result<Self, RepoError> {
        let [primary, filelists, other] = outs;
        Ok(Self {
            primary: RepoFileWriter::new(DataKind::Primary, packages, settings, primary)?,
            filelists: RepoFileWriter::new(DataKind::Filelists, packages, settings, filelists)?,
            other: RepoFileWriter::new(DataKind::Other, packages, settings, other)?,
            rendered: Vec::new(),
        })
    }

    /// Appends one package.
    pub fn package(&mut self, package: RepoPackage<'_>) -> Result<(), RepoError> {
        self.rendered.clear();
        package.primary.render(package.file_time, package.location, &mut self.rendered);
        self.primary.push(&self.rendered, 1)?;
        self.filelists.push(package.filelists.as_bytes(), 1)?;
        self.other.push(package.other.as_bytes(), 1)
    }

    /// Closes the three files.
    pub fn finish(self) -> Result<[(RepoFile, W); 3], RepoError> {
        Ok([self.primary.finish()?, self.filelists.finish()?, self.other.finish()?])
    }
}

/// Renders packages into one frame for each of the three files.
#[derive(Debug, Default)]
pub struct ChunkWriter {
    packages: u64,
    /// Primary, filelists, other.
    open: [Vec<u8>; 3],
}

impl ChunkWriter {
    /// Appends one package.
    pub fn package(&mut self, package: RepoPackage<'_>) {
        let [primary, filelists, other] = &mut self.open;
        package.primary.render(package.file_time, package.location, primary);
        filelists.extend_from_slice(package.filelists.as_bytes());
        other.extend_from_slice(package.other.as_bytes());
        self.packages += 1;
    }

    /// Compresses what was appended: primary, filelists, other.
    ///
    /// # Errors
    /// When the compressor fails.
    pub fn finish(self, compression: Compression) -> io::Result<[Frame; 3]> {
        let [primary, filelists, other] = self.open;
        let frame = |open: Vec<u8>| compress_frame(&open, self.packages, compression);
        Ok([frame(primary)?, frame(filelists)?, frame(other)?])
    }
}
