//! The digests of what was uploaded, read from S3 a piece at a time.

use md5::Digest as _;

use crate::{Error, Hub, Result, upload::UploadedObject};

/// Bytes that are read at a time.
const READ: i64 = 8 << 20;

/// A kind of digest that a description may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sum {
    Md5,
    Sha1,
    Sha256,
}

impl Sum {
    /// Reads the name of a kind.
    pub(super) fn parse(name: &str) -> Result<Self> {
        match name {
            "md5" => Ok(Self::Md5),
            "sha1" => Ok(Self::Sha1),
            "sha256" => Ok(Self::Sha256),
            other => Err(Error::invalid(format!("Unsupported verify type: {other}; it can be md5, sha1 or sha256"))),
        }
    }

    /// Koji's number for it.
    pub(super) fn number(self) -> i16 {
        match self {
            Self::Md5 => 0,
            Self::Sha1 => 1,
            Self::Sha256 => 2,
        }
    }
}

/// What an object is, by all three digests.
pub(super) struct Digests {
    md5: String,
    sha1: String,
    /// In hex.
    pub(super) sha256: String,
}

impl Digests {
    /// Reads an object from its beginning to its end.
    ///
    /// # Errors
    /// When S3 is away.
    pub(super) async fn of(hub: &Hub, object: &UploadedObject) -> Result<Self> {
        let (mut md5, mut sha1, mut sha256) = (md5::Md5::new(), sha1::Sha1::new(), sha2::Sha256::new());
        let mut at = 0;
        while at < object.size {
            let end = (at + READ).min(object.size);
            let bytes = hub.store.get_range(&object.key, at.unsigned_abs()..end.unsigned_abs()).await?;
            md5.update(&bytes);
            sha1.update(&bytes);
            sha256.update(&bytes);
            at = end;
        }
        Ok(Self {
            md5: hex::encode(md5.finalize()),
            sha1: hex::encode(sha1.finalize()),
            sha256: hex::encode(sha256.finalize()),
        })
    }

    /// One of them, in hex.
    pub(super) fn get(&self, sum: Sum) -> &str {
        match sum {
            Sum::Md5 => &self.md5,
            Sum::Sha1 => &self.sha1,
            Sum::Sha256 => &self.sha256,
        }
    }
}
