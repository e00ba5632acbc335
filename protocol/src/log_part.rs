//! Log parts: while a task runs, the new bytes of all its logs travel together, as numbered objects.
//!
//! A part is one line of JSON and then bytes:
//!
//! ```text
//! {"logs":[{"name":"build.log","offset":0,"len":123},{"name":"root.log","offset":4096,"len":7}]}\n
//! <123 bytes of build.log><7 bytes of root.log>
//! ```
//!
//! `offset` is where the bytes stand in that log. A log is the sum of its pieces in the order of the parts; a piece whose
//! offset is 0 although earlier parts had the log already means that the file was replaced or cut: it starts again.
//! The last part of an attempt has `"last":true` beside `logs`, and for each log an empty piece that stands at its end; an attempt
//! that dies has none.
//! No piece ends amid a character of UTF-8, but the last of a log whose bytes do.
//!
//! Two files of one name are told apart by the sender, which calls the later ones `build.DUP01.log` and so on.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest first line that is read, in bytes: some thousand logs.
const MAX_HEAD: usize = 256 * 1024;

/// New bytes of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The log's name, such as `build.log`.
    pub name: &'a str,
    /// Where `bytes` begin in the log; 0 = the log starts (again) here.
    pub offset: u64,
    /// The new bytes.
    pub bytes: &'a [u8],
}

/// A piece as the first line tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceHead {
    /// The log's name.
    pub name: String,
    /// Where its bytes begin in the log.
    pub offset: u64,
    /// How many there are.
    pub len: u64,
}

/// A part that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Each piece and its bytes, in the order in which they lie in the part.
    pub pieces: Vec<(PieceHead, &'a [u8])>,
    /// None follows: the attempt is over.
    pub is_last: bool,
}

#[derive(Serialize, Deserialize)]
struct Head {
    logs: Vec<PieceHead>,
    #[serde(default, rename = "last", skip_serializing_if = "std::ops::Not::not")]
    is_last: bool,
}

/// Why a log part could not be read.
#[derive(Debug, Error)]
pub enum LogPartError {
    /// It has no first line, or one that is too long.
    #[error("the log part has no first line")]
    NoHead,
    /// The first line is not what it should be.
    #[error("the log part's first line is not understood: {0}")]
    Head(#[from] serde_json::Error),
    /// There are fewer or more bytes than the first line says.
    #[error("the log part has {found} bytes of logs where its first line says {told}")]
    Length {
        /// By the first line.
        told: u64,
        /// In fact.
        found: u64,
    },
}

/// Writes a part.
pub fn encode(pieces: &[Piece<'_>]) -> Vec<u8> {
    encode_with(pieces, false)
}

/// Writes the part that says that none follows, and how long each log is.
pub fn encode_last<'a>(logs: impl IntoIterator<Item = (&'a str, u64)>) -> Vec<u8> {
    let ends: Vec<_> = logs.into_iter().map(|(name, size)| Piece { name, offset: size, bytes: b"" }).collect();
    encode_with(&ends, true)
}

fn encode_with(pieces: &[Piece<'_>], is_last: bool) -> Vec<u8> {
    let logs = pieces
        .iter()
        .map(|piece| PieceHead { name: piece.name.to_owned(), offset: piece.offset, len: piece.bytes.len() as u64 })
        .collect();
    // Strings and numbers: this does not fail.
    let mut part = serde_json::to_vec(&Head { logs, is_last }).unwrap_or_default();
    part.push(b'\n');
    for piece in pieces {
        part.extend_from_slice(piece.bytes);
    }
    part
}

/// Reads a part.
///
/// # Errors
/// See [`LogPartError`].
pub fn decode(part: &[u8]) -> Result<Part<'_>, LogPartError> {
    let end = first_line(part).ok_or(LogPartError::NoHead)?;
    let Head { logs, is_last } = serde_json::from_slice(&part[..end])?;
    let mut rest = &part[end + 1..];
    let found = rest.len() as u64;
    let told = logs.iter().fold(0_u64, |sum, piece| sum.saturating_add(piece.len));
    if told != found {
        return Err(LogPartError::Length { told, found });
    }
    let mut pieces = Vec::with_capacity(logs.len());
    for head in logs {
        // The sum fits, so each does.
        let (bytes, after) = rest.split_at(head.len as usize);
        rest = after;
        pieces.push((head, bytes));
    }
    Ok(Part { pieces, is_last })
}

