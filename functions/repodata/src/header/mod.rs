//! An RPM's signature header and main header, from the first bytes of the file.
//!
//! ```text
//! 0        96                 header_start        header_end
//! | lead   | signature header | header            | payload …
//! ```

mod dependency;
mod file;
mod index;
mod merged;
pub mod names;
mod resign;
mod signature;
mod tag;
mod verify;

pub use dependency::Dependency;
pub use file::{File, FileKind};
pub use index::TagValue;
pub use signature::SignatureHeader;

use index::{INTRO_SIZE, Index};
use md5::{Digest, Md5};
use tag::signature as sig;

/// Bytes of the lead, an old header of which only the magic number still counts.
pub const LEAD_SIZE: usize = 96;
const LEAD_MAGIC: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];

/// How many bytes to ask for first: most headers fit, so that one range read will do.
pub const FIRST_READ: u64 = 64 << 10;

/// Why bytes could not be read as an RPM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It is some other kind of file.
    #[error("not an RPM: {0}")]
    NotRpm(&'static str),
    /// It claims to be an RPM, but its parts contradict each other.
    #[error("damaged RPM: {0}")]
    Malformed(&'static str),
    /// A tag that every RPM has is missing; its number.
    #[error("damaged RPM: tag {0} is missing")]
    MissingTag(u32),
    /// A tag holds text where there should be numbers, or the like; its number.
    #[error("damaged RPM: tag {0} has the wrong type")]
    WrongType(u32),
    /// A digest does not match what it is a digest of.
    #[error("damaged RPM: the {digest} digest of its header is {actual}, but the file says {expected}")]
    DigestMismatch {
        /// The kind of digest.
        digest: &'static str,
        /// What the file says.
        expected: String,
        /// What the bytes give.
        actual: String,
    },
    /// There is no digest to check.
    #[error("the RPM carries no digest of its header")]
    NoDigest,
}

/// What [`parse`] makes of the first bytes of a file.
#[derive(Debug)]
pub enum Parsed {
    /// Call again with at least this many bytes from the start of the file. Asked at most three times.
    NeedBytes(u64),
    /// All that was needed was there.
    Header(Box<RpmHeader>),
}

/// One changelog entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changelog {
    /// Seconds since 1970; rpm writes noon of the day.
    pub time: u64,
    /// Author, address and usually the version.
    pub author: String,
    /// The text.
    pub text: String,
}

/// What an RPM says of itself. Absent strings are empty.
#[derive(Debug, Clone)]
pub struct RpmHeader {
    /// Name.
    pub name: String,
    /// Epoch, if the package has one. 0 and none compare equal, but Koji tells them apart.
    pub epoch: Option<u32>,
    /// Version.
    pub version: String,
    /// Release.
    pub release: String,
    /// The ARCH tag. A source package has the arch it was made on here: see [`RpmHeader::repo_arch`].
    pub arch: String,
    /// Whether it is a source package.
    pub is_source: bool,
    /// Seconds since 1970; 0 if unknown.
    pub buildtime: u64,
    /// Bytes on disk once installed.
    pub size_installed: u64,
    /// Bytes of the uncompressed payload; 0 for an RPM made by rpm 6.
    pub size_archive: u64,
    /// File name of the source package; `None` for a source package.
    pub sourcerpm: Option<String>,
    /// One line.
    pub summary: String,
    /// Some paragraphs.
    pub description: String,
    /// Home page.
    pub url: String,
    /// Who packaged it.
    pub packager: String,
    /// Who distributes it.
    pub vendor: String,
    /// Licence expression.
    pub license: String,
    /// RPM's old classification.
    pub group: String,
    /// The machine that built it.
    pub buildhost: String,
    /// What it provides.
    pub provides: Vec<Dependency>,
    /// What it requires, in a source package for building. See [`Dependency::is_pre`].
    pub requires: Vec<Dependency>,
    /// What it must not stand beside.
    pub conflicts: Vec<Dependency>,
    /// What it replaces.
    pub obsoletes: Vec<Dependency>,
    /// Very weak, forward.
    pub suggests: Vec<Dependency>,
    /// Very weak, backward.
    pub enhances: Vec<Dependency>,
    /// Weak, forward.
    pub recommends: Vec<Dependency>,
    /// Weak, backward.
    pub supplements: Vec<Dependency>,
    /// Its files, in the header's order.
    pub files: Vec<File>,
    /// Its changelog, newest first.
    pub changelogs: Vec<Changelog>,
    /// `ExclusiveArch` of a source package.
    pub exclusive_arch: Vec<String>,
    /// `ExcludeArch` of a source package.
    pub exclude_arch: Vec<String>,
    /// `BuildArch` of a source package: `noarch` here makes a noarch build.
    pub build_archs: Vec<String>,
    /// MD5 of header and payload, 32 hex digits: what Koji calls `payloadhash`. rpm 6 no longer writes it.
    pub sigmd5: Option<String>,
    /// SHA-256 of the header as the file claims it, hex. Check it with [`RpmHeader::verify_digests`].
    pub header_sha256: Option<String>,
    /// SHA-1 of the header as the file claims it, hex.
    pub header_sha1: Option<String>,
    /// Digest of the compressed payload as the header claims it, hex; SHA-256 in every RPM of this decade.
    pub payload_digest: Option<String>,
    /// Where the header starts in the file.
    pub header_start: u64,
    /// Where the header ends and the payload starts.
    pub header_end: u64,
    /// The signature header with its padding, as it is in the file: what Koji keeps as a signature.
    pub signature_bytes: Vec<u8>,
    /// MD5 of [`RpmHeader::signature_bytes`], hex: Koji's `sighash`.
    pub sighash: String,
    /// The signing key's id, 8 lower-case hex digits; `None` if unsigned. The signature is not verified.
    pub key_id: Option<String>,
    header_bytes: Vec<u8>,
    index: Index,
    signatures: Index,
}

