//! A new object of given bytes and the rest of another one. What is large never passes through us.

use std::ops::Range;

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};

use crate::{Part, Result, Store, StoreError};

/// S3's least size of a part that is not the last.
const LEAST_PART: u64 = 5 << 20;
/// Copied parts are this large at the most; S3 takes 5 GB.
const MOST: u64 = 1 << 30;
/// Up to here reading and writing costs less than the calls of an upload in parts.
const SMALL: u64 = 2 * LEAST_PART;

impl Store {
    /// Writes `head` and what stands in `from`, an object of `size` bytes, from byte `after` on. The object appears whole, or not at all.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is no `from`; otherwise when S3 cannot be reached or refuses.
    pub async fn splice(
        &self,
        head: Bytes,
        from: &str,
        size: u64,
        after: u64,
        to: &str,
        content_type: &str,
    ) -> Result<()> {
        // the first part is sent: the head, and as much of the rest as makes it large enough
        let middle = if size.saturating_sub(after) <= SMALL { size } else { after + LEAST_PART };
        let mut first = BytesMut::from(head);
        if middle > after {
            first.extend_from_slice(&self.get_range(from, after..middle).await?);
        }
        let first = first.freeze();
        if middle == size {
            return self.put(to, first, content_type).await;
        }
        let start = self.client.create_multipart_upload().bucket(&self.bucket).key(to).content_type(content_type);
        let start = start.checksum_algorithm(ChecksumAlgorithm::Sha256).checksum_type(ChecksumType::Composite);
        let started = start.send().await.map_err(|error| StoreError::new(to, error))?;
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
