//! Logs that are kept packed, read as the text that they are.
//!
//! What is read of one costs a request for its index, and one for the chunks that are asked for; in memory there is never more
//! than one chunk.

use std::ops::Range;

use aws_sdk_s3::{error::ProvideErrorMetadata, primitives::ByteStream};
use bytes::{Bytes, BytesMut};
use futures::{Stream, TryStreamExt, stream};
use toji_protocol::packed_log::{Header, Index, PackedLogError};

use crate::{
    Object, Result, Store, StoreError,
    object::{class, time},
};

/// What S3 says that such an object is.
pub(crate) const ENCODING: &str = "gzip";
/// Enough for the index of a log of 250 MiB.
const HEAD: u64 = 4096;

/// A log that is kept packed.
#[derive(Clone, Debug)]
pub struct PackedLog {
    store: Store,
    object: Object,
    index: Index,
}

impl Store {
    /// Opens a log; None when it is kept as it is.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none, [`StoreError::Mismatch`] when it is damaged.
    pub async fn packed_log(&self, key: &str) -> Result<Option<PackedLog>> {
        let get = self.client.get_object().bucket(&self.bucket).key(key).range(format!("bytes=0-{}", HEAD - 1));
        let got = match get.send().await {
            Ok(got) => got,
            // an empty object has no first byte
            Err(error) if error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("InvalidRange") => {
                return Ok(None);
            }
            Err(error) => return Err(StoreError::new(key, error)),
        };
        if got.content_encoding.as_deref() != Some(ENCODING) {
            return Ok(None);
        }
        let mut object = Object {
            key: key.to_owned(),
            size: 0,
            etag: got.e_tag.unwrap_or_default(),
            modified: time(got.last_modified),
            storage_class: class(got.storage_class.as_ref().map(|class| class.as_str())),
        };
        let damaged = |error| damaged(key, error);
        let head = got.body.collect().await.map_err(|error| failed(key, error))?.into_bytes();
        let index = match Index::read(&head).map_err(damaged)? {
            Header::Whole(index) => index,
            Header::Cut(length) => match Index::read(&self.get_range(key, 0..length).await?).map_err(damaged)? {
                Header::Whole(index) => index,
                Header::Cut(_) => return Err(damaged(PackedLogError::Header("it ends within its index"))),
            },
        };
        object.size = index.size() as i64;
        Ok(Some(PackedLog { store: self.clone(), object, index }))
    }
}

impl PackedLog {
    /// What is known of it; the size is its text's.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// Bytes of text.
    pub fn size(&self) -> u64 {
        self.index.size()
    }

    /// The text at `range`, as it is unpacked; fewer bytes when it ends before.
    pub fn stream(self, range: Range<u64>) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        let chunks = self.index.chunks(&range);
        let reader = Reader { log: self, range, chunks, body: None, rest: BytesMut::new() };
        stream::try_unfold(reader, async |mut reader| Ok(reader.next().await?.map(|text| (text, reader))))
    }

    /// The same, in one piece.
    ///
    /// # Errors
    /// When S3 cannot be reached, or the log is damaged.
    pub async fn read(self, range: Range<u64>) -> Result<Bytes> {
        let most = range.end.min(self.size()).saturating_sub(range.start);
        let mut text = BytesMut::with_capacity(most as usize);
        let mut pieces = std::pin::pin!(self.stream(range));
        while let Some(piece) = pieces.try_next().await? {
            text.extend_from_slice(&piece);
        }
        Ok(text.freeze())
    }
}

struct Reader {
    log: PackedLog,
    /// The text that is wanted.
    range: Range<u64>,
    /// The chunks that are still to come.
    chunks: Range<usize>,
    /// Their packed bytes; None before the first.
    body: Option<ByteStream>,
    /// What came with an earlier chunk.
    rest: BytesMut,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(chunk) = self.chunks.next() else { return Ok(None) };
        let key = &self.log.object.key;
        let span = self.log.index.packed(&(chunk..chunk + 1));
        if self.body.is_none() {
            let all = self.log.index.packed(&(chunk..self.chunks.end));
            self.body = Some(self.log.open(all).await?);
        }
        let length = (span.end - span.start) as usize;
        while self.rest.len() < length {
            let more = match &mut self.body {
                Some(body) => body.try_next().await.map_err(|error| failed(key, error))?,
                None => None,
            };
            let more = more.ok_or_else(|| damaged(key, PackedLogError::Chunk(chunk)))?;
            self.rest.extend_from_slice(&more);
        }
        let packed = self.rest.split_to(length);
        let text = self.log.index.unpack(chunk, &packed).map_err(|error| damaged(key, error))?;
        let whole = self.log.index.text(chunk);
        let from = self.range.start.saturating_sub(whole.start) as usize;
        let to = (self.range.end.min(whole.end) - whole.start) as usize;
        Ok(Some(Bytes::from(text).slice(from..to)))
    }
}

impl PackedLog {
    /// Bytes of this version of the object; another has another index.
    async fn open(&self, span: Range<u64>) -> Result<ByteStream> {
        let (store, key) = (&self.store, &self.object.key);
        let bytes = format!("bytes={}-{}", span.start, span.end.saturating_sub(1));
        let get = store.client.get_object().bucket(&store.bucket).key(key).range(bytes).if_match(&self.object.etag);
        Ok(get.send().await.map_err(|error| StoreError::new(key, error))?.body)
    }
}

fn damaged(key: &str, error: PackedLogError) -> StoreError {
    StoreError::Mismatch { key: key.to_owned(), message: error.to_string() }
}

fn failed(key: &str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Failed { key: key.to_owned(), message: error.to_string() }
}
