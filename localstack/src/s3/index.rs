//! What the server knows: buckets, objects, uploads; in memory, and in the journal as the events that led there.
//!
//! Every change is one [`Event`]: written to the journal, then applied, under one lock. Replaying the journal applies the
//! same events, so memory after a restart is memory before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use s3s::dto::Timestamp;
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::blob::Blob;
use super::checksum::{Algorithm, Checksum, Kind};
use crate::clock::Millis;

/// What a client says about an object beside its content; given back as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Headers {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<Timestamp>,
    /// None = `STANDARD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) storage_class: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) metadata: BTreeMap<String, String>,
}

/// The most bytes of user metadata, names and values together.
const LARGEST_METADATA: usize = 2 << 10;

impl Headers {
    /// What is to be stored of what was said.
    pub(super) fn checked(mut self) -> S3Result<Self> {
        let said: usize = self.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if said > LARGEST_METADATA {
            return Err(s3_error!(MetadataTooLarge, "Your metadata headers exceed the maximum allowed metadata size"));
        }
        // It says how the request was framed, not what the object is.
        self.content_encoding = self.content_encoding.and_then(|encodings| {
            let own = encodings.split(',').map(str::trim);
            let own: Vec<&str> = own.filter(|encoding| *encoding != "aws-chunked").collect();
            Some(own.join(",")).filter(|own| !own.is_empty())
        });
        Ok(self)
    }
}

/// Takes the [`Headers`] out of a request that writes an object.
macro_rules! take_headers {
    ($input:expr) => {
        $crate::s3::index::Headers {
            content_type: $input.content_type.take(),
            content_encoding: $input.content_encoding.take(),
            content_disposition: $input.content_disposition.take(),
            content_language: $input.content_language.take(),
            cache_control: $input.cache_control.take(),
            expires: $input.expires.take(),
            storage_class: $input
                .storage_class
                .take()
                .map(|class| class.as_str().to_owned())
                .filter(|class| class != "STANDARD"),
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
        }
        .checked()
    };
}

pub(super) use take_headers;

/// An object; never changed, only replaced.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Object {
    /// Without quotes.
    pub(super) etag: String,
    pub(super) modified: Millis,
    #[serde(flatten)]
    pub(super) headers: Headers,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checksum: Option<(Checksum, Kind)>,
    /// One; or the parts that a multipart upload was completed with.
    pub(super) blobs: Vec<Arc<Blob>>,
    /// The numbers that those parts had; empty if it was not a multipart upload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) part_numbers: Vec<i32>,
}

impl Object {
    pub(super) fn size(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.size()).sum()
    }

    pub(super) fn is_multipart(&self) -> bool {
        !self.part_numbers.is_empty()
    }
}

/// A multipart upload under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) started: Millis,
    #[serde(flatten)]
    pub(super) headers: Headers,
    pub(super) checksum: Option<(Algorithm, Kind)>,
    pub(super) parts: BTreeMap<i32, Part>,
}

/// One part of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) etag: String,
    pub(super) modified: Millis,
    pub(super) checksum: Option<Checksum>,
    pub(super) blob: Arc<Blob>,
}

/// A bucket. Uploads are sorted as `ListMultipartUploads` lists them.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    pub(super) made: Millis,
    pub(super) objects: BTreeMap<String, Arc<Object>>,
    pub(super) uploads: BTreeMap<(String, String), Upload>,
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) buckets: BTreeMap<String, Bucket>,
}

/// A change. One that names a bucket or upload that is not there changes nothing: whoever makes events checks first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event")]
pub(super) enum Event {
    BucketMade { bucket: String, at: Millis },
    BucketRemoved { bucket: String },
    Put { bucket: String, key: String, object: Arc<Object> },
    Removed { bucket: String, key: String },
    UploadStarted { bucket: String, key: String, id: String, upload: Upload },
    PartStored { bucket: String, key: String, id: String, number: i32, part: Part },
    UploadAborted { bucket: String, key: String, id: String },
    UploadCompleted { bucket: String, key: String, id: String, object: Arc<Object> },
}

