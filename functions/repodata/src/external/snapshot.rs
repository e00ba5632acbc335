//! An external repository as it is kept: what a merge looks at in one list, the fragments beside it in chunks, so that few are read when
//! little has changed.

use std::{
    collections::HashMap,
    io::{BufRead, Read, Seek, SeekFrom, Write},
    ops::Range,
};

use serde::{Deserialize, Serialize};

use super::{ExternalError, ExternalPackage, FragmentReader, OwnedLocation, PrimaryReader};
use crate::{
    chunk::{Slot, divide},
    fragment::{Fragments, PrimaryTemplate},
    merge::Identity,
};

/// Packages whose fragments are read together.
const CHUNK: usize = 128;
/// A quick level: what is kept is read often.
const LEVEL: i32 = 3;
/// No list or chunk unpacks to more.
const MOST: usize = 1 << 30;

/// What is known of each package of a repository without its fragments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    packages: Vec<SnapshotPackage>,
    chunks: Vec<StoredChunk>,
}

/// A package of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotPackage {
    /// What a merge looks at.
    pub identity: Identity,
    /// Checksum of the file, hex.
    pub pkgid: String,
    href: String,
    base: Option<String>,
}

impl SnapshotPackage {
    /// Its absolute location, given its repository's base URL.
    pub fn location(&self, repo_url: &str) -> OwnedLocation {
        OwnedLocation::new(repo_url, self.base.as_deref(), &self.href)
    }
}

/// Where fragments are: of the packages and at the bytes up to these, from where the chunk before ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct StoredChunk {
    packages: usize,
    bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct StoredFragments {
    primary: PrimaryTemplate,
    filelists: String,
    other: String,
}

/// Reads a repository's primary, filelists and other, and writes its fragments in chunks to `out`. `spool` holds them meanwhile: they
/// come in the order of each of the three files. In memory there is the list alone.
///
/// # Errors
/// When a file is broken or lacks a package, or something cannot be read or written.
pub fn take<S: Read + Write + Seek>(
    [primary, filelists, other]: [impl BufRead; 3],
    spool: &mut S,
    out: &mut impl Write,
) -> Result<Snapshot, ExternalError> {
    let mut spooled = Spool { inner: spool, end: 0 };
    let mut packages = Vec::new();
    let mut by_id: HashMap<String, usize> = HashMap::new();
    let mut spans: Vec<[Option<Span>; 3]> = Vec::new();
    for package in PrimaryReader::new(primary) {
        let ExternalPackage { identity, pkgid, href, base, primary } = package?;
        by_id.entry(pkgid.clone()).or_insert(packages.len());
        spans.push([Some(spooled.push(primary.as_str())?), None, None]);
        packages.push(SnapshotPackage { identity, pkgid, href, base });
    }
    let mut gather = |fragments: &mut dyn Iterator<Item = Result<(String, String), ExternalError>>, file: usize| {
        for fragment in fragments {
            let (pkgid, text) = fragment?;
            if let Some(&package) = by_id.get(&pkgid) {
                spans[package][file] = Some(spooled.push(&text)?);
            }
        }
        Ok::<_, ExternalError>(())
    };
    gather(&mut FragmentReader::filelists(filelists), 1)?;
    gather(&mut FragmentReader::other(other), 2)?;

    let mut order: Vec<(Slot, usize)> =
        packages.iter().enumerate().map(|(place, package)| (Slot::of(package.identity.source_name()), place)).collect();
    order.sort_unstable();
    let slots: Vec<Slot> = order.iter().map(|(slot, _)| *slot).collect();
    let (mut chunks, mut bytes) = (Vec::new(), 0);
    for range in divide(&slots, CHUNK) {
        let mut fragments = Vec::with_capacity(range.len());
        for (_, place) in &order[range.clone()] {
            let package = &packages[*place];
            // a package that is listed twice has one fragment
            let first = by_id.get(&package.pkgid).copied().unwrap_or(*place);
            let span = |place: usize, file: usize, name: &str| {
                spans[place][file].ok_or_else(|| {
                    let name = format!("its {name} lacks {}", package.identity.name);
                    ExternalError::Incomplete(name)
                })
            };
            fragments.push(StoredFragments {
                primary: PrimaryTemplate::from_rendered(spooled.read(span(*place, 0, "primary")?)?),
                filelists: spooled.read(span(first, 1, "filelists")?)?,
                other: spooled.read(span(first, 2, "other")?)?,
            });
        }
        let packed = pack(&fragments)?;
        out.write_all(&packed)?;
        bytes += packed.len() as u64;
        chunks.push(StoredChunk { packages: range.end, bytes });
    }
    out.flush()?;
    let mut taken: Vec<Option<SnapshotPackage>> = packages.into_iter().map(Some).collect();
    let packages = order.iter().filter_map(|(_, place)| taken[*place].take()).collect();
    Ok(Snapshot { packages, chunks })
}

