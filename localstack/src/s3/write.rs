//! `PutObject`, `CopyObject`, `DeleteObject` and `DeleteObjects`.

use std::sync::Arc;

use http::HeaderMap;
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, DeleteObjectInput, DeleteObjectOutput,
    DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETag, ETagCondition, Error, MetadataDirective,
    PutObjectInput, PutObjectOutput, StreamingBlob, Timestamp,
};
use s3s::{Body, S3Error, S3Request, S3Response, S3Result, StdError, s3_error};

use futures::TryStreamExt;

use super::blob::Blob;
use super::checksum::{Algorithm, Digests, Kind, fill_checksum, given_checksums};
use super::condition::{ReadConditions, Verdict, WriteConditions, failed};
use super::index::{Event, Headers, Object, take_headers};
use super::integrity::{Claims, write_failed};
use super::read::check_version;
use super::store::{Store, bucket_of};
use crate::clock::{now, system_time};

/// The largest object that one request may write, or copy.
pub(super) const LARGEST_WRITE: u64 = 5 << 30;
/// The most keys that one `DeleteObjects` may name.
const MOST_DELETES: usize = 1000;

/// Stores a body as an object.
pub(super) async fn put(store: &Store, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
    let trailers = request.trailing_headers;
    let mut input = request.input;
    refuse_tags(input.tagging.as_deref())?;
    let claims = Claims::read(
        given_checksums!(input),
        input.content_md5.as_deref(),
        input.checksum_algorithm.as_ref(),
        &request.headers,
        &request.uri,
    )?;
    check_length(input.content_length)?;
    let headers = take_headers!(input)?;
    store.read(|index| bucket_of(index, &input.bucket).map(drop))?;

    let algorithm = claims.algorithm().unwrap_or(Algorithm::Crc64Nvme);
    let written = store.blobs.write(body(input.body), Some(algorithm)).await;
    let (blob, digests) = written.map_err(write_failed)?;
    claims.check(&digests, trailers.as_ref())?;

    let object = single(blob, digests, headers);
    let mut answer = PutObjectOutput { e_tag: Some(ETag::Strong(object.etag.clone())), ..PutObjectOutput::default() };
    if let Some((checksum, kind)) = &object.checksum {
        fill_checksum!(answer, Some(checksum));
        answer.checksum_type = Some(kind.to_dto());
    }
    let conditions = WriteConditions { if_match: input.if_match, if_none_match: input.if_none_match };
    commit(store, input.bucket, input.key, Arc::new(object), &conditions)?;
    Ok(S3Response::new(answer))
}

/// Copies an object: by a link to its bytes where nothing about them changes.
pub(super) async fn copy(store: &Store, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
    let conditions = conditions_from(&request.headers);
    let mut input = request.input;
    refuse_tags(input.tagging.as_deref())?;
    let replaces =
        input.metadata_directive.as_ref().is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
    let says_class = input.storage_class.is_some();
    let fresh = take_headers!(input)?;
    let (from_bucket, from_key) = source_of(&input.copy_source)?;
    if !replaces && !says_class && (from_bucket, from_key) == (input.bucket.as_str(), input.key.as_str()) {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."
        ));
    }
    let source = store.object(from_bucket, from_key)?;
    check_source(&source_conditions!(input), &source)?;
    if source.size() > LARGEST_WRITE {
        return Err(s3_error!(
            InvalidRequest,
            "The specified copy source is larger than the maximum allowable size for a copy source: {LARGEST_WRITE}"
        ));
    }
    let asked = input.checksum_algorithm.as_ref().map(Algorithm::parse);
    let (blob, digests) = copy_bytes(store, &source, asked.transpose()?).await?;
    // the class is never the source's
    let storage_class = fresh.storage_class.clone();
    let headers = if replaces { fresh } else { Headers { storage_class, ..source.headers.clone() } };
    let object = single(blob, digests, headers);
    let mut result = CopyObjectResult {
        e_tag: Some(ETag::Strong(object.etag.clone())),
        last_modified: Some(Timestamp::from(system_time(object.modified))),
        ..CopyObjectResult::default()
    };
    if let Some((checksum, kind)) = &object.checksum {
        fill_checksum!(result, Some(checksum));
        result.checksum_type = Some(kind.to_dto());
    }
    commit(store, input.bucket, input.key, Arc::new(object), &conditions)?;
    Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() }))
}

/// The bytes of `source` once more, as one blob. As on S3, the copy of a multipart object is an ordinary object, with an
/// ETag and a checksum of its own.
async fn copy_bytes(store: &Store, source: &Object, asked: Option<Algorithm>) -> S3Result<(Arc<Blob>, Digests)> {
    let has = source.checksum.as_ref().map(|(checksum, _)| checksum);
    let algorithm = asked.or(has.map(|checksum| checksum.algorithm));
    let algorithm = algorithm.unwrap_or(Algorithm::Crc64Nvme);
    if let (false, [blob], Some(checksum)) = (source.is_multipart(), source.blobs.as_slice(), has)
        && checksum.algorithm == algorithm
        && let Ok(md5) = hex::decode(&source.etag)
        && let Ok(md5) = md5.try_into()
    {
        let linked = store.blobs.link(blob).await;
        let linked = linked.map_err(|error| s3_error!(error, InternalError))?;
        let checksum = Some(checksum.clone());
        return Ok((linked, Digests { md5, checksum }));
    }
    let bytes = store.blobs.read(&source.blobs, 0..source.size()).await;
    let bytes = bytes.map_err(|error| s3_error!(error, InternalError))?;
    let written = store.blobs.write(bytes.map_err(StdError::from), Some(algorithm));
    written.await.map_err(write_failed)
}

