//! Whose signature an RPM carries. Nothing is verified: the key's id is only read.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;

use md5::{Digest, Md5};

use super::{HeaderError, index::INTRO_SIZE, index::Index, tag::signature as tag};

/// A signature header on its own, as `rpmsign` has left it in a file and a client has cut it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureHeader {
    /// MD5 of the header and payload that it is for, hex.
    pub sigmd5: Option<String>,
    /// The id of the key, 8 lower-case hex digits; `None` if it holds no signature. Nothing is verified.
    pub key_id: Option<String>,
    /// MD5 of all its bytes, hex.
    pub sighash: String,
}

impl SignatureHeader {
    /// Reads it from its bytes, padded to a multiple of eight as in the file.
    ///
    /// # Errors
    /// When they are no signature header, or not exactly one.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        let intro = bytes.first_chunk::<INTRO_SIZE>().ok_or(HeaderError::Malformed("a signature header is cut off"))?;
        let size = Index::size(intro)?;
        if bytes.len() != size.next_multiple_of(8) {
            return Err(HeaderError::Malformed("a signature header has another length than it says, with its padding"));
        }
        let index = Index::parse(&bytes[..size])?;
        Ok(Self {
            sigmd5: index.bytes(tag::MD5)?.map(hex::encode),
            key_id: key_id(&index)?,
            sighash: hex::encode(Md5::digest(bytes)),
        })
    }
}

/// The id of the key that signed, 8 lower-case hex digits, or `None` for an unsigned RPM.
///
/// Where there are several signatures the order of the tags is Koji's. An RPM signed with rpm 6 alone (its OPENPGP tag)
/// is taken too, which Koji does not do.
pub(super) fn key_id(index: &Index) -> Result<Option<String>, HeaderError> {
    for tag in [tag::GPG, tag::PGP, tag::DSA, tag::RSA] {
        if let Some(packet) = index.bytes(tag)? {
            return packet_key_id(&packet).map(Some);
        }
    }
    match index.texts(tag::OPENPGP)?.first() {
        Some(encoded) => packet_key_id(&decode_base64(encoded).ok_or(BAD_PACKET)?).map(Some),
        None => Ok(None),
    }
}

const BAD_PACKET: HeaderError = HeaderError::Malformed("a signature is no OpenPGP signature packet");
const SIGNATURE_PACKET: u8 = 2;
const ISSUER: u8 = 16;
const ISSUER_FINGERPRINT: u8 = 33;

fn packet_key_id(packet: &[u8]) -> Result<String, HeaderError> {
    let body = packet_body(packet).ok_or(BAD_PACKET)?;
    let id = match body.first() {
        Some(3) => body.get(7..15).map(<[u8]>::to_vec),
        Some(4) => subpacket_key_id(body, 2),
        Some(6) => subpacket_key_id(body, 4),
        _ => None,
    };
    // The short id is the last four bytes of the long one.
    id.and_then(|id| id.last_chunk::<4>().map(hex::encode)).ok_or(BAD_PACKET)
}

/// The body of a packet with an old or a new format header.
fn packet_body(packet: &[u8]) -> Option<&[u8]> {
    let (&first, rest) = packet.split_first()?;
    if first & 0x80 == 0 {
        return None;
    }
    let (kind, header) = if first & 0x40 != 0 {
        let header = match rest.first()? {
            0..=191 => 1,
            192..=223 => 2,
            255 => 5,
            _ => return None,
        };
        (first & 0x3f, header)
    } else {
        let header = match first & 3 {
            0 => 1,
            1 => 2,
            2 => 4,
            _ => 0,
        };
        (first >> 2 & 0xf, header)
    };
    (kind == SIGNATURE_PACKET).then(|| rest.get(header..))?
}

/// The issuer named in the hashed or the unhashed subpackets, each area led by a length of `width` bytes.
fn subpacket_key_id(body: &[u8], width: usize) -> Option<Vec<u8>> {
    let (hashed, rest) = take_area(body.get(4..)?, width)?;
    let (unhashed, _) = take_area(rest, width)?;
    [hashed, unhashed].into_iter().find_map(area_key_id)
}

fn take_area(bytes: &[u8], width: usize) -> Option<(&[u8], &[u8])> {
    let length = bytes.get(..width)?.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    bytes.get(width..)?.split_at_checked(length)
}

fn area_key_id(mut area: &[u8]) -> Option<Vec<u8>> {
    let mut found = None;
    while let Some((&first, _)) = area.split_first() {
        let (length, header) = match first {
            0..=191 => (usize::from(first), 1),
            192..=254 => (((usize::from(first) - 192) << 8) + usize::from(*area.get(1)?) + 192, 2),
            255 => (area.get(1..5)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), 5),
        };
        let (subpacket, rest) = area.get(header..)?.split_at_checked(length)?;
        match subpacket.split_first().map(|(kind, value)| (kind & 0x7f, value)) {
            Some((ISSUER, id)) => return Some(id.to_vec()),
            // A version 4 key's id ends its fingerprint, a version 6 key's begins it.
            Some((ISSUER_FINGERPRINT, [4, fingerprint @ ..])) => {
                found = fingerprint.last_chunk::<8>().map(|id| id.to_vec())
            }
            Some((ISSUER_FINGERPRINT, [6, fingerprint @ ..])) => {
                found = fingerprint.first_chunk::<8>().map(|id| id.to_vec())
            }
            _ => {}
        }
        area = rest;
    }
    found
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(text).ok()
}
