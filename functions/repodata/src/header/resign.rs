//! A signature header with another signature in it.

use super::{
    HeaderError, SignatureHeader,
    index::{Index, RawEntry, width},
    tag::signature as tag,
};

const BINARY: u32 = 7;
/// The tag that says which entries belong together and are immutable: the first of the index, its trailer the last of the data.
const REGION: u32 = 62;
const REGION_SIZE: usize = 16;
/// What a signature header begins with: magic, version, reserved.
const START: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];
/// Signatures of any kind: there is to be one only.
const SIGNATURES: [u32; 5] = [tag::DSA, tag::RSA, tag::OPENPGP, tag::PGP, tag::GPG];

impl SignatureHeader {
    /// The same header with this RSA signature of the main header (an OpenPGP packet) in place of all signatures: what `rpmsign` of rpm
    /// 4.14 and later writes. Other tags stay.
    ///
    /// # Errors
    /// When the bytes are no signature header.
    pub fn with_rsa(bytes: &[u8], packet: &[u8]) -> Result<Vec<u8>, HeaderError> {
        let old = Index::parse(Index::first_section(bytes)?)?;
        let mut entries: Vec<RawEntry<'_>> = old.raw_entries()?;
        entries.retain(|entry| entry.tag != REGION && !SIGNATURES.contains(&entry.tag));
        entries.push(RawEntry { tag: tag::RSA, kind: BINARY, count: packet.len(), data: packet });
        entries.sort_by_key(|entry| entry.tag);
        Ok(section(&entries))
    }
}

/// A header section of these entries as one region, padded to a multiple of eight as in a file.
fn section(entries: &[RawEntry<'_>]) -> Vec<u8> {
    let mut index = Vec::new();
    let mut data = Vec::new();
    for entry in entries {
        let at = data.len().next_multiple_of(width(entry.kind));
        data.resize(at, 0);
        put_entry(&mut index, entry.tag, entry.kind, at as u32, entry.count);
        data.extend_from_slice(entry.data);
    }
    let count = entries.len() + 1;
    let mut region = Vec::new();
    put_entry(&mut region, REGION, BINARY, data.len() as u32, REGION_SIZE);
    // the trailer says, as a negative number, how far back the index begins
    put_entry(&mut data, REGION, BINARY, (count as u32 * REGION_SIZE as u32).wrapping_neg(), REGION_SIZE);
    let mut section = START.to_vec();
    section.extend((count as u32).to_be_bytes());
    section.extend((data.len() as u32).to_be_bytes());
    section.extend([region, index, data].concat());
    section.resize(section.len().next_multiple_of(8), 0);
    section
}

fn put_entry(to: &mut Vec<u8>, tag: u32, kind: u32, offset: u32, count: usize) {
    for number in [tag, kind, offset, count as u32] {
        to.extend(number.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: u32 = 6;
    const NUMBER: u32 = 4;

    #[test]
    fn signatures_are_replaced_and_the_rest_stays() {
        let old = section(&[
            RawEntry { tag: tag::RSA, kind: BINARY, count: 3, data: b"old" },
            RawEntry { tag: tag::SHA256, kind: TEXT, count: 1, data: b"abc\0" },
            RawEntry { tag: 1000, kind: NUMBER, count: 1, data: &7_u32.to_be_bytes() },
            RawEntry { tag: tag::PGP, kind: BINARY, count: 2, data: b"xx" },
            RawEntry { tag: tag::MD5, kind: BINARY, count: 1, data: b"m" },
        ]);
        // a version 4 signature whose issuer is 0011223344556677
        let packet =
            [&[0xc2, 16, 4, 0, 1, 8, 0, 0, 0, 10, 9, 16][..], &hex::decode("0011223344556677").unwrap()].concat();
        let new = SignatureHeader::with_rsa(&old, &packet).unwrap();
        let parsed = SignatureHeader::parse(&new).unwrap();
        assert_eq!(parsed.key_id.as_deref(), Some("44556677"));
        assert_eq!(parsed.sigmd5.as_deref(), Some("6d"));
        let index = Index::parse(Index::first_section(&new).unwrap()).unwrap();
        assert_eq!(index.tags().collect::<Vec<_>>(), [REGION, tag::RSA, tag::SHA256, 1000, tag::MD5]);
        assert_eq!(index.text(tag::SHA256).unwrap().as_deref(), Some("abc"));
        assert_eq!(index.number(1000).unwrap(), Some(7));
        // signed again, only the signature is another
        assert_eq!(SignatureHeader::with_rsa(&new, &packet).unwrap(), new);
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let good = section(&[RawEntry { tag: tag::MD5, kind: BINARY, count: 1, data: b"m" }]);
        assert!(SignatureHeader::with_rsa(&good[..20], b"x").is_err());
        assert!(SignatureHeader::with_rsa(b"", b"x").is_err());
        let mut bad = good.clone();
        // more bytes than there are
        bad[47] = 200;
        assert!(SignatureHeader::with_rsa(&bad, b"x").is_err());
    }
}