/// Reads the header from `prefix`, the first bytes of an RPM file (any number of them, the whole file too).
pub fn parse(prefix: &[u8]) -> Result<Parsed, HeaderError> {
    let known = prefix.len().min(LEAD_MAGIC.len());
    if prefix[..known] != LEAD_MAGIC[..known] {
        return Err(HeaderError::NotRpm("it does not start with an RPM's magic number"));
    }
    let Some(signature_size) = section_size(prefix, LEAD_SIZE)? else {
        return Ok(need(LEAD_SIZE + INTRO_SIZE));
    };
    let signature_end = LEAD_SIZE + signature_size;
    let header_start = signature_end.next_multiple_of(8);
    let Some(header_size) = section_size(prefix, header_start)? else {
        return Ok(need(header_start + INTRO_SIZE));
    };
    let header_end = header_start + header_size;
    let (Some(signature), Some(header)) = (prefix.get(LEAD_SIZE..signature_end), prefix.get(header_start..header_end))
    else {
        return Ok(need(header_end));
    };
    let padded = &prefix[LEAD_SIZE..header_start];
    read(signature, padded, header, header_start as u64).map(|header| Parsed::Header(Box::new(header)))
}

fn need(bytes: usize) -> Parsed {
    Parsed::NeedBytes(bytes as u64)
}

/// The size of the section at `start`, or `None` if its fixed part is not there yet.
fn section_size(prefix: &[u8], start: usize) -> Result<Option<usize>, HeaderError> {
    prefix.get(start..).and_then(|rest| rest.first_chunk()).map(Index::size).transpose()
}

