//! Which characters XML 1.0 allows, and how text is escaped.

use std::fmt;

/// Whether XML 1.0 allows this character in a document, as itself or as a reference.
pub(super) fn is_legal(char: char) -> bool {
    !matches!(char, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// The byte position of the first character that XML 1.0 does not allow.
pub(super) fn first_illegal(text: &str) -> Option<usize> {
    // A chunk at a time and without branches, for the compiler to vectorise; U+FFFE and U+FFFF begin with 0xEF, as much
    // of CJK punctuation does, so that byte only asks for a closer look.
    const CHUNK: usize = 64;
    let suspect = |byte: u8| (byte < 0x20) & !matches!(byte, b'\t' | b'\n' | b'\r') | (byte == 0xef);
    for (index, chunk) in text.as_bytes().chunks(CHUNK).enumerate() {
        if !chunk.iter().fold(false, |found, byte| found | suspect(*byte)) {
            continue;
        }
        for (offset, byte) in chunk.iter().enumerate() {
            let at = index * CHUNK + offset;
            if suspect(*byte) && text[at..].chars().next().is_some_and(|char| !is_legal(char)) {
                return Some(at);
            }
        }
    }
    None
}

/// What stands for the character at the start of `rest`, if it cannot stand for itself, and how many bytes it takes.
fn replacement(rest: &[u8]) -> Option<(&'static [u8], usize)> {
    const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();
    Some(match rest {
        [b'&', ..] => (b"&amp;", 1),
        [b'<', ..] => (b"&lt;", 1),
        [b'>', ..] => (b"&gt;", 1),
        // A bare one would be read as a line feed.
        [b'\r', ..] => (b"&#13;", 1),
        [b'\t' | b'\n', ..] => return None,
        [0..0x20, ..] => (REPLACEMENT, 1),
        [0xef, 0xbf, 0xbe | 0xbf, ..] => (REPLACEMENT, 3),
        _ => return None,
    })
}

/// Appends `text` escaped. Characters that XML cannot carry at all (control characters, U+FFFE, U+FFFF) become U+FFFD: a
/// build log's stray byte must not make a reply unreadable.
pub(super) fn escape_into(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let (mut done, mut at) = (0, 0);
    while at < bytes.len() {
        match bytes[at] {
            0..0x20 | b'&' | b'<' | b'>' | 0xef => match replacement(&bytes[at..]) {
                Some((with, length)) => {
                    out.extend_from_slice(&bytes[done..at]);
                    out.extend_from_slice(with);
                    at += length;
                    done = at;
                }
                None => at += 1,
            },
            _ => at += 1,
        }
    }
    out.extend_from_slice(&bytes[done..]);
}

/// Escapes whatever is formatted into it.
pub(super) struct Escaped<'a>(pub(super) &'a mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape_into(text, self.0);
        Ok(())
    }
}