impl Snapshot {
    /// The packages, in the order of their slots.
    pub fn packages(&self) -> &[SnapshotPackage] {
        &self.packages
    }

    /// What is kept of the list.
    ///
    /// # Errors
    /// When the compressor fails.
    pub fn encode(&self) -> Result<Vec<u8>, ExternalError> {
        pack(self)
    }

    /// Reads what is kept.
    ///
    /// # Errors
    /// When it is none, or damaged.
    pub fn decode(kept: &[u8]) -> Result<Self, ExternalError> {
        unpack(kept)
    }

    /// The chunk of a package: which packages are in it, and where the bytes are that [`Snapshot::fragments`] wants.
    ///
    /// # Panics
    /// When there is no such package.
    pub fn chunk_of(&self, package: usize) -> (Range<usize>, Range<u64>) {
        let chunk = self.chunks.partition_point(|chunk| chunk.packages <= package);
        let before = chunk.checked_sub(1).map(|before| self.chunks[before]);
        let before = before.unwrap_or(StoredChunk { packages: 0, bytes: 0 });
        let StoredChunk { packages, bytes } = self.chunks[chunk];
        (before.packages..packages, before.bytes..bytes)
    }

    /// The fragments in a chunk's bytes, one for each of its packages.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn fragments(kept: &[u8]) -> Result<Vec<Fragments>, ExternalError> {
        let stored: Vec<StoredFragments> = unpack(kept)?;
        let open = |StoredFragments { primary, filelists, other }| Fragments { primary, filelists, other };
        Ok(stored.into_iter().map(open).collect())
    }
}

fn pack(value: &impl Serialize) -> Result<Vec<u8>, ExternalError> {
    let json = serde_json::to_vec(value).map_err(std::io::Error::from)?;
    Ok(zstd::bulk::compress(&json, LEVEL)?)
}

fn unpack<T: serde::de::DeserializeOwned>(kept: &[u8]) -> Result<T, ExternalError> {
    let mut json = Vec::new();
    zstd::stream::read::Decoder::with_buffer(kept)?.take(MOST as u64).read_to_end(&mut json)?;
    Ok(serde_json::from_slice(&json).map_err(std::io::Error::from)?)
}

#[derive(Clone, Copy)]
struct Span {
    start: u64,
    length: usize,
}

/// Texts on disk.
struct Spool<'a, S> {
    inner: &'a mut S,
    end: u64,
}

impl<S: Read + Write + Seek> Spool<'_, S> {
    fn push(&mut self, text: &str) -> std::io::Result<Span> {
        self.inner.write_all(text.as_bytes())?;
        let span = Span { start: self.end, length: text.len() };
        self.end += text.len() as u64;
        Ok(span)
    }

    fn read(&mut self, span: Span) -> std::io::Result<String> {
        self.inner.seek(SeekFrom::Start(span.start))?;
        let mut bytes = vec![0; span.length];
        self.inner.read_exact(&mut bytes)?;
        String::from_utf8(bytes).map_err(std::io::Error::other)
    }
}
