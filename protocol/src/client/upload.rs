//! Files to part URLs.

use std::{
    fs::File,
    io::{self, Read},
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
use crate::method::upload::{UploadPlan, UploadedPart, part_size};

/// Parts on their way at once, each held in memory.
const AT_ONCE: usize = 4;

/// The header by which S3 verifies what it receives.
const CHECKSUM: &str = "x-amz-checksum-sha256";

/// Bytes read at once while a file is digested.
const PIECE: usize = 256 * 1024;

/// What is told of a file before its upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDigest {
    /// Bytes.
    pub size: i64,
    /// The SHA-256, lower-case hex.
    pub sha256: String,
    /// The SHA-256 of each part of [`part_size`] bytes, lower-case hex; an empty file has one part.
    pub parts: Vec<String>,
}

impl FileDigest {
    /// Reads a file and digests it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn of(path: &Path) -> Result<Self, ClientError> {
        let path = path.to_owned();
        let target = path.clone();
        let digested = tokio::task::spawn_blocking(move || digest(&target)).await;
        let digested = digested.map_err(io::Error::other).and_then(|digested| digested);
        digested.map_err(|error| ClientError::File { path, error })
    }
}

fn digest(path: &Path) -> io::Result<FileDigest> {
    let mut file = File::open(path)?;
    let size = i64::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let part_size = part_size(size) as u64;
    let (mut whole, mut parts, mut read) = (Sha256::new(), Vec::new(), 0);
    let mut piece = vec![0; PIECE];
    while read < size as u64 || parts.is_empty() {
        let mut part = Sha256::new();
        let mut rest = (&mut file).take(part_size);
        loop {
            let length = rest.read(&mut piece)?;
            if length == 0 {
                break;
            }
            whole.update(&piece[..length]);
            part.update(&piece[..length]);
            read += length as u64;
        }
        // A file that shrinks meanwhile would otherwise be waited for without end.
        if read < size as u64 && rest.limit() > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        parts.push(hex::encode(part.finalize()));
    }
    Ok(FileDigest { size, sha256: hex::encode(whole.finalize()), parts })
}

/// A part of a file.
struct Part {
    url: String,
    offset: u64,
    length: usize,
}

impl Client {
    /// Uploads a file by its plan ([`FileDigest::of`] is what the plan is made from), several parts at once, each tried again by itself. `progress` is told the bytes of each
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
