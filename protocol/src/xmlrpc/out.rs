//! Where a document is written: kept whole, or handed on piece by piece.

use std::ops::{Deref, DerefMut};

use super::encode::EncodeError;

/// Takes a piece of a document. An error ends the writing.
pub(super) type Sink = Box<dyn FnMut(Vec<u8>) -> Result<(), EncodeError>>;

/// The bytes written so far that were not handed on.
pub(super) struct Out {
    bytes: Vec<u8>,
    /// How long they may grow before they are handed on, or are too long.
    full_at: usize,
    sink: Option<Sink>,
}

impl Out {
    /// Goes on where `bytes` end, and keeps everything.
    pub(super) fn whole(bytes: Vec<u8>) -> Self {
        Self { bytes, full_at: usize::MAX, sink: None }
    }

    /// Keeps about `most` bytes, and gives up when there are more.
    pub(super) fn short(most: usize) -> Self {
        Self { bytes: Vec::new(), full_at: most, sink: None }
    }

    /// Hands on pieces of about `length` bytes.
    pub(super) fn pieces(length: usize, sink: Sink) -> Self {
        Self { bytes: Vec::with_capacity(length), full_at: length, sink: Some(sink) }
    }

    /// Hands on what there is, if it is long enough. Asked after each item of a list: what grows long is a list.
    #[inline]
    pub(super) fn flush_if_full(&mut self) -> Result<(), EncodeError> {
        if self.bytes.len() < self.full_at {
            return Ok(());
        }
        let Some(sink) = &mut self.sink else { return Err(EncodeError::Stopped) };
        let next = Vec::with_capacity(self.bytes.len());
        sink(std::mem::replace(&mut self.bytes, next))
    }

    /// Hands on the rest, or answers the whole.
    pub(super) fn finish(self) -> Result<Vec<u8>, EncodeError> {
        match self.sink {
            Some(mut sink) => sink(self.bytes).map(|()| Vec::new()),
            None => Ok(self.bytes),
        }
    }
}

impl Deref for Out {
    type Target = Vec<u8>;
    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Out {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}