fn read(signature: &[u8], padded: &[u8], header: &[u8], header_start: u64) -> Result<RpmHeader, HeaderError> {
    let signatures = Index::parse(signature)?;
    let index = Index::parse(header)?;
    let required = |tag| index.text(tag)?.filter(|text| !text.is_empty()).ok_or(HeaderError::MissingTag(tag));
    let text = |tag| Ok::<_, HeaderError>(index.text(tag)?.unwrap_or_default());
    let number = |tag, long_tag| Ok::<_, HeaderError>(index.number(tag)?.or(index.number(long_tag)?));
    let (mut suggests, strong_suggests) = dependency::read_old(&index, &tag::OLD_SUGGESTS)?;
    let (mut enhances, strong_enhances) = dependency::read_old(&index, &tag::OLD_ENHANCES)?;
    suggests.splice(0..0, dependency::read(&index, &tag::SUGGESTS)?);
    enhances.splice(0..0, dependency::read(&index, &tag::ENHANCES)?);
    let mut recommends = dependency::read(&index, &tag::RECOMMENDS)?;
    recommends.extend(strong_suggests);
    let mut supplements = dependency::read(&index, &tag::SUPPLEMENTS)?;
    supplements.extend(strong_enhances);

    Ok(RpmHeader {
        name: required(tag::NAME)?,
        epoch: index.number(tag::EPOCH)?.map(|epoch| epoch as u32),
        version: required(tag::VERSION)?,
        release: required(tag::RELEASE)?,
        arch: required(tag::ARCH)?,
        is_source: index.has(tag::SOURCE_PACKAGE),
        buildtime: index.number(tag::BUILDTIME)?.unwrap_or(0),
        size_installed: number(tag::SIZE, tag::LONG_SIZE)?.unwrap_or(0),
        size_archive: archive_size(&signatures, &index)?,
        sourcerpm: index.text(tag::SOURCERPM)?,
        summary: text(tag::SUMMARY)?,
        description: text(tag::DESCRIPTION)?,
        url: text(tag::URL)?,
        packager: text(tag::PACKAGER)?,
        vendor: text(tag::VENDOR)?,
        license: text(tag::LICENSE)?,
        group: text(tag::GROUP)?,
        buildhost: text(tag::BUILDHOST)?,
        provides: dependency::read(&index, &tag::PROVIDES)?,
        requires: dependency::read(&index, &tag::REQUIRES)?,
        conflicts: dependency::read(&index, &tag::CONFLICTS)?,
        obsoletes: dependency::read(&index, &tag::OBSOLETES)?,
        suggests,
        enhances,
        recommends,
        supplements,
        files: file::read(&index)?,
        changelogs: read_changelogs(&index)?,
        exclusive_arch: index.texts(tag::EXCLUSIVE_ARCH)?,
        exclude_arch: index.texts(tag::EXCLUDE_ARCH)?,
        build_archs: index.texts(tag::BUILD_ARCHS)?,
        sigmd5: signatures.bytes(sig::MD5)?.map(hex::encode),
        header_sha256: signatures.text(sig::SHA256)?,
        header_sha1: signatures.text(sig::SHA1)?,
        payload_digest: index.text(tag::PAYLOAD_DIGEST)?,
        header_start,
        header_end: header_start + header.len() as u64,
        signature_bytes: padded.to_vec(),
        sighash: hex::encode(Md5::digest(padded)),
        key_id: signature::key_id(&signatures)?,
        header_bytes: header.to_vec(),
        index,
        signatures,
    })
}

/// rpm 4 keeps the payload's size in the signature header, older ones in the main one. rpm 6's new tag is not read:
/// repositories say 0 there, as createrepo_c does.
fn archive_size(signatures: &Index, header: &Index) -> Result<u64, HeaderError> {
    let places = [
        (signatures, sig::PAYLOAD_SIZE),
        (signatures, sig::LONG_ARCHIVE_SIZE),
        (header, tag::ARCHIVE_SIZE),
        (header, sig::LONG_ARCHIVE_SIZE),
    ];
    for (index, tag) in places {
        if let Some(size) = index.number(tag)? {
            return Ok(size);
        }
    }
    Ok(0)
}

fn read_changelogs(index: &Index) -> Result<Vec<Changelog>, HeaderError> {
    let (times, authors) = (index.numbers(tag::CHANGELOG_TIME)?, index.texts(tag::CHANGELOG_NAME)?);
    let texts = index.texts(tag::CHANGELOG_TEXT)?;
    if times.len() != authors.len() || times.len() != texts.len() {
        return Err(HeaderError::Malformed("the arrays of the changelog differ in length"));
    }
    let entry = |((time, author), text)| Changelog { time, author, text };
    Ok(times.into_iter().zip(authors).zip(texts).map(entry).collect())
}

impl RpmHeader {
    /// The arch as repositories have it: `src` for every source package, one without its sources too.
    pub fn repo_arch(&self) -> &str {
        if self.is_source { "src" } else { &self.arch }
    }

    /// The main header as it is in the file, `header_start..header_end`.
    pub fn header_bytes(&self) -> &[u8] {
        &self.header_bytes
    }
}
