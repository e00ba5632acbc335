//! Unpacking, by what the bytes are rather than by what the file is called.

use std::io::{BufRead, Read};

use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;

use super::ExternalError;

/// A reader of the plain bytes of a gzip, zstd, xz or plain file.
pub(super) fn decompress<'a>(mut reader: impl BufRead + 'a) -> Result<Box<dyn Read + 'a>, ExternalError> {
    let head = reader.fill_buf()?;
    let starts_with = |magic: &[u8]| head.starts_with(magic);
    if starts_with(&[0x1f, 0x8b]) {
        Ok(Box::new(MultiGzDecoder::new(reader)))
    } else if starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Ok(Box::new(zstd::stream::read::Decoder::with_buffer(reader)?))
    } else if starts_with(b"\xfd7zXZ\0") {
        Ok(Box::new(XzDecoder::new_multi_decoder(reader)))
    } else if starts_with(b"BZh") {
        Err(ExternalError::Unsupported("bzip2".into()))
    } else if starts_with(b"\0ZCK1") {
        Err(ExternalError::Unsupported("zchunk".into()))
    } else {
        Ok(Box::new(reader))
    }
}
