//! The digests by which Koji's clients check what they have sent.

use sha2::Digest;

use crate::{Error, Result};

/// A kind of digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Adler32,
    Md5,
    Sha256,
}

impl Kind {
    /// Reads the name of a kind.
    pub(super) fn parse(name: &str) -> Result<Self> {
        match name {
            "adler32" => Ok(Self::Adler32),
            "md5" => Ok(Self::Md5),
            "sha256" => Ok(Self::Sha256),
            _ => Err(Error::invalid(format!("unsupported fileverify '{name}': it can be adler32, md5 or sha256"))),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Adler32 => "adler32",
            Self::Md5 => "md5",
            Self::Sha256 => "sha256",
        }
    }

    /// The digest of bytes, in lower-case hex.
    pub(super) fn of(self, bytes: &[u8]) -> String {
        let mut digest = Running::new(self);
        digest.update(bytes);
        digest.finish()
    }
}

/// A digest of bytes that come one after another.
pub(super) enum Running {
    Adler32(adler2::Adler32),
    Md5(md5::Md5),
    Sha256(sha2::Sha256),
}

impl Running {
    pub(super) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Adler32 => Self::Adler32(adler2::Adler32::new()),
            Kind::Md5 => Self::Md5(md5::Md5::new()),
            Kind::Sha256 => Self::Sha256(sha2::Sha256::new()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Adler32(digest) => digest.write_slice(bytes),
            Self::Md5(digest) => digest.update(bytes),
            Self::Sha256(digest) => digest.update(bytes),
        }
    }

    pub(super) fn finish(self) -> String {
        match self {
            Self::Adler32(digest) => format!("{:08x}", digest.checksum()),
            Self::Md5(digest) => hex::encode(digest.finalize()),
            Self::Sha256(digest) => hex::encode(digest.finalize()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(Kind::Adler32.of(b""), "00000001");
        assert_eq!(Kind::Adler32.of(b"Wikipedia"), "11e60398");
        assert_eq!(Kind::Md5.of(b""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(&Kind::Sha256.of(b"")[..8], "e3b0c442");
        assert!(Kind::parse("crc32").is_err());
    }
}
