//! Whole objects, ranges of them, and lists.

use std::{ops::Range, time::Duration};

use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{Delete, ObjectIdentifier},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::{Result, Store, StoreError};

/// The most keys that S3 deletes in one call.
const DELETE_BATCH: usize = 1000;

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Bytes.
    pub size: i64,
    /// Its version, with quotes.
    pub etag: String,
    /// When it was written.
    pub modified: DateTime<Utc>,
    /// How S3 keeps it.
    pub storage_class: String,
}

/// How a conditional write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// Written.
    Written,
    /// Somebody else was first; nothing was written.
    Overtaken,
}

impl Store {
    /// Writes an object.
    ///
    /// # Errors
    /// When S3 cannot be reached or refuses.
    pub async fn put(&self, key: &str, body: impl Into<Bytes>, content_type: &str) -> Result<()> {
        let body = ByteStream::from(body.into());
        let put = self.client.put_object().bucket(&self.bucket).key(key).content_type(content_type).body(body);
        put.send().await.map_err(|error| StoreError::new(key, error))?;
        Ok(())
    }

    /// Writes an object if it is still the version `expected`, or (None) if there is none yet.
    ///
    /// # Errors
    /// When S3 cannot be reached or refuses for another reason.
    pub async fn put_if(
        &self,
        key: &str,
        body: impl Into<Bytes>,
        content_type: &str,
        expected: Option<&str>,
    ) -> Result<PutOutcome> {
        let put = self.client.put_object().bucket(&self.bucket).key(key).content_type(content_type);
        let put = match expected {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        match put.body(ByteStream::from(body.into())).send().await {
            Ok(_) => Ok(PutOutcome::Written),
            Err(error) => match error.as_service_error().and_then(ProvideErrorMetadata::code) {
                Some("PreconditionFailed" | "ConditionalRequestConflict") => Ok(PutOutcome::Overtaken),
                // If-Match on an object that is gone
                Some("NoSuchKey") if expected.is_some() => Ok(PutOutcome::Overtaken),
                _ => Err(StoreError::new(key, error)),
            },
        }
    }

    /// Reads a whole object into memory.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none.
    pub async fn get(&self, key: &str) -> Result<Bytes> {
        let got = self.client.get_object().bucket(&self.bucket).key(key).send().await;
        collect(key, got.map_err(|error| StoreError::new(key, error))?.body).await
    }

    /// Reads bytes `range` of an object; fewer when it ends before.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none; [`StoreError::Mismatch`] when it ends before the range begins.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let bytes = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        let got = self.client.get_object().bucket(&self.bucket).key(key).range(bytes).send().await;
        collect(key, got.map_err(|error| StoreError::new(key, error))?.body).await
    }

