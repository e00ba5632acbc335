//! Packed logs: how a log is kept when nobody writes to it any more. Bytes in, bytes out.
//!
//! A packed log is a gzip file of one member, which any reader of gzip can read. Its text is cut into chunks of equal size; after
//! each the compressor forgets what it has seen (a full flush), so that reading can begin at any chunk. Where chunks begin
//! stands in the gzip header's extra field, as the subfield `TL`, little-endian:
//!
//! ```text
//! version: u8 = 1 | chunk: u32 (bytes of text in each, the last may have fewer) | size: u64 (bytes of text) | compressed length of each chunk: u32 …
//! ```

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
};

use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};
use thiserror::Error;

/// Text in a chunk, in bytes, unless the log is very long.
pub const CHUNK: u64 = 256 * 1024;
/// The most chunks: their lengths must fit the extra field's 64 KiB.
const MOST_CHUNKS: u64 = 16_000;
/// No chunk is larger when it is read: what an index says is not trusted with more memory.
const LARGEST_CHUNK: u64 = 64 << 20;
const VERSION: u8 = 1;
const SUBFIELD: [u8; 2] = *b"TL";
/// Up to the lengths: gzip's fixed header and `XLEN`, the subfield's id and length, and its fixed fields.
const FIXED: usize = 12 + 4 + FACTS;
const FACTS: usize = 1 + 4 + 8;
/// Logs repeat themselves: more effort makes them little smaller.
const LEVEL: u32 = 4;

/// A packed log cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PackedLogError {
    /// It begins in another way, or its index makes no sense.
    #[error("this is no packed log: {0}")]
    Header(&'static str),
    /// A chunk has other bytes than the index says.
    #[error("chunk {0} of the packed log is damaged")]
    Chunk(usize),
}

/// Where the chunks of a packed log are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    chunk: u64,
    size: u64,
    /// Where each chunk begins in the packed bytes, and where the last ends.
    starts: Vec<u64>,
}

/// What the first bytes of a packed log tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header {
    /// All of the index.
    Whole(Index),
    /// The index is so many bytes long, counted from the log's beginning.
    Cut(u64),
}

impl Index {
    /// Reads the index off the first bytes of a packed log.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(head: &[u8]) -> Result<Header, PackedLogError> {
        let bad = PackedLogError::Header;
        if head.len() < FIXED {
            return Err(bad("it is too short"));
        }
        if head[..4] != [0x1f, 0x8b, 8, 4] || head[12..14] != SUBFIELD || head[16] != VERSION {
            return Err(bad("its first bytes are others"));
        }
        let lengths = usize::from(u16::from_le_bytes([head[14], head[15]])).checked_sub(FACTS);
        let lengths = lengths.filter(|lengths| lengths % 4 == 0).ok_or(bad("its index is cut"))?;
        let end = FIXED + lengths;
        let [chunk, size] = [number(&head[17..21]), number(&head[21..29])];
        if chunk == 0 || chunk > LARGEST_CHUNK || size.div_ceil(chunk) != (lengths / 4) as u64 {
            return Err(bad("its index does not fit its size"));
        }
        if head.len() < end {
            return Ok(Header::Cut(end as u64));
        }
        let mut starts = vec![end as u64];
        let mut at = end as u64;
        starts.extend(head[FIXED..end].chunks_exact(4).map(|length| {
            at += number(length);
            at
        }));
        Ok(Header::Whole(Self { chunk, size, starts }))
    }

    /// Bytes of text.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The chunks that bytes `text` are in.
    pub fn chunks(&self, text: &Range<u64>) -> Range<usize> {
        let end = text.end.min(self.size);
        if text.start >= end {
            return 0..0;
        }
        (text.start / self.chunk) as usize..end.div_ceil(self.chunk) as usize
    }

    /// Where chunks are in the packed bytes.
    pub fn packed(&self, chunks: &Range<usize>) -> Range<u64> {
        self.starts[chunks.start]..self.starts[chunks.end]
    }

    /// Where a chunk is in the text.
    pub fn text(&self, chunk: usize) -> Range<u64> {
        let start = chunk as u64 * self.chunk;
        start..(start + self.chunk).min(self.size)
    }

    /// The text of a chunk.
    ///
    /// # Errors
    /// When the bytes are others than were packed.
    pub fn unpack(&self, chunk: usize, packed: &[u8]) -> Result<Vec<u8>, PackedLogError> {
        let damaged = PackedLogError::Chunk(chunk);
        let span = self.text(chunk);
        let length = (span.end - span.start) as usize;
        let mut text = Vec::with_capacity(length);
        match Decompress::new(false).decompress_vec(packed, &mut text, FlushDecompress::Sync) {
            Ok(Status::Ok | Status::BufError) if text.len() == length => Ok(text),
            _ => Err(damaged),
        }
    }
}

