//! Copies within S3: the bytes never pass through us.

use std::fmt::Write;

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, StorageClass};

use crate::{Result, Store, StoreError};

/// S3 copies objects of up to 5 GB in one call; larger ones go in parts of this size.
const PART: i64 = 1 << 30;
const WHOLE: i64 = 5 * PART;

impl Store {
    /// Copies an object of `size` bytes, onto itself if its storage class is to change. None = the class that S3 gives by itself.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none.
    pub async fn copy(&self, from: &str, to: &str, size: i64, storage_class: Option<&str>) -> Result<()> {
        let source = self.copy_source(from);
        let class = storage_class.map(StorageClass::from);
        if size > WHOLE {
            return self.copy_in_parts(from, &source, to, size, class).await;
        }
        let copy = self.client.copy_object().bucket(&self.bucket).key(to).copy_source(source);
        let copied = copy.set_storage_class(class).send().await;
        copied.map_err(|error| StoreError::new(from, error))?;
        Ok(())
    }

    async fn copy_in_parts(
        &self,
        from: &str,
        source: &str,
        to: &str,
        size: i64,
        class: Option<StorageClass>,
    ) -> Result<()> {
        let made =
            self.client.create_multipart_upload().bucket(&self.bucket).key(to).set_storage_class(class).send().await;
        let upload = made.map_err(|error| StoreError::new(to, error))?.upload_id.unwrap_or_default();
        let mut parts = Vec::new();
        for (number, start) in (1..).zip((0..size).step_by(PART as usize)) {
            let end = (start + PART).min(size) - 1;
            let copy = self.client.upload_part_copy().bucket(&self.bucket).key(to).upload_id(&upload);
            let copy = copy.part_number(number).copy_source(source).copy_source_range(format!("bytes={start}-{end}"));
            let etag = match copy.send().await {
                Ok(copied) => copied.copy_part_result.and_then(|result| result.e_tag),
                Err(error) => {
                    self.abort(to, &upload).await?;
                    return Err(StoreError::new(from, error));
                }
            };
            parts.push(CompletedPart::builder().part_number(number).set_e_tag(etag).build());
        }
        let done = self.client.complete_multipart_upload().bucket(&self.bucket).key(to).upload_id(upload);
        let done = done.multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build());
        done.send().await.map_err(|error| StoreError::new(to, error))?;
        Ok(())
    }

    /// The source of a copy, as its header wants it: percent-encoded but for slashes.
    pub(crate) fn copy_source(&self, key: &str) -> String {
        let mut source = format!("{}/", self.bucket);
        for byte in key.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => source.push(byte as char),
                _ => {
                    // writing to a String does not fail
                    let _ = write!(source, "%{byte:02X}");
                }
            }
        }
        source
    }
}
