//! Objects as they are handed on to somebody else: in a stream, under the reader's own conditions.

use aws_sdk_s3::{error::ProvideErrorMetadata, primitives::ByteStream};
use chrono::{DateTime, Utc};

use crate::{
    Object, Result, Store, StoreError,
    object::{class, time},
};

/// What a reader asks for, as its HTTP headers say it.
#[derive(Clone, Debug, Default)]
pub struct ReadConditions {
    /// `Range`.
    pub range: Option<String>,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<DateTime<Utc>>,
}

/// An object, or a range of it, on its way.
#[derive(Debug)]
pub struct Read {
    /// The object; its size is the whole object's.
    pub object: Object,
    /// Bytes that come.
    pub length: i64,
    /// `Content-Range`, when only a range comes.
    pub content_range: Option<String>,
    /// The bytes.
    pub body: ByteStream,
}

/// How a conditional read ended.
#[derive(Debug)]
pub enum ReadOutcome {
    /// Here it is.
    Found(Box<Read>),
    /// The reader has it already.
    NotModified,
    /// The range lies behind the end.
    OutOfRange,
}

impl Store {
    /// Opens an object for reading; nothing is held in memory.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none.
    pub async fn read(&self, key: &str, conditions: ReadConditions) -> Result<ReadOutcome> {
        let since = conditions.if_modified_since.map(|at| aws_sdk_s3::primitives::DateTime::from_secs(at.timestamp()));
        let get = self.client.get_object().bucket(&self.bucket).key(key).set_range(conditions.range);
        let get = get.set_if_none_match(conditions.if_none_match).set_if_modified_since(since);
        let got = match get.send().await {
            Ok(got) => got,
            Err(error) => {
                let status = error.raw_response().map(|response| response.status().as_u16());
                let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
                return match (status, code) {
                    (Some(304), _) => Ok(ReadOutcome::NotModified),
                    (Some(416), _) | (_, Some("InvalidRange")) => Ok(ReadOutcome::OutOfRange),
                    _ => Err(StoreError::new(key, error)),
                };
            }
        };
        let length = got.content_length.unwrap_or_default();
        let whole = got.content_range.as_deref().and_then(|range| range.rsplit_once('/')?.1.parse().ok());
        let object = Object {
            key: key.to_owned(),
            size: whole.unwrap_or(length),
            etag: got.e_tag.unwrap_or_default(),
            modified: time(got.last_modified),
            storage_class: class(got.storage_class.as_ref().map(|class| class.as_str())),
        };
        Ok(ReadOutcome::Found(Box::new(Read { object, length, content_range: got.content_range, body: got.body })))
    }
}
