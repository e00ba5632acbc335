//! A tarball, read from its beginning to its end a piece at a time. What its files hold is skipped.

use std::io::{self, Write};

use toji_protocol::{id::ArchiveId, method::archive::ArchivedFile};

use super::{Place, damaged};
use crate::{Hub, Result};

const BLOCK: usize = 512;
/// Bytes that are read at a time.
const READ: u64 = 8 << 20;
/// The most that a name or an extended header may have.
const LONGEST: u64 = 1 << 20;

/// The files within a tarball; None when it is packed in a way that is not known.
pub(super) async fn list(hub: &Hub, place: &Place) -> Result<Option<Vec<ArchivedFile>>> {
    let mut unpack: Option<Unpack> = None;
    let mut at = 0;
    while at < place.size {
        let end = (at + READ).min(place.size);
        let bytes = hub.store.get_range(&place.key, at..end).await?;
        if unpack.is_none() {
            let Some(new) = Unpack::new(&bytes, Reader::new(place.archive)) else { return Ok(None) };
            unpack = Some(new);
        }
        let fed = unpack.as_mut().map_or(Ok(()), |unpack| unpack.feed(&bytes));
        fed.map_err(|error| damaged(place, &error.to_string()))?;
        at = end;
    }
    let reader = unpack.map_or_else(|| Ok(Reader::new(place.archive)), Unpack::finish);
    Ok(Some(reader.map_err(|error| damaged(place, &error.to_string()))?.files))
}

/// How it is packed, by its first bytes.
enum Unpack {
    Plain(Reader),
    Gzip(flate2::write::MultiGzDecoder<Reader>),
    Xz(liblzma::write::XzDecoder<Reader>),
}

impl Unpack {
    fn new(head: &[u8], reader: Reader) -> Option<Self> {
        if head.starts_with(&[0x1f, 0x8b]) {
            Some(Self::Gzip(flate2::write::MultiGzDecoder::new(reader)))
        } else if head.starts_with(b"\xfd7zXZ\0") {
            Some(Self::Xz(liblzma::write::XzDecoder::new(reader)))
        } else if head.starts_with(b"BZh") || head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            None
        } else {
            Some(Self::Plain(reader))
        }
    }

    fn feed(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(reader) => reader.write_all(bytes),
            Self::Gzip(decoder) => decoder.write_all(bytes),
            Self::Xz(decoder) => decoder.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<Reader> {
        match self {
            Self::Plain(reader) => Ok(reader),
            Self::Gzip(decoder) => decoder.finish(),
            Self::Xz(decoder) => decoder.finish(),
        }
    }
}

/// What is done with the bytes that come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Header,
    Skip(u64),
    /// The rest of a long name, or of an extended header, and what stands behind it.
    Collect(u64, u64, u8),
    End,
}

/// Takes a tarball's plain bytes.
struct Reader {
    archive: ArchiveId,
    next: Next,
    kept: Vec<u8>,
    /// Said in front of a header about the file that it is of.
    path: Option<String>,
    size: Option<u64>,
    files: Vec<ArchivedFile>,
}

impl Reader {
    fn new(archive: ArchiveId) -> Self {
        Self { archive, next: Next::Header, kept: Vec::new(), path: None, size: None, files: Vec::new() }
    }