fn number(little_endian: &[u8]) -> u64 {
    little_endian.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Packs `size` bytes of a log.
///
/// # Errors
/// When the log is shorter, or cannot be read, or the target not be written.
pub fn pack(log: &mut impl Read, size: u64, target: &mut (impl Write + Seek)) -> io::Result<()> {
    let mut chunk = CHUNK;
    while size.div_ceil(chunk) > MOST_CHUNKS {
        chunk *= 2;
    }
    if chunk > LARGEST_CHUNK {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut lengths = Vec::with_capacity(size.div_ceil(chunk) as usize);
    // its length is known, what is in it only at the end
    target.write_all(&vec![0; FIXED + 4 * lengths.capacity()])?;
    let (mut compress, mut crc, mut left) = (Compress::new(Compression::new(LEVEL), false), Crc::new(), size);
    let (mut text, mut packed) = (vec![0; chunk.min(size) as usize], Vec::new());
    while left > 0 {
        let text = &mut text[..chunk.min(left) as usize];
        log.read_exact(text)?;
        left -= text.len() as u64;
        crc.update(text);
        packed.clear();
        deflate(&mut compress, text, &mut packed, FlushCompress::Full)?;
        lengths.push(u32::try_from(packed.len()).map_err(io::Error::other)?);
        target.write_all(&packed)?;
    }
    packed.clear();
    deflate(&mut compress, &[], &mut packed, FlushCompress::Finish)?;
    packed.extend(crc.sum().to_le_bytes());
    // gzip has it modulo 2^32
    packed.extend((size as u32).to_le_bytes());
    target.write_all(&packed)?;
    target.seek(SeekFrom::Start(0))?;
    target.write_all(&header(chunk as u32, size, &lengths))
}

fn deflate(compress: &mut Compress, text: &[u8], packed: &mut Vec<u8>, flush: FlushCompress) -> io::Result<()> {
    const ROOM: usize = 64 * 1024;
    let begun = compress.total_in();
    loop {
        packed.reserve(ROOM);
        let taken = (compress.total_in() - begun) as usize;
        compress.compress_vec(&text[taken..], packed, flush).map_err(io::Error::other)?;
        // with room left over, nothing is held back
        if packed.len() < packed.capacity() {
            return Ok(());
        }
    }
}

fn header(chunk: u32, size: u64, lengths: &[u32]) -> Vec<u8> {
    // MOST_CHUNKS keeps it below 64 KiB
    let field = (FACTS + 4 * lengths.len()) as u16;
    // deflate, with an extra field; no time; by no particular system
    let mut header = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255];
    header.extend((field + 4).to_le_bytes());
    header.extend(SUBFIELD);
    header.extend(field.to_le_bytes());
    header.push(VERSION);
    header.extend(chunk.to_le_bytes());
    header.extend(size.to_le_bytes());
    header.extend(lengths.iter().flat_map(|length| length.to_le_bytes()));
    header
}

#[cfg(test)]
mod tests {
    use flate2::read::GzDecoder;

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut packed = io::Cursor::new(Vec::new());
        pack(&mut &text[..], text.len() as u64, &mut packed).unwrap();
        packed.into_inner()
    }

    fn index(packed: &[u8]) -> Index {
        match Index::read(packed).unwrap() {
            Header::Whole(index) => index,
            Header::Cut(_) => panic!("the index is there"),
        }
    }

    fn range(packed: &[u8], text: Range<u64>) -> Vec<u8> {
        let index = index(packed);
        let unpack = |chunk: usize| {
            let span = index.packed(&(chunk..chunk + 1));
            let whole = index.unpack(chunk, &packed[span.start as usize..span.end as usize]).unwrap();
            let begin = index.text(chunk).start;
            let end = text.end.min(begin + whole.len() as u64);
            whole[text.start.saturating_sub(begin) as usize..(end - begin) as usize].to_vec()
        };
        index.chunks(&text).flat_map(unpack).collect()
    }

    /// Lines, and bytes that nothing can be made of.
    fn some_text(size: usize) -> Vec<u8> {
        let mut seed = 1_u32;
        let mut text = Vec::new();
        while text.len() < size {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.extend(format!("{} gcc -c file{}.c\n", text.len(), seed >> 20).bytes());
            text.push((seed >> 24) as u8);
        }
        text.truncate(size);
        text
    }

    #[test]
    fn any_reader_of_gzip_reads_it_and_ranges_are_its_own() {
        let chunk = CHUNK as usize;
        for size in [0, 1, 70, chunk - 1, chunk, chunk + 1, 5 * chunk + 17] {
            let text = some_text(size);
            let packed = packed(&text);
            let mut whole = Vec::new();
            GzDecoder::new(&packed[..]).read_to_end(&mut whole).unwrap();
            assert!(whole == text, "{size}");
            assert_eq!(index(&packed).size(), size as u64);
            let size = size as u64;
            for asked in [0..size, 0..1, size / 2..size / 2 + 9, size.saturating_sub(3)..size + 9, size..size + 1] {
                let expected = &text[asked.start.min(size) as usize..asked.end.min(size) as usize];
                assert!(range(&packed, asked.clone()) == expected, "{asked:?} of {size}");
            }
            let around = CHUNK - 2..CHUNK + 2;
            let expected = &text[around.start.min(size) as usize..around.end.min(size) as usize];
            assert!(range(&packed, around) == expected);
        }
    }

    #[test]
    fn random_bytes_do_not_fit_the_room_that_text_takes() {
        let mut seed = 7_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as u8
        })
        .take(3 * CHUNK as usize)
        .collect();
        let packed = packed(&noise);
        assert!(range(&packed, 0..noise.len() as u64) == noise);
    }

    #[test]
    fn an_index_may_come_in_two_reads() {
        let packed = packed(&some_text(40 * CHUNK as usize));
        let Header::Cut(length) = Index::read(&packed[..64]).unwrap() else { panic!("64 bytes hold no 40 lengths") };
        assert!(matches!(Index::read(&packed[..length as usize]).unwrap(), Header::Whole(_)));
    }

    #[test]
    fn what_is_none_is_told() {
        for head in [&b""[..], b"+ make\n", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], &[0; 100]] {
            assert!(Index::read(head).is_err());
        }
        let good = packed(&some_text(3 * CHUNK as usize));
        // a chunk of 4 GiB, and a size that has other chunks
        for at in [20, 24] {
            let mut bad = good.clone();
            bad[at] ^= 0xff;
            assert!(Index::read(&bad).is_err(), "{at}");
        }
        let index = index(&good);
        let first = index.packed(&(0..1));
        let mut damaged = good[first.start as usize..first.end as usize].to_vec();
        damaged.truncate(100);
        assert_eq!(index.unpack(0, &damaged), Err(PackedLogError::Chunk(0)));
        assert!(pack(&mut &b"short"[..], 6, &mut io::Cursor::new(Vec::new())).is_err());
    }
}