/// Reads the first line off the first bytes of a part: its pieces, and where the bytes of the first begin. None when there is more of
/// the line.
///
/// # Errors
/// See [`LogPartError`].
pub fn decode_head(bytes: &[u8]) -> Result<Option<(Vec<PieceHead>, u64)>, LogPartError> {
    let Some(end) = first_line(bytes) else {
        return if bytes.len() < MAX_HEAD { Ok(None) } else { Err(LogPartError::NoHead) };
    };
    let head: Head = serde_json::from_slice(&bytes[..end])?;
    Ok(Some((head.logs, end as u64 + 1)))
}

/// Where the first line ends.
fn first_line(part: &[u8]) -> Option<usize> {
    part.iter().take(MAX_HEAD).position(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part() {
        let last = encode_last([("a.log", 7)]);
        assert_eq!(last, b"{\"logs\":[{\"name\":\"a.log\",\"offset\":7,\"len\":0}],\"last\":true}\n");
        assert!(decode(&last).unwrap().is_last);
        assert!(!decode(&encode(&[])).unwrap().is_last);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let pieces = [
            Piece { name: "build.log", offset: 0, bytes: b"+ make\n\n" },
            Piece { name: "empty.log", offset: 0, bytes: b"" },
            Piece { name: "r\"o\\ot.log", offset: 4096, bytes: b"\xff\x00{}\n" },
        ];
        let part = encode(&pieces);
        let read = decode(&part).unwrap();
        let read: Vec<_> =
            read.pieces.iter().map(|(h, b)| Piece { name: &h.name, offset: h.offset, bytes: b }).collect();
        assert_eq!(read, pieces);
    }

    #[test]
    fn the_first_line_is_as_documented() {
        let part = encode(&[Piece { name: "a.log", offset: 7, bytes: b"xy" }]);
        assert_eq!(part, b"{\"logs\":[{\"name\":\"a.log\",\"offset\":7,\"len\":2}]}\nxy");
    }

    #[test]
    fn the_first_line_alone() {
        let part =
            encode(&[Piece { name: "a.log", offset: 7, bytes: b"xy" }, Piece { name: "b", offset: 0, bytes: b"z" }]);
        let (pieces, at) = decode_head(&part).unwrap().unwrap();
        assert_eq!(pieces, decode(&part).unwrap().pieces.into_iter().map(|(head, _)| head).collect::<Vec<_>>());
        assert_eq!(part[at as usize..], *b"xyz");
        assert!(decode_head(&part[..20]).unwrap().is_none());
        assert!(decode_head(&vec![b'x'; MAX_HEAD]).is_err() && decode_head(b"no JSON\n").is_err());
    }

    #[test]
    fn broken_parts_are_refused() {
        let cut = decode(b"{\"logs\":[{\"name\":\"a\",\"offset\":0,\"len\":3}]}\nxy");
        assert!(matches!(cut, Err(LogPartError::Length { told: 3, found: 2 })));
        let more = decode(b"{\"logs\":[]}\nxy");
        assert!(matches!(more, Err(LogPartError::Length { told: 0, found: 2 })));
        assert!(matches!(decode(b""), Err(LogPartError::NoHead)));
        assert!(matches!(decode(&vec![b'x'; MAX_HEAD + 1]), Err(LogPartError::NoHead)));
        assert!(matches!(decode(b"{\"logs\":7}\n"), Err(LogPartError::Head(_))));
        let huge = decode(b"{\"logs\":[{\"name\":\"a\",\"offset\":0,\"len\":18446744073709551615},{\"name\":\"b\",\"offset\":0,\"len\":5}]}\nxy");
        assert!(matches!(huge, Err(LogPartError::Length { .. })));
    }
}
