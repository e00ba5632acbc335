//! Whether the header is the one that the signature header was made for.

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{HeaderError, RpmHeader};

impl RpmHeader {
    /// Checks every digest of the header that the file carries against the header's bytes. The payload is not looked
    /// at. Fails if there is no digest at all.
    pub fn verify_digests(&self) -> Result<(), HeaderError> {
        if self.header_sha256.is_none() && self.header_sha1.is_none() {
            return Err(HeaderError::NoDigest);
        }
        check::<Sha256>("SHA-256", self.header_sha256.as_deref(), &self.header_bytes)?;
        check::<Sha1>("SHA-1", self.header_sha1.as_deref(), &self.header_bytes)
    }
}

fn check<D: Digest>(digest: &'static str, expected: Option<&str>, header: &[u8]) -> Result<(), HeaderError> {
    let Some(expected) = expected else {
        return Ok(());
    };
    let actual = hex::encode(D::digest(header));
    if actual.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(HeaderError::DigestMismatch { digest, expected: expected.to_owned(), actual })
}