impl Index {
    pub(super) fn apply(&mut self, event: Event) {
        match event {
            Event::BucketMade { bucket, at } => {
                self.buckets.entry(bucket).or_insert_with(|| Bucket { made: at, ..Bucket::default() });
            }
            Event::BucketRemoved { bucket } => {
                self.buckets.remove(&bucket);
            }
            Event::Put { bucket, key, object } => {
                if let Some(bucket) = self.buckets.get_mut(&bucket) {
                    bucket.put(key, object);
                }
            }
            Event::Removed { bucket, key } => {
                let bucket = self.buckets.get_mut(&bucket);
                if let Some(old) = bucket.and_then(|bucket| bucket.objects.remove(&key)) {
                    give_up(&old.blobs);
                }
            }
            Event::UploadStarted { bucket, key, id, upload } => {
                if let Some(bucket) = self.buckets.get_mut(&bucket) {
                    for part in upload.parts.values() {
                        part.blob.keep();
                    }
                    bucket.uploads.insert((key, id), upload);
                }
            }
            Event::PartStored { bucket, key, id, number, part } => {
                let bucket = self.buckets.get_mut(&bucket);
                if let Some(upload) = bucket.and_then(|b| b.uploads.get_mut(&(key, id))) {
                    part.blob.keep();
                    if let Some(old) = upload.parts.insert(number, part) {
                        old.blob.give_up();
                    }
                }
            }
            Event::UploadAborted { bucket, key, id } => {
                if let Some(bucket) = self.buckets.get_mut(&bucket) {
                    bucket.end_upload(key, id);
                }
            }
            Event::UploadCompleted { bucket, key, id, object } => {
                if let Some(bucket) = self.buckets.get_mut(&bucket) {
                    bucket.end_upload(key.clone(), id);
                    // Keeps again those parts that the object is made of.
                    bucket.put(key, object);
                }
            }
        }
    }

    /// The fewest events that lead here.
    pub(super) fn events(&self) -> Vec<Event> {
        let mut events = Vec::with_capacity(self.count());
        for (name, bucket) in &self.buckets {
            events.push(Event::BucketMade { bucket: name.clone(), at: bucket.made });
            for (key, object) in &bucket.objects {
                events.push(Event::Put { bucket: name.clone(), key: key.clone(), object: object.clone() });
            }
            for ((key, id), upload) in &bucket.uploads {
                events.push(Event::UploadStarted {
                    bucket: name.clone(),
                    key: key.clone(),
                    id: id.clone(),
                    upload: upload.clone(),
                });
            }
        }
        events
    }

    /// How many events that would be.
    pub(super) fn count(&self) -> usize {
        self.buckets.values().map(|bucket| 1 + bucket.objects.len() + bucket.uploads.len()).sum()
    }

    /// Every blob that is named.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.buckets.values().flat_map(|bucket| {
            let objects = bucket.objects.values().flat_map(|object| &object.blobs);
            let parts = bucket.uploads.values().flat_map(|upload| upload.parts.values());
            objects.chain(parts.map(|part| &part.blob)).map(Arc::as_ref)
        })
    }
}

impl Bucket {
    fn put(&mut self, key: String, object: Arc<Object>) {
        for blob in &object.blobs {
            blob.keep();
        }
        if let Some(old) = self.objects.insert(key, object) {
            give_up(&old.blobs);
        }
    }

    fn end_upload(&mut self, key: String, id: String) {
        if let Some(upload) = self.uploads.remove(&(key, id)) {
            for part in upload.parts.values() {
                part.blob.give_up();
            }
        }
    }
}

fn give_up(blobs: &[Arc<Blob>]) {
    for blob in blobs {
        blob.give_up();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_stored_without_the_framing() {
        let said = |encoding: &str| Headers { content_encoding: Some(encoding.into()), ..Headers::default() };
        let stored = |encoding| said(encoding).checked().unwrap().content_encoding;
        assert_eq!(stored("aws-chunked"), None);
        assert_eq!(stored("gzip, aws-chunked").as_deref(), Some("gzip"));
        let mut large = Headers::default();
        large.metadata.insert("a".into(), "b".repeat(2048));
        assert!(large.checked().is_err());
    }

    #[test]
    fn replaying_the_fewest_events_gives_the_same_index() {
        let mut index = Index::default();
        let object = || {
            Arc::new(Object {
                etag: "aa".into(),
                modified: 1,
                headers: Headers::default(),
                checksum: None,
                blobs: Vec::new(),
                part_numbers: Vec::new(),
            })
        };
        let (bucket, key, id) = (|| "b".to_owned(), || "k".to_owned(), || "i".to_owned());
        let upload = Upload { started: 2, headers: Headers::default(), checksum: None, parts: BTreeMap::new() };
        index.apply(Event::BucketMade { bucket: bucket(), at: 0 });
        index.apply(Event::Put { bucket: bucket(), key: key(), object: object() });
        index.apply(Event::UploadStarted { bucket: bucket(), key: key(), id: id(), upload });
        index.apply(Event::Put { bucket: bucket(), key: "gone".into(), object: object() });
        index.apply(Event::Removed { bucket: bucket(), key: "gone".into() });
        let lines: Vec<String> = index.events().iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        assert_eq!(lines.len(), index.count());
        let mut again = Index::default();
        for line in &lines {
            again.apply(serde_json::from_str(line).unwrap());
        }
        let relisted: Vec<String> = again.events().iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        assert_eq!(relisted, lines);
    }
}
