//! The tag store of a header section: an index of typed entries over a block of data.
//!
//! Read by hand rather than through the `rpm` crate, for two reasons. The files come from builders and users, and that
//! crate panics on offsets outside the data. And it replaces bytes that are not UTF-8, while a repository has to show
//! them as createrepo_c does (see [`decode`]).

use super::HeaderError;

/// Bytes of the fixed part: magic, version, reserved, entry count, data size.
pub(super) const INTRO_SIZE: usize = 16;
const ENTRY_SIZE: usize = 16;
const MAGIC: [u8; 4] = [0x8e, 0xad, 0xe8, 0x01];
/// rpm's own limit on the number of entries.
const MAX_ENTRIES: u32 = 0xffff;
/// Largest data block that is read into memory. rpm takes 256 MiB; the largest headers in Fedora have some 20 MiB.
const MAX_DATA: u32 = 64 << 20;

/// The value of one tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagValue {
    /// Numbers of any width.
    Numbers(Vec<u64>),
    /// One string.
    Text(String),
    /// Several strings: a list, or the translations of one (the first is the default).
    Texts(Vec<String>),
    /// Raw bytes.
    Bytes(Vec<u8>),
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u32,
    kind: u32,
    offset: usize,
    count: usize,
}

/// A tag as it is in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawEntry<'a> {
    pub(super) tag: u32,
    pub(super) kind: u32,
    pub(super) count: usize,
    pub(super) data: &'a [u8],
}

/// A parsed header section.
#[derive(Debug, Clone)]
pub(super) struct Index {
    entries: Vec<Entry>,
    data: Vec<u8>,
}

impl Index {
    /// The whole size in bytes of the section that starts with `intro`, without padding.
    pub(super) fn size(intro: &[u8; INTRO_SIZE]) -> Result<usize, HeaderError> {
        if intro[..4] != MAGIC {
            return Err(HeaderError::NotRpm("a header section does not start with its magic number"));
        }
        let (entries, data) = (be_u32(&intro[8..12]), be_u32(&intro[12..16]));
        if entries == 0 || entries > MAX_ENTRIES || data > MAX_DATA {
            return Err(HeaderError::Malformed("a header section has an impossible size"));
        }
        Ok(INTRO_SIZE + entries as usize * ENTRY_SIZE + data as usize)
    }

    /// The section that these bytes begin with, without padding.
    pub(super) fn first_section(bytes: &[u8]) -> Result<&[u8], HeaderError> {
        let cut_off = HeaderError::Malformed("a header section is cut off");
        let intro = bytes.first_chunk::<INTRO_SIZE>().ok_or(cut_off.clone())?;
        bytes.get(..Self::size(intro)?).ok_or(cut_off)
    }

