//! Files to part URLs.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::header::{ETAG, HeaderMap};
use sha2::{Digest, Sha256};

use super::{Client, ClientError};
use crate::method::upload::{UploadPlan, UploadedPart};

/// Parts on their way at once, each held in memory.
const AT_ONCE: usize = 4;

/// The header by which S3 verifies what it receives.
const CHECKSUM: &str = "x-amz-checksum-sha256";

/// A part of a file.
struct Part {
    url: String,
    offset: u64,
    length: usize,
}

impl Client {
    /// Uploads a file by its plan, several parts at once, each tried again by itself. `progress` is told the bytes of each
    /// part that has arrived. The answer is for `upload.finish` or `host.finishUpload`.
    ///
    /// # Errors
    /// When the file cannot be read or is not of the size that was planned, or a part does not arrive.
    pub async fn upload_parts(
        &self,
        plan: &UploadPlan,
        path: &Path,
        progress: impl Fn(u64) + Sync,
    ) -> Result<Vec<UploadedPart>, ClientError> {
        let unreadable = |error| ClientError::File { path: path.to_owned(), error };
        let file = Arc::new(File::open(path).map_err(unreadable)?);
        let size = file.metadata().map_err(unreadable)?.len();
        let parts = parts(plan, size).ok_or_else(|| {
            unreadable(io::Error::other(format!("its size changed to {size} bytes while it was being uploaded")))
        })?;
        stream::iter(parts)
            .map(|part| self.upload_part(Arc::clone(&file), path, part, &progress))
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn upload_part(
        &self,
        file: Arc<File>,
        path: &Path,
        part: Part,
        progress: &(impl Fn(u64) + Sync),
    ) -> Result<UploadedPart, ClientError> {
        let (content, digest) = read(file, path.to_owned(), part.offset, part.length).await?;
        let etag = self.put(&part.url, content, Some(digest)).await?;
        progress(part.length as u64);
        Ok(UploadedPart { etag, sha256: hex::encode(digest) })
    }

    /// Puts bytes to a presigned URL and answers the ETag. With a SHA-256, the store verifies it.
    ///
    /// # Errors
    /// When they do not arrive.
    pub async fn put(&self, url: &str, content: Bytes, sha256: Option<[u8; 32]>) -> Result<String, ClientError> {
        let mut headers = HeaderMap::new();
        if let Some(value) = sha256.and_then(|digest| BASE64_STANDARD.encode(digest).parse().ok()) {
            headers.insert(CHECKSUM, value);
        }
        self.retrying(|| async {
            let sent = self.files.put(url).headers(headers.clone()).body(content.clone()).send().await;
            let response = self.check_store(sent).await?;
            let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok());
            Ok(etag.unwrap_or_default().to_owned())
        })
        .await
    }

    /// As `check`; but a store's 500 is an invitation to try again, which the hub's is not.
    async fn check_store(
        &self,
        sent: Result<reqwest::Response, reqwest::Error>,
    ) -> Result<reqwest::Response, ClientError> {
        match self.check(sent).await {
            Err(ClientError::Fault { code, message, status: 500, request_id }) => {
                Err(ClientError::Fault { code, message, status: 503, request_id })
            }
            checked => checked,
        }
    }
}

/// The parts of a file of this size; None when the plan is for another.
fn parts(plan: &UploadPlan, size: u64) -> Option<Vec<Part>> {
    let part_size = u64::try_from(plan.part_size).ok().filter(|size| *size > 0)?;
    if plan.urls.len() as u64 != size.div_ceil(part_size).max(1) {
        return None;
    }
    let part = |(number, url): (usize, &String)| {
        let offset = number as u64 * part_size;
        Part { url: url.clone(), offset, length: (size - offset).min(part_size) as usize }
    };
    Some(plan.urls.iter().enumerate().map(part).collect())
}

async fn read(file: Arc<File>, path: PathBuf, offset: u64, length: usize) -> Result<(Bytes, [u8; 32]), ClientError> {
    let read = tokio::task::spawn_blocking(move || {
        let mut content = vec![0; length];
        file.read_exact_at(&mut content, offset)?;
        let digest = Sha256::digest(&content).into();
        Ok((Bytes::from(content), digest))
    });
    let read = read.await.map_err(io::Error::other).and_then(|read| read);
    read.map_err(|error| ClientError::File { path, error })
}
