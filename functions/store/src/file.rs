//! Files of this machine as objects, and back.

use std::{fs::File, os::unix::fs::FileExt, path::Path};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use crate::{Result, Store, StoreError};

/// Larger files go in parts of this size. S3 takes none smaller than 5 MiB.
const PART: u64 = 8 << 20;
/// Parts on their way at once.
const AT_ONCE: usize = 4;

impl Store {
    /// Writes a file as an object. A large one goes in parts, of which a few are held in memory. Nobody may change the file meanwhile.
    ///
    /// # Errors
    /// When the file cannot be read, S3 cannot be reached or refuses.
    pub async fn put_file(&self, key: &str, path: &Path, content_type: &str) -> Result<()> {
        let unreadable = |error: std::io::Error| StoreError::Failed {
            key: key.to_owned(),
            message: format!("{} cannot be read: {error}", path.display()),
        };
        let file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        if size <= PART {
            return self.put(key, read(&file, 0, size).map_err(unreadable)?, content_type).await;
        }
        let upload = self.start(key, Some(content_type), None).await?;
        let parts = stream::iter((0..size).step_by(PART as usize).zip(1..)).map(|(offset, number)| {
            let (file, upload) = (&file, &upload);
            async move {
                let body = read(file, offset, PART.min(size - offset)).map_err(unreadable)?;
                self.put_part(key, upload, number, body).await
            }
        });
        let sent: Result<Vec<_>> = parts.buffered(AT_ONCE).try_collect().await;
        let done = match sent {
            Ok(parts) => self.complete(key, &upload, &parts).await,
            Err(error) => Err(error),
        };
        if done.is_err() {
            // what has arrived costs money until somebody gives it up
            self.abort(key, &upload).await?;
        }
        done
    }
}

fn read(file: &File, offset: u64, size: u64) -> std::io::Result<Bytes> {
    let mut bytes = vec![0; size as usize];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes.into())
}