    fn header(&mut self, block: &[u8]) -> io::Result<Next> {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(Next::End);
        }
        let bad = || io::Error::other("it is no tarball");
        let sum: u64 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) })
            .sum();
        if octal(&block[148..156]) != Some(sum) {
            return Err(bad());
        }
        let own_size = octal(&block[124..136]).ok_or_else(bad)?;
        let padded = |size: u64| size.div_ceil(BLOCK as u64) * BLOCK as u64;
        match block[156] {
            b'L' | b'x' if own_size == 0 => return Ok(Next::Header),
            kind @ (b'L' | b'x') if own_size <= LONGEST => {
                return Ok(Next::Collect(own_size, padded(own_size) - own_size, kind));
            }
            b'L' | b'x' => return Err(bad()),
            b'K' | b'g' => return Ok(Next::Skip(padded(own_size))),
            _ => {}
        }
        let size = self.size.take().unwrap_or(own_size);
        let plain = match text(&block[345..500]) {
            prefix if !prefix.is_empty() && &block[257..262] == b"ustar" => format!("{prefix}/{}", text(&block[..100])),
            _ => text(&block[..100]),
        };
        self.files.push(ArchivedFile {
            archive_id: self.archive,
            name: self.path.take().unwrap_or(plain).trim_end_matches('/').to_owned(),
            size: size as i64,
            mtime: octal(&block[136..148]).ok_or_else(bad)? as i64,
            mode: octal(&block[100..108]).map(|mode| mode as i64),
            user: Some(text(&block[265..297])),
            group: Some(text(&block[297..329])),
        });
        // links and devices have no bytes, whatever they say
        let has_bytes = !matches!(block[156], b'1'..=b'6');
        Ok(if has_bytes { Next::Skip(padded(size)) } else { Next::Header })
    }

    /// A long name, or what an extended header says of the name and the size.
    fn said(&mut self, kind: u8) {
        if kind == b'L' {
            self.path = Some(text(&self.kept));
            return;
        }
        for line in String::from_utf8_lossy(&self.kept).lines() {
            let setting = line.split_once(' ').and_then(|(_, setting)| setting.split_once('='));
            match setting {
                Some(("path", path)) => self.path = Some(path.to_owned()),
                Some(("size", size)) => self.size = size.parse().ok(),
                _ => {}
            }
        }
    }
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = match self.next {
            Next::End => bytes.len(),
            Next::Skip(left) => {
                let taken = (bytes.len() as u64).min(left);
                self.next = if taken == left { Next::Header } else { Next::Skip(left - taken) };
                taken as usize
            }
            Next::Collect(left, padding, kind) => {
                let taken = (bytes.len() as u64).min(left) as usize;
                self.kept.extend(&bytes[..taken]);
                self.next = Next::Collect(left - taken as u64, padding, kind);
                if left == taken as u64 {
                    self.said(kind);
                    self.kept.clear();
                    self.next = Next::Skip(padding);
                }
                taken
            }
            Next::Header => {
                let taken = bytes.len().min(BLOCK - self.kept.len());
                self.kept.extend(&bytes[..taken]);
                if self.kept.len() == BLOCK {
                    let block = std::mem::take(&mut self.kept);
                    self.next = self.header(&block)?;
                }
                taken
            }
        };
        // nothing to skip must not be taken for the end of the file
        if self.next == Next::Skip(0) {
            self.next = Next::Header;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Digits to the first space or zero byte.
fn octal(field: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(name: &str, kind: u8, size: usize) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[100..107].copy_from_slice(b"0000644");
        block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        block[136..147].copy_from_slice(format!("{:011o}", 1_000_000_000).as_bytes());
        block[148..156].fill(b' ');
        block[156] = kind;
        block[257..262].copy_from_slice(b"ustar");
        block[265..269].copy_from_slice(b"root");
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    fn padded(bytes: &[u8]) -> Vec<u8> {
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(BLOCK), 0);
        padded
    }

    #[test]
    fn reads_names_and_sizes() {
        let mut tar = block("a/", b'5', 0);
        tar.extend(block("a/b", b'0', 600));
        tar.extend(padded(&[7; 600]));
        let long = "x/".repeat(100) + "y";
        tar.extend(block("././@LongLink", b'L', long.len() + 1));
        tar.extend(padded(format!("{long}\0").as_bytes()));
        tar.extend(block("x/x", b'0', 0));
        let pax = "20 path=other/thing\n".to_owned();
        tar.extend(block("pax", b'x', pax.len()));
        tar.extend(padded(pax.as_bytes()));
        tar.extend(block("short", b'2', 0));
        tar.extend([0; 2 * BLOCK]);
        for step in [1, 511, 512, 5000] {
            let mut reader = Reader::new(1.into());
            for piece in tar.chunks(step) {
                reader.write_all(piece).unwrap();
            }
            let names: Vec<(&str, i64)> = reader.files.iter().map(|file| (file.name.as_str(), file.size)).collect();
            assert_eq!(names, [("a", 0), ("a/b", 600), (&*long, 0), ("other/thing", 0)], "{step}");
            assert_eq!((reader.files[1].mode, reader.files[1].mtime), (Some(0o644), 1_000_000_000));
            assert_eq!(reader.files[1].user.as_deref(), Some("root"));
        }
        assert!(Reader::new(1.into()).write_all(&[b'x'; BLOCK]).is_err());
    }
}
