//! A metadata file cut into its `<package>` elements, without holding more than one.

use std::io::{self, BufRead};

use memchr::memmem;

use super::ExternalError;

const END: &[u8] = b"</package>";
/// Largest element taken. Those of packages with a hundred thousand files are some 10 MB.
const MAX_PIECE: usize = 256 << 20;

/// Reads one element after the other. An element's text cannot contain its own end tag, since `<` is escaped there; in
/// a comment or CDATA it could, and the piece then fails to parse.
pub(super) struct Pieces<R> {
    reader: R,
    root: &'static str,
    buffer: Vec<u8>,
    done: bool,
}

impl<R: BufRead> Pieces<R> {
    /// `root` is the name of the document's element.
    pub(super) fn new(reader: R, root: &'static str) -> Self {
        Self { reader, root, buffer: Vec::new(), done: false }
    }

    /// The next element with a line end, or `None` after the document's end.
    pub(super) fn next(&mut self) -> Result<Option<String>, ExternalError> {
        if self.done {
            return Ok(None);
        }
        let next = self.read_piece();
        // Nothing comes after the first error, so that nobody can loop on it.
        self.done = !matches!(next, Ok(Some(_)));
        next
    }

    fn read_piece(&mut self) -> Result<Option<String>, ExternalError> {
        loop {
            if let Some(end) = memmem::find(&self.buffer, END) {
                let rest = self.buffer.split_off(end + END.len());
                let piece = std::mem::replace(&mut self.buffer, rest);
                return self.piece(piece).map(Some);
            }
            if !self.read_more()? {
                return self.finish().map(|()| None);
            }
        }
    }

    /// Reads up to the next `>`: end tags are found without searching the same bytes twice over.
    fn read_more(&mut self) -> Result<bool, ExternalError> {
        // The element's last `>` ends a read, so that nothing beyond it is taken.
        loop {
            let count = self.reader.read_until(b'>', &mut self.buffer)?;
            if count == 0 {
                return Ok(false);
            }
            if self.buffer.len() > MAX_PIECE {
                return Err(ExternalError::Unsupported(format!("a package element of more than {MAX_PIECE} bytes")));
            }
            if self.buffer.ends_with(END) {
                return Ok(true);
            }
        }
    }

    fn piece(&self, piece: Vec<u8>) -> Result<String, ExternalError> {
        let start = memmem::find(&piece, b"<package").ok_or_else(|| self.broken("a package's end has no beginning"))?;
        let mut piece = String::from_utf8(piece).map_err(|error| ExternalError::Xml(error.to_string()))?;
        piece.drain(..start);
        // They would be taken for the marks of a template, and XML does not allow them.
        if piece.contains(['\u{1}', '\u{2}']) {
            return Err(self.broken("there are control characters in it"));
        }
        piece.push('\n');
        Ok(piece)
    }

    /// What is left must be the end of the document: a cut-off file is an error even if nobody gave its checksum.
    fn finish(&mut self) -> Result<(), ExternalError> {
        let rest = String::from_utf8_lossy(&self.buffer);
        let closed = rest.trim_end().ends_with(&format!("</{}>", self.root));
        let empty = rest.trim_end().ends_with("/>") && rest.contains(&format!("<{}", self.root));
        if !closed && !empty {
            return Err(self.broken("it is cut off"));
        }
        io::copy(&mut self.reader, &mut io::sink())?;
        Ok(())
    }

    fn broken(&self, what: &str) -> ExternalError {
        ExternalError::Xml(format!("<{}>: {what}", self.root))
    }
}