    /// What is known of an object; None when there is none.
    ///
    /// # Errors
    /// When S3 cannot be reached or refuses.
    pub async fn head(&self, key: &str) -> Result<Option<Object>> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(head) => Ok(Some(Object {
                key: key.to_owned(),
                size: head.content_length.unwrap_or_default(),
                etag: head.e_tag.unwrap_or_default(),
                modified: time(head.last_modified),
                storage_class: class(head.storage_class.as_ref().map(|class| class.as_str())),
            })),
            Err(error) => match StoreError::new(key, error) {
                StoreError::Missing(_) => Ok(None),
                error => Err(error),
            },
        }
    }

    /// All objects whose keys begin with `prefix`, by key.
    ///
    /// # Errors
    /// When S3 cannot be reached or refuses.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        self.list_after(prefix, None).await
    }

    /// The same, only those behind a key.
    ///
    /// # Errors
    /// When S3 cannot be reached or refuses.
    pub async fn list_after(&self, prefix: &str, after: Option<String>) -> Result<Vec<Object>> {
        let mut objects = Vec::new();
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).set_start_after(after);
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| StoreError::new(prefix, error))?;
            objects.extend(page.contents.unwrap_or_default().into_iter().map(|object| Object {
                key: object.key.unwrap_or_default(),
                size: object.size.unwrap_or_default(),
                etag: object.e_tag.unwrap_or_default(),
                modified: time(object.last_modified),
                storage_class: class(object.storage_class.as_ref().map(|class| class.as_str())),
            }));
        }
        Ok(objects)
    }

    /// Deletes an object; no fault when there is none.
    ///
    /// # Errors
    /// When S3 cannot be reached or refuses.
    pub async fn delete(&self, key: &str) -> Result<()> {
        let deleted = self.client.delete_object().bucket(&self.bucket).key(key).send().await;
        deleted.map_err(|error| StoreError::new(key, error))?;
        Ok(())
    }

    /// Deletes all objects whose keys begin with `prefix`. Answers how many.
    ///
    /// # Errors
    /// When S3 cannot be reached or refuses; some may be gone then.
    pub async fn delete_prefix(&self, prefix: &str) -> Result<usize> {
        let keys: Vec<String> = self.list(prefix).await?.into_iter().map(|object| object.key).collect();
        self.delete_all(&keys).await?;
        Ok(keys.len())
    }

    /// Deletes objects; no fault when there is none.
    ///
    /// # Errors
    /// When S3 cannot be reached or refuses; some may be gone then.
    pub async fn delete_all(&self, keys: &[String]) -> Result<()> {
        for batch in keys.chunks(DELETE_BATCH) {
            let named = batch.first().map_or("", String::as_str);
            let ids = batch.iter().filter_map(|key| ObjectIdentifier::builder().key(key).build().ok());
            let delete = Delete::builder().set_objects(Some(ids.collect())).quiet(true).build();
            let delete =
                delete.map_err(|error| StoreError::Failed { key: named.to_owned(), message: error.to_string() })?;
            let request = self.client.delete_objects().bucket(&self.bucket).delete(delete);
            let answer = request.send().await.map_err(|error| StoreError::new(named, error))?;
            if let Some(error) = answer.errors.unwrap_or_default().first() {
                return Err(StoreError::Failed {
                    key: error.key.clone().unwrap_or_default(),
                    message: error.message.clone().unwrap_or_default(),
                });
            }
        }
        Ok(())
    }

    /// A URL that anybody may read the object from, for a while.
    ///
    /// # Errors
    /// When there are no credentials to sign with.
    pub async fn presign_get(&self, key: &str, lasts: Duration) -> Result<String> {
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let signed = request.presigned(presigning(key, lasts)?).await;
        Ok(signed.map_err(|error| StoreError::new(key, error))?.uri().to_owned())
    }

    /// A URL that anybody may write the object to, for a while.
    ///
    /// # Errors
    /// When there are no credentials to sign with.
    pub async fn presign_put(&self, key: &str, lasts: Duration) -> Result<String> {
        let request = self.client.put_object().bucket(&self.bucket).key(key);
        let signed = request.presigned(presigning(key, lasts)?).await;
        Ok(signed.map_err(|error| StoreError::new(key, error))?.uri().to_owned())
    }
}

pub(crate) fn presigning(key: &str, lasts: Duration) -> Result<PresigningConfig> {
    PresigningConfig::expires_in(lasts)
        .map_err(|error| StoreError::Failed { key: key.to_owned(), message: error.to_string() })
}

async fn collect(key: &str, body: ByteStream) -> Result<Bytes> {
    let body = body.collect().await;
    let body = body.map_err(|error| StoreError::Failed { key: key.to_owned(), message: error.to_string() })?;
    Ok(body.into_bytes())
}

/// S3 does not name the ordinary class.
pub(crate) fn class(told: Option<&str>) -> String {
    told.unwrap_or("STANDARD").to_owned()
}

pub(crate) fn time(time: Option<aws_sdk_s3::primitives::DateTime>) -> DateTime<Utc> {
    time.and_then(|time| DateTime::from_timestamp(time.secs(), time.subsec_nanos())).unwrap_or_default()
}
