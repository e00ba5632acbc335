//! Uploads in parts, each to a URL that is signed for its number and its digest. Only the hub can make a file of the parts.

use std::time::Duration;

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::{Result, Store, StoreError, object::presigning, packed_log};

/// A part that has arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// As S3 answered it.
    pub etag: String,
    /// Its SHA-256, lower-case hex.
    pub sha256: String,
}

/// An upload in parts that was begun, and neither completed nor given up.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfinished {
    /// What it is to become.
    pub key: String,
    /// Its id.
    pub id: String,
    /// When it began, to the second.
    pub begun: DateTime<Utc>,
}

impl Store {
    /// Begins an upload in parts; answers its id. Nothing is visible at `key` until it is completed.
    ///
    /// # Errors
    /// When S3 cannot be reached or refuses.
    pub async fn start_multipart(&self, key: &str) -> Result<String> {
        self.start(key, None, None).await
    }

    /// The same for a log that comes packed: whoever reads the object itself is told how.
    ///
    /// # Errors
    /// When S3 cannot be reached or refuses.
    pub async fn start_packed_log(&self, key: &str) -> Result<String> {
        self.start(key, Some("text/plain; charset=utf-8"), Some(packed_log::ENCODING)).await
    }

    pub(crate) async fn start(&self, key: &str, content_type: Option<&str>, encoding: Option<&str>) -> Result<String> {
        let start = self.client.create_multipart_upload().bucket(&self.bucket).key(key);
        let start = start.set_content_encoding(encoding.map(str::to_owned));
        let start = start.set_content_type(content_type.map(str::to_owned));
        let start = start.checksum_algorithm(ChecksumAlgorithm::Sha256).checksum_type(ChecksumType::Composite);
        let started = start.send().await.map_err(|error| StoreError::new(key, error))?;
        Ok(started.upload_id.unwrap_or_default())
    }

    /// A URL that takes part `number` (from 1) if its SHA-256 is `sha256` (hex).
    ///
    /// # Errors
    /// [`StoreError::Mismatch`] when the digest is none; otherwise when there are no credentials to sign with.
    pub async fn presign_part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        sha256: &str,
        lasts: Duration,
    ) -> Result<String> {
        let part = self.client.upload_part().bucket(&self.bucket).key(key).upload_id(upload).part_number(number);
        let signed = part.checksum_sha256(digest_base64(key, sha256)?).presigned(presigning(key, lasts)?).await;
        Ok(signed.map_err(|error| StoreError::new(key, error))?.uri().to_owned())
    }

    /// Sends a part ourselves.
    ///
    /// # Errors
    /// When S3 cannot be reached or refuses.
    pub async fn put_part(&self, key: &str, upload: &str, number: i32, body: Bytes) -> Result<Part> {
        let sha256 = hex::encode(Sha256::digest(&body));
        let part = self.client.upload_part().bucket(&self.bucket).key(key).upload_id(upload).part_number(number);
        let part = part.checksum_sha256(digest_base64(key, &sha256)?).body(ByteStream::from(body));
        let sent = part.send().await.map_err(|error| StoreError::new(key, error))?;
        Ok(Part { etag: sent.e_tag.unwrap_or_default(), sha256 })
    }

    /// Makes a file of all the parts, in order. Completing the same upload twice succeeds twice.
    ///
    /// # Errors
    /// [`StoreError::Mismatch`] when a part is missing, too small, or not what its digest says; [`StoreError::Missing`] when the
    /// upload is not there and the file is neither.
    pub async fn complete(&self, key: &str, upload: &str, parts: &[Part]) -> Result<()> {
        let mut completed = Vec::with_capacity(parts.len());
        for (number, part) in (1..).zip(parts) {
            let sha256 = digest_base64(key, &part.sha256)?;
            completed
                .push(CompletedPart::builder().part_number(number).e_tag(&part.etag).checksum_sha256(sha256).build());
        }
        let done = self.client.complete_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload);
        let done = done.multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(completed)).build());
        match done.send().await.map_err(|error| StoreError::new(key, error)) {
            Ok(_) => Ok(()),
            // completed before, and the answer was lost
            Err(StoreError::Missing(_)) if self.head(key).await?.is_some() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Gives an upload in parts up; no fault when there is none.
    ///
    /// # Errors
    /// When S3 cannot be reached or refuses.
    pub async fn abort(&self, key: &str, upload: &str) -> Result<()> {
        let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload);
        match abort.send().await.map_err(|error| StoreError::new(key, error)) {
            Ok(_) | Err(StoreError::Missing(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The uploads in parts below a prefix that nobody has ended.
    ///
    /// # Errors
    /// When S3 cannot be reached or refuses.
    pub async fn uploads(&self, prefix: &str) -> Result<Vec<Unfinished>> {
        let mut found = Vec::new();
        let (mut after_key, mut after_id) = (None, None);
        loop {
            let list = self.client.list_multipart_uploads().bucket(&self.bucket).prefix(prefix);
            let list = list.set_key_marker(after_key).set_upload_id_marker(after_id);
            let page = list.send().await.map_err(|error| StoreError::new(prefix, error))?;
            found.extend(page.uploads.unwrap_or_default().into_iter().filter_map(|upload| {
                let begun = upload.initiated.and_then(|at| DateTime::from_timestamp(at.secs(), 0));
                Some(Unfinished { key: upload.key?, id: upload.upload_id?, begun: begun? })
            }));
            if page.is_truncated != Some(true) {
                return Ok(found);
            }
            (after_key, after_id) = (page.next_key_marker, page.next_upload_id_marker);
        }
    }
}

fn digest_base64(key: &str, sha256: &str) -> Result<String> {
    let bytes = hex::decode(sha256).ok().filter(|bytes| bytes.len() == 32);
    let bytes = bytes.ok_or_else(|| StoreError::Mismatch {
        key: key.to_owned(),
        message: format!("'{sha256}' is no SHA-256 in hex"),
    })?;
    Ok(BASE64_STANDARD.encode(bytes))
}
