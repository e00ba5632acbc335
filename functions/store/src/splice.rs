//! A new object of given bytes and the rest of another one. What is large never passes through us.

use std::ops::Range;

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, StorageClass};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};

use crate::{ByteStream, Part, Result, Store, StoreError};

/// S3's least size of a part that is not the last.
const LEAST_PART: u64 = 5 << 20;
/// Copied parts are this large at the most; S3 takes 5 GB.
const MOST: u64 = 1 << 30;
/// Up to here reading and writing costs less than the calls of an upload in parts.
const SMALL: u64 = 2 * LEAST_PART;

/// What an object is put together from.
#[derive(Clone, Debug)]
pub struct Splice<'a> {
    /// What it begins with.
    pub head: Bytes,
    /// The object whose rest follows.
    pub from: &'a str,
    /// That object's bytes.
    pub size: u64,
    /// Where its rest begins.
    pub after: u64,
}

impl Store {
    /// Writes an object that is put together, with a storage class if not the one that S3 gives by itself. It appears whole, or
    /// not at all.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when what is to follow is not there; otherwise when S3 cannot be reached or refuses.
    pub async fn splice(
        &self,
        splice: Splice<'_>,
        to: &str,
        content_type: &str,
        storage_class: Option<&str>,
    ) -> Result<()> {
        let Splice { head, from, size, after } = splice;
        let class = storage_class.map(StorageClass::from);
        // the first part is sent: the head, and as much of the rest as makes it large enough
        let middle = if size.saturating_sub(after) <= SMALL { size } else { after + LEAST_PART };
        let mut first = BytesMut::from(head);
        if middle > after {
            first.extend_from_slice(&self.get_range(from, after..middle).await?);
        }
        let first = first.freeze();
        if middle == size {
            let put = self.client.put_object().bucket(&self.bucket).key(to).content_type(content_type);
            let put = put.set_storage_class(class).body(ByteStream::from(first)).send().await;
            return put.map(|_| ()).map_err(|error| StoreError::new(to, error));
        }
        let start = self.client.create_multipart_upload().bucket(&self.bucket).key(to).content_type(content_type);
        let start = start.checksum_algorithm(ChecksumAlgorithm::Sha256).checksum_type(ChecksumType::Composite);
        let started = start.set_storage_class(class).send().await.map_err(|error| StoreError::new(to, error))?;
        let upload = started.upload_id.unwrap_or_default();
        let done = self.send_spliced(first, from, middle..size, to, &upload).await;
        if done.is_err() {
            self.abort(to, &upload).await?;
        }
        done
    }

    async fn send_spliced(&self, first: Bytes, from: &str, rest: Range<u64>, to: &str, upload: &str) -> Result<()> {
        let mut parts = vec![self.put_part(to, upload, 1, first).await?];
        let source = self.copy_source(from);
        for (number, start) in (2..).zip(rest.clone().step_by(MOST as usize)) {
            let end = (start + MOST).min(rest.end) - 1;
            let copy = self.client.upload_part_copy().bucket(&self.bucket).key(to).upload_id(upload);
            let copy = copy.part_number(number).copy_source(&source).copy_source_range(format!("bytes={start}-{end}"));
            let copied = copy.send().await.map_err(|error| StoreError::new(from, error))?.copy_part_result;
            let (etag, sha256) = copied.map(|part| (part.e_tag, part.checksum_sha256)).unwrap_or_default();
            let sha256 = BASE64_STANDARD.decode(sha256.unwrap_or_default()).unwrap_or_default();
            parts.push(Part { etag: etag.unwrap_or_default(), sha256: hex::encode(sha256) });
        }
        self.complete(to, upload, &parts).await
    }
}