/// Removes an object; no error if there is none.
pub(super) fn delete(store: &Store, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
    let input = request.input;
    check_version(input.version_id.as_deref())?;
    remove(store, &input.bucket, &input.key, input.if_match)?;
    Ok(S3Response::new(DeleteObjectOutput::default()))
}

/// Removes up to a thousand objects; each may fail by itself.
pub(super) fn delete_many(
    store: &Store,
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    let input = request.input;
    let keys = input.delete.objects;
    if keys.is_empty() || keys.len() > MOST_DELETES {
        return Err(s3_error!(
            MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published schema"
        ));
    }
    store.read(|index| bucket_of(index, &input.bucket).map(drop))?;
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for named in keys {
        let done = check_version(named.version_id.as_deref()).and_then(|()| {
            let condition = named.e_tag.map(ETagCondition::ETag);
            remove(store, &input.bucket, &named.key, condition)
        });
        match done {
            Ok(()) => deleted.push(DeletedObject { key: Some(named.key), ..DeletedObject::default() }),
            Err(error) => errors.push(Error {
                key: Some(named.key),
                code: Some(error.code().as_str().to_owned()),
                message: error.message().map(str::to_owned),
                version_id: None,
            }),
        }
    }
    if input.delete.quiet == Some(true) {
        deleted.clear();
    }
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: Some(deleted),
        errors: Some(errors),
        ..DeleteObjectsOutput::default()
    }))
}

fn remove(store: &Store, bucket: &str, key: &str, if_match: Option<ETagCondition>) -> S3Result<()> {
    let conditions = WriteConditions { if_match, if_none_match: None };
    store.change(|index| {
        let current = bucket_of(index, bucket)?.objects.get(key);
        conditions.check(current.map(Arc::as_ref))?;
        let event = current.map(|_| Event::Removed { bucket: bucket.to_owned(), key: key.to_owned() });
        Ok((event, ()))
    })
}

/// Puts the object in place, if the conditions still hold.
fn commit(
    store: &Store,
    bucket: String,
    key: String,
    object: Arc<Object>,
    conditions: &WriteConditions,
) -> S3Result<()> {
    store.change(|index| {
        let current = bucket_of(index, &bucket)?.objects.get(&key);
        conditions.check(current.map(Arc::as_ref))?;
        let event = Event::Put { bucket, key, object };
        Ok((Some(event), ()))
    })
}

/// An object of one blob.
fn single(blob: Arc<Blob>, digests: Digests, headers: Headers) -> Object {
    Object {
        etag: digests.etag(),
        modified: now(),
        headers,
        checksum: digests.checksum.map(|sum| (sum, Kind::FullObject)),
        blobs: vec![blob],
        part_numbers: Vec::new(),
    }
}

/// A request without a body has an empty one.
pub(super) fn body(given: Option<StreamingBlob>) -> StreamingBlob {
    given.unwrap_or_else(|| StreamingBlob::from(Body::empty()))
}

pub(super) fn check_length(length: Option<i64>) -> S3Result<()> {
    match length {
        Some(length) if length.unsigned_abs() > LARGEST_WRITE => {
            Err(s3_error!(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size"))
        }
        _ => Ok(()),
    }
}

/// Bucket and key of a copy's source.
pub(super) fn source_of(source: &CopySource) -> S3Result<(&str, &str)> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            check_version(version_id.as_deref())?;
            Ok((bucket, key))
        }
        _ => Err(s3_error!(NotImplemented, "Copies from access points are not served here")),
    }
}

/// A failed condition on the source is 412, whichever it is.
pub(super) fn check_source(conditions: &ReadConditions, source: &Object) -> S3Result<()> {
    match conditions.judge(source) {
        Verdict::Go => Ok(()),
        Verdict::NotModified | Verdict::Failed => Err(failed()),
    }
}

/// `CopyObject` takes write conditions too, but s3s does not know it yet.
fn conditions_from(headers: &HeaderMap) -> WriteConditions {
    let parse = |name| {
        let value: &str = headers.get(name)?.to_str().ok()?;
        match value {
            "*" => Some(ETagCondition::Any),
            tag => tag.parse().ok().map(ETagCondition::ETag),
        }
    };
    WriteConditions { if_match: parse(http::header::IF_MATCH), if_none_match: parse(http::header::IF_NONE_MATCH) }
}

/// Tags are not stored here; to take them and forget them would be worse than to say so.
pub(super) fn refuse_tags(tags: Option<&str>) -> S3Result<()> {
    match tags {
        None | Some("") => Ok(()),
        Some(_) => Err(S3Error::with_message(s3s::S3ErrorCode::NotImplemented, "Object tags are not served here")),
    }
}

/// The conditions on a copy's source.
macro_rules! source_conditions {
    ($input:expr) => {
        $crate::s3::condition::ReadConditions {
            if_match: $input.copy_source_if_match.clone(),
            if_none_match: $input.copy_source_if_none_match.clone(),
            if_modified_since: $input.copy_source_if_modified_since.clone(),
            if_unmodified_since: $input.copy_source_if_unmodified_since.clone(),
        }
    };
}

pub(super) use source_conditions;