    /// All tags as they are in the file.
    pub(super) fn raw_entries(&self) -> Result<Vec<RawEntry<'_>>, HeaderError> {
        let raw = |entry: &Entry| {
            let data = match entry.kind {
                6 => self.raw_strings(entry, 1)?,
                8 | 9 => self.raw_strings(entry, entry.count)?,
                kind => self.slice(*entry, width(kind))?,
            };
            Ok(RawEntry { tag: entry.tag, kind: entry.kind, count: entry.count, data })
        };
        self.entries.iter().map(raw).collect()
    }

    /// Parses one whole section.
    pub(super) fn parse(section: &[u8]) -> Result<Self, HeaderError> {
        let intro = section.first_chunk::<INTRO_SIZE>().ok_or(HeaderError::Malformed("a header section is cut off"))?;
        if section.len() != Self::size(intro)? {
            return Err(HeaderError::Malformed("a header section is cut off"));
        }
        let count = be_u32(&intro[8..12]) as usize;
        let (index, data) = section[INTRO_SIZE..].split_at(count * ENTRY_SIZE);
        let mut entries = Vec::with_capacity(count);
        for raw in index.chunks_exact(ENTRY_SIZE) {
            let entry = Entry {
                tag: be_u32(&raw[0..4]),
                kind: be_u32(&raw[4..8]),
                offset: be_u32(&raw[8..12]) as usize,
                count: be_u32(&raw[12..16]) as usize,
            };
            if entry.offset > data.len() || entry.count > data.len() {
                return Err(HeaderError::Malformed("a tag points outside its header"));
            }
            entries.push(entry);
        }
        Ok(Self { entries, data: data.to_vec() })
    }

    pub(super) fn has(&self, tag: u32) -> bool {
        self.find(tag).is_some()
    }

    /// The numbers of all tags, in the order of the index.
    pub(super) fn tags(&self) -> impl Iterator<Item = u32> {
        self.entries.iter().map(|entry| entry.tag)
    }

    /// The value of `tag`, if present.
    pub(super) fn value(&self, tag: u32) -> Result<Option<TagValue>, HeaderError> {
        let Some(entry) = self.find(tag) else {
            return Ok(None);
        };
        let value = match entry.kind {
            0 => return Ok(None),
            1..=5 => TagValue::Numbers(self.numbers_of(entry)?),
            6 => TagValue::Text(self.strings_of(entry, 1)?.pop().unwrap_or_default()),
            7 => TagValue::Bytes(self.slice(entry, 1)?.to_vec()),
            8 | 9 => TagValue::Texts(self.strings_of(entry, entry.count)?),
            _ => return Err(HeaderError::Malformed("a tag has an unknown type")),
        };
        Ok(Some(value))
    }

    /// The numbers of `tag`; empty if it is absent.
    pub(super) fn numbers(&self, tag: u32) -> Result<Vec<u64>, HeaderError> {
        match self.value(tag)? {
            None => Ok(Vec::new()),
            Some(TagValue::Numbers(numbers)) => Ok(numbers),
            Some(_) => Err(HeaderError::WrongType(tag)),
        }
    }

    /// The first number of `tag`.
    pub(super) fn number(&self, tag: u32) -> Result<Option<u64>, HeaderError> {
        Ok(self.numbers(tag)?.first().copied())
    }

    /// The strings of `tag`; empty if it is absent. A single string is a list of one.
    pub(super) fn texts(&self, tag: u32) -> Result<Vec<String>, HeaderError> {
        match self.value(tag)? {
            None => Ok(Vec::new()),
            Some(TagValue::Text(text)) => Ok(vec![text]),
            Some(TagValue::Texts(texts)) => Ok(texts),
            Some(_) => Err(HeaderError::WrongType(tag)),
        }
    }

    /// The string of `tag`; the first one where there are several.
    pub(super) fn text(&self, tag: u32) -> Result<Option<String>, HeaderError> {
        Ok(self.texts(tag)?.into_iter().next())
    }

    /// The bytes of `tag`.
    pub(super) fn bytes(&self, tag: u32) -> Result<Option<Vec<u8>>, HeaderError> {
        match self.value(tag)? {
            None => Ok(None),
            Some(TagValue::Bytes(bytes)) => Ok(Some(bytes)),
            Some(_) => Err(HeaderError::WrongType(tag)),
        }
    }

    fn find(&self, tag: u32) -> Option<Entry> {
        self.entries.iter().find(|entry| entry.tag == tag).copied()
    }

    fn slice(&self, entry: Entry, width: usize) -> Result<&[u8], HeaderError> {
        entry
            .count
            .checked_mul(width)
            .and_then(|length| self.data.get(entry.offset..)?.get(..length))
            .ok_or(HeaderError::Malformed("a tag points outside its header"))
    }

    fn numbers_of(&self, entry: Entry) -> Result<Vec<u64>, HeaderError> {
        let width = width(entry.kind);
        let number = |raw: &[u8]| raw.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        Ok(self.slice(entry, width)?.chunks_exact(width).map(number).collect())
    }

    fn raw_strings(&self, entry: &Entry, count: usize) -> Result<&[u8], HeaderError> {
        let data = &self.data[entry.offset..];
        let mut end = 0;
        for _ in 0..count {
            let length = memchr::memchr(0, &data[end..]).ok_or(HeaderError::Malformed("a string is not terminated"))?;
            end += length + 1;
        }
        Ok(&data[..end])
    }

    fn strings_of(&self, entry: Entry, count: usize) -> Result<Vec<String>, HeaderError> {
        let mut rest = &self.data[entry.offset..];
        let mut strings = Vec::with_capacity(count);
        for _ in 0..count {
            let end = memchr::memchr(0, rest).ok_or(HeaderError::Malformed("a string is not terminated"))?;
            strings.push(decode(&rest[..end]));
            rest = &rest[end + 1..];
        }
        Ok(strings)
    }
}

/// Bytes of one element of a type that is no string.
pub(super) fn width(kind: u32) -> usize {
    match kind {
        3 => 2,
        4 => 4,
        5 => 8,
        _ => 1,
    }
}

/// A header string as text. One that is not UTF-8 is read as Latin-1 less its upper control and punctuation block
/// (0x80 to 0xBF), which is what createrepo_c makes of it.
fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().filter(|byte| !(0x80..0xc0).contains(*byte)).map(|byte| char::from(*byte)).collect(),
    }
}

fn be_u32(raw: &[u8]) -> u32 {
    raw.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}
