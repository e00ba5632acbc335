//! Files from the top URL, which are public.

use std::path::Path;

use toji_protocol::client::{Client, ClientError};
use tokio::io::AsyncWriteExt;

use crate::failure::{Doing, TaskError};

/// A connection that breaks is taken up again this often.
const RESUMES: u32 = 10;

/// Loads a file, however large.
///
/// # Errors
/// When it is not there, cannot be reached, or cannot be written.
pub(crate) async fn file(client: &Client, url: &str, path: &Path) -> Result<(), TaskError> {
    let writing = || format!("writing {}", path.display());
    let mut out = tokio::fs::File::create(path).await.doing(writing)?;
    let (mut offset, mut resumes) = (0_u64, 0);
    'connections: loop {
        let Some(mut download) = client.download(url, offset).await.map_err(|error| told(url, error))? else { break };
        if download.offset != offset {
            // The server does not serve parts: from the beginning.
            offset = 0;
            out = tokio::fs::File::create(path).await.doing(writing)?;
        }
        loop {
            match download.chunk().await {
                Ok(Some(chunk)) => {
                    out.write_all(&chunk).await.doing(writing)?;
                    offset += chunk.len() as u64;
                }
                Ok(None) => break 'connections,
                Err(error) if resumes < RESUMES => {
                    resumes += 1;
                    tracing::warn!(%error, offset, "a download broke and is taken up again");
                    continue 'connections;
                }
                Err(error) => return Err(told(url, error)),
            }
        }
    }
    out.flush().await.doing(writing)
}

/// Loads a small file into memory.
///
/// # Errors
/// When it is not there, cannot be reached, or is larger than `most` bytes.
pub(crate) async fn small(client: &Client, url: &str, most: usize) -> Result<Vec<u8>, TaskError> {
    let mut resumes = 0;
    'connections: loop {
        let mut content = Vec::new();
        let download = client.download(url, 0).await.map_err(|error| told(url, error))?;
        let Some(mut download) = download else { return Ok(content) };
        loop {
            match download.chunk().await {
                Ok(Some(chunk)) if content.len() + chunk.len() > most => {
                    return Err(TaskError::Invalid(format!("{url} is larger than {most} bytes")));
                }
                Ok(Some(chunk)) => content.extend_from_slice(&chunk),
                Ok(None) => return Ok(content),
                Err(_) if resumes < RESUMES => {
                    resumes += 1;
                    continue 'connections;
                }
                Err(error) => return Err(told(url, error)),
            }
        }
    }
}

/// A missing file is no conflict of the hub's: its message names the file.
fn told(url: &str, error: ClientError) -> TaskError {
    TaskError::Invalid(format!("cannot load {url}: {error}"))
}
