//! A reader that refuses bytes other than the ones expected.

use std::io::{self, Read};

use super::{Checksum, ExternalError};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

/// The digests that repositories use.
enum Hash {
    Md5(Md5),
    Sha1(Sha1),
    Sha224(Sha224),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hash {
    fn new(algorithm: &str) -> Option<Self> {
        Some(match algorithm {
            "md5" => Self::Md5(Md5::new()),
            "sha" | "sha1" => Self::Sha1(Sha1::new()),
            "sha224" => Self::Sha224(Sha224::new()),
            "sha256" => Self::Sha256(Sha256::new()),
            "sha384" => Self::Sha384(Sha384::new()),
            "sha512" => Self::Sha512(Sha512::new()),
            _ => return None,
        })
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(hash) => hash.update(bytes),
            Self::Sha1(hash) => hash.update(bytes),
            Self::Sha224(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha384(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    fn hex(self) -> String {
        match self {
            Self::Md5(hash) => hex::encode(hash.finalize()),
            Self::Sha1(hash) => hex::encode(hash.finalize()),
            Self::Sha224(hash) => hex::encode(hash.finalize()),
            Self::Sha256(hash) => hex::encode(hash.finalize()),
            Self::Sha384(hash) => hex::encode(hash.finalize()),
            Self::Sha512(hash) => hex::encode(hash.finalize()),
        }
    }
}

/// Passes bytes on; at their end, or once there are too many, fails with `InvalidData` if they are the wrong ones.
pub(super) struct CheckedReader<R> {
    inner: R,
    /// Gone once the end has been reached.
    hash: Option<Hash>,
    expected: String,
    size: Option<u64>,
    read: u64,
}

impl<R: Read> CheckedReader<R> {
    pub(super) fn new(inner: R, checksum: &Checksum, size: Option<u64>) -> Result<Self, ExternalError> {
        let hash = Hash::new(&checksum.algorithm)
            .ok_or_else(|| ExternalError::Unsupported(format!("{} checksums", checksum.algorithm)))?;
        Ok(Self { inner, hash: Some(hash), expected: checksum.hex.clone(), size, read: 0 })
    }
}

impl<R: Read> Read for CheckedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read += count as u64;
        let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
        // A small file may not unpack to an endless one.
        if let Some(size) = self.size.filter(|size| self.read > *size) {
            return Err(invalid(format!("there are more than the {size} bytes that repomd.xml gives")));
        }
        if count > 0 {
            if let Some(hash) = &mut self.hash {
                hash.update(&buffer[..count]);
            }
        } else if let Some(hash) = self.hash.take_if(|_| !buffer.is_empty()) {
            let actual = hash.hex();
            if !actual.eq_ignore_ascii_case(&self.expected) {
                return Err(invalid(format!("the checksum is {actual} where repomd.xml gives {}", self.expected)));
            }
        }
        Ok(count)
    }
}
