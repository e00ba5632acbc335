//! Index, journal and blobs together: what can be asked, and what can be changed.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use s3s::{S3Result, s3_error};

use super::blob::Blobs;
use super::index::{Bucket, Event, Index, Object};
use crate::journal::{DirectoryLock, Journal};

/// The state of one server, shared by its requests.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) blobs: Blobs,
    inner: Mutex<Inner>,
    _lock: DirectoryLock,
}

#[derive(Debug)]
struct Inner {
    index: Index,
    journal: Journal<Event>,
}

impl Store {
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let lock = DirectoryLock::take(dir)?;
        let blobs = Blobs::open(&dir.join("blobs"))?;
        let mut index = Index::default();
        let journal = Journal::open(&dir.join("journal"), |event| index.apply(event))?;
        for blob in index.blobs() {
            blobs.own(blob);
        }
        let removed = blobs.sweep(index.blobs())?;
        if removed > 0 {
            tracing::info!(removed, "removed what was never finished or already replaced");
        }
        let inner = Mutex::new(Inner { index, journal });
        Ok(Self { blobs, inner, _lock: lock })
    }

    /// Looks at the state.
    pub(super) fn read<R>(&self, look: impl FnOnce(&Index) -> S3Result<R>) -> S3Result<R> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        look(&inner.index)
    }

    /// Checks the state and says how it changes, in one step; the change is in the journal when this returns.
    pub(super) fn change<R>(&self, decide: impl FnOnce(&Index) -> S3Result<(Option<Event>, R)>) -> S3Result<R> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { index, journal } = &mut *inner;
        let (event, answer) = decide(index)?;
        if let Some(event) = event {
            let written = journal.append([&event]);
            written.map_err(|error| s3_error!(error, InternalError))?;
            index.apply(event);
            if journal.is_mostly_history(index.count())
                && let Err(error) = journal.rewrite(index.events())
            {
                tracing::warn!(%error, "cannot shorten the journal; it stays whole");
            }
        }
        Ok(answer)
    }

    /// The object as it is now.
    pub(super) fn object(&self, bucket: &str, key: &str) -> S3Result<Arc<Object>> {
        self.read(|index| {
            let object = bucket_of(index, bucket)?.objects.get(key);
            object.cloned().ok_or_else(no_such_key)
        })
    }
}

/// The bucket, or `NoSuchBucket`.
pub(super) fn bucket_of<'a>(index: &'a Index, name: &str) -> S3Result<&'a Bucket> {
    index.buckets.get(name).ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))
}

pub(super) fn no_such_key() -> s3s::S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
}
