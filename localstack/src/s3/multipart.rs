//! Multipart uploads: begun, filled in any order, completed or aborted.

use std::sync::Arc;

use futures::TryStreamExt;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CompletedPart, CopyPartResult, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, ETag, Range, Timestamp, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3Error, S3Request, S3Response, S3Result, StdError, s3_error};

use super::checksum::{Algorithm, Checksum, Hasher, Kind, fill_checksum, given_checksums, multipart_etag};
use super::condition::WriteConditions;
use super::index::{Event, Index, Object, Part, Upload, take_headers};
use super::integrity::{Claims, bad_checksum, write_failed};
use super::store::{Store, bucket_of};
use super::write::{LARGEST_WRITE, body, check_length, check_source, refuse_tags, source_conditions, source_of};
use crate::clock::{now, system_time};

/// The least that a part may hold, unless it is the last.
const SMALLEST_PART: u64 = 5 << 20;
/// Parts are numbered from 1 to this.
const MOST_PARTS: i32 = 10_000;

/// Begins an upload.
pub(super) fn create(
    store: &Store,
    request: S3Request<CreateMultipartUploadInput>,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    let mut input = request.input;
    refuse_tags(input.tagging.as_deref())?;
    let algorithm = input.checksum_algorithm.as_ref().map(Algorithm::parse);
    let checksum = match algorithm.transpose()? {
        Some(algorithm) => {
            let kind = Kind::of_upload(algorithm, input.checksum_type.as_ref())?;
            Some((algorithm, kind))
        }
        None => None,
    };
    let upload = Upload { started: now(), headers: take_headers!(input)?, checksum, parts: Default::default() };
    let id = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
    let (bucket, key) = (input.bucket, input.key);
    let answer = CreateMultipartUploadOutput {
        bucket: Some(bucket.clone()),
        key: Some(key.clone()),
        upload_id: Some(id.clone()),
        checksum_algorithm: checksum.map(|(algorithm, _)| ChecksumAlgorithm::from_static(algorithm.name())),
        checksum_type: checksum.map(|(_, kind)| kind.to_dto()),
        ..CreateMultipartUploadOutput::default()
    };
    store.change(|index| {
        bucket_of(index, &bucket)?;
        let event = Event::UploadStarted { bucket, key, id, upload };
        Ok((Some(event), ()))
    })?;
    Ok(S3Response::new(answer))
}

/// Stores a part from a body.
pub(super) async fn upload_part(
    store: &Store,
    request: S3Request<UploadPartInput>,
) -> S3Result<S3Response<UploadPartOutput>> {
    let trailers = request.trailing_headers;
    let input = request.input;
    let claims = Claims::read(
        given_checksums!(input),
        input.content_md5.as_deref(),
        input.checksum_algorithm.as_ref(),
        &request.headers,
        &request.uri,
    )?;
    check_number(input.part_number)?;
    check_length(input.content_length)?;
    let asked = store.read(|index| {
        let upload = upload_of(index, &input.bucket, &input.key, &input.upload_id)?;
        Ok(upload.checksum)
    })?;
    let algorithm = algorithm_of_part(asked, claims.algorithm())?;
    let written = store.blobs.write(body(input.body), algorithm).await;
    let (blob, digests) = written.map_err(write_failed)?;
    claims.check(&digests, trailers.as_ref())?;
    let part = Part { etag: digests.etag(), modified: now(), checksum: digests.checksum, blob };
    let mut answer = UploadPartOutput { e_tag: Some(ETag::Strong(part.etag.clone())), ..UploadPartOutput::default() };
    fill_checksum!(answer, &part.checksum);
    let at = (input.bucket, input.key, input.upload_id);
    store_part(store, at, input.part_number, part)?;
    Ok(S3Response::new(answer))
}

/// Stores a part from an object, or from a range of it.
pub(super) async fn upload_part_copy(
    store: &Store,
    request: S3Request<UploadPartCopyInput>,
) -> S3Result<S3Response<UploadPartCopyOutput>> {
    let input = request.input;
    check_number(input.part_number)?;
    let asked = store.read(|index| {
        let upload = upload_of(index, &input.bucket, &input.key, &input.upload_id)?;
        Ok(upload.checksum)
    })?;
    let (from_bucket, from_key) = source_of(&input.copy_source)?;
    let source = store.object(from_bucket, from_key)?;
    check_source(&source_conditions!(input), &source)?;
    let span = copied_span(input.copy_source_range.as_deref(), source.size())?;
    if span.end - span.start > LARGEST_WRITE {
        return Err(s3_error!(
            InvalidRequest,
            "The specified copy source is larger than the maximum allowable size for a copy source: {LARGEST_WRITE}"
        ));
    }
    let bytes = store.blobs.read(&source.blobs, span).await;
    let bytes = bytes.map_err(|error| s3_error!(error, InternalError))?;
    let algorithm = asked.map(|(algorithm, _)| algorithm);
    let written = store.blobs.write(bytes.map_err(StdError::from), algorithm);
    let (blob, digests) = written.await.map_err(write_failed)?;
    let part = Part { etag: digests.etag(), modified: now(), checksum: digests.checksum, blob };
    let mut result = CopyPartResult {
        e_tag: Some(ETag::Strong(part.etag.clone())),
        last_modified: Some(Timestamp::from(system_time(part.modified))),
        ..CopyPartResult::default()
    };
    fill_checksum!(result, &part.checksum);
    let at = (input.bucket, input.key, input.upload_id);
    store_part(store, at, input.part_number, part)?;
    Ok(S3Response::new(UploadPartCopyOutput { copy_part_result: Some(result), ..UploadPartCopyOutput::default() }))
}

/// Makes the object of the parts that are named.
pub(super) async fn complete(
    store: &Store,
    request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let input = request.input;
    let named = input.multipart_upload.and_then(|named| named.parts);
    let named = named.unwrap_or_default();
    let (bucket, key, id) = (input.bucket, input.key, input.upload_id);
    let upload = store.read(|index| upload_of(index, &bucket, &key, &id).cloned())?;
    let parts = chosen(&upload, &named)?;
    let size: u64 = parts.iter().map(|part| part.blob.size()).sum();
    if input.mpu_object_size.is_some_and(|said| u64::try_from(said) != Ok(size)) {
        return Err(s3_error!(
            InvalidRequest,
            "The provided 'x-amz-mp-object-size' header does not match what was computed."
        ));
    }
    let checksum = match upload.checksum {
        None => None,
        Some((algorithm, Kind::Composite)) => {
            let values = composite_values(algorithm, &parts, &named)?;
            Some((Checksum::composite(algorithm, values)?, Kind::Composite))
        }
        Some((algorithm, Kind::FullObject)) => {
            let sum = sum_of(store, algorithm, &parts, size).await?;
            sum.map(|sum| (sum, Kind::FullObject))
        }
    };
    for (algorithm, claimed) in given_checksums!(input) {
        let found = checksum.as_ref().map(|(sum, _)| sum);
        let found = found.filter(|sum| sum.algorithm == algorithm);
        if claimed.is_some() && claimed != found.map(|sum| sum.value.as_str()) {
            return Err(bad_checksum(algorithm));
        }
    }
    let object = Arc::new(Object {
        etag: multipart_etag(parts.iter().map(|part| part.etag.as_str()))?,
        modified: now(),
        headers: upload.headers.clone(),
        checksum,
        blobs: parts.iter().map(|part| part.blob.clone()).collect(),
        part_numbers: named.iter().filter_map(|name| name.part_number).collect(),
    });
    let mut answer = CompleteMultipartUploadOutput {
        location: Some(format!("/{bucket}/{key}")),
        bucket: Some(bucket.clone()),
        key: Some(key.clone()),
        e_tag: Some(ETag::Strong(object.etag.clone())),
        ..CompleteMultipartUploadOutput::default()
    };
    if let Some((checksum, kind)) = &object.checksum {
        fill_checksum!(answer, Some(checksum));
        answer.checksum_type = Some(kind.to_dto());
    }
    let conditions = WriteConditions { if_match: input.if_match, if_none_match: input.if_none_match };
    store.change(|index| {
        // A part may have been replaced, or the upload completed or aborted, since it was looked at.
        let upload = upload_of(index, &bucket, &key, &id)?;
        let again = chosen(upload, &named)?;
        if !again.iter().zip(&parts).all(|(now, then)| Arc::ptr_eq(&now.blob, &then.blob)) {
            return Err(invalid_part());
        }
        let current = bucket_of(index, &bucket)?.objects.get(&key);
        conditions.check(current.map(Arc::as_ref))?;
        let event = Event::UploadCompleted { bucket, key, id, object };
        Ok((Some(event), ()))
    })?;
    Ok(S3Response::new(answer))
}

/// Forgets an upload and its parts.
pub(super) fn abort(
    store: &Store,
    request: S3Request<AbortMultipartUploadInput>,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    let input = request.input;
    store.change(|index| {
        upload_of(index, &input.bucket, &input.key, &input.upload_id)?;
        let event = Event::UploadAborted { bucket: input.bucket, key: input.key, id: input.upload_id };
        Ok((Some(event), ()))
    })?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

/// The upload, or `NoSuchUpload`.
pub(super) fn upload_of<'a>(index: &'a Index, bucket: &str, key: &str, id: &str) -> S3Result<&'a Upload> {
    let at = (key.to_owned(), id.to_owned());
    bucket_of(index, bucket)?.uploads.get(&at).ok_or_else(|| {
        s3_error!(
            NoSuchUpload,
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
        )
    })
}

fn store_part(store: &Store, (bucket, key, id): (String, String, String), number: i32, part: Part) -> S3Result<()> {
    store.change(|index| {
        upload_of(index, &bucket, &key, &id)?;
        let event = Event::PartStored { bucket, key, id, number, part };
        Ok((Some(event), ()))
    })
}

fn check_number(number: i32) -> S3Result<()> {
    if (1..=MOST_PARTS).contains(&number) {
        return Ok(());
    }
    Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and {MOST_PARTS}, inclusive"))
}

/// What a part is summed with: the upload's algorithm, which the client must name with its value when the object's own
/// checksum will be made of the parts'.
fn algorithm_of_part(asked: Option<(Algorithm, Kind)>, claimed: Option<Algorithm>) -> S3Result<Option<Algorithm>> {
    let name = |algorithm: Option<Algorithm>| algorithm.map_or("null", Algorithm::name).to_lowercase();
    match (asked, claimed) {
        (None, claimed) => Ok(claimed),
        (Some((algorithm, Kind::FullObject)), None) => Ok(Some(algorithm)),
        (Some((algorithm, _)), Some(claimed)) if algorithm == claimed => Ok(Some(algorithm)),
        (Some((algorithm, _)), claimed) => Err(s3_error!(
            InvalidRequest,
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            name(Some(algorithm)),
            name(claimed)
        )),
    }
}

/// The stretch that a copy takes; unlike in `GetObject`, it must lie within the source.
fn copied_span(range: Option<&str>, size: u64) -> S3Result<std::ops::Range<u64>> {
    let Some(range) = range else {
        return Ok(0..size);
    };
    let parsed = Range::parse(range).ok();
    match parsed {
        Some(Range::Int { first, last: Some(last) }) if last < size => Ok(first..last + 1),
        Some(Range::Int { last: Some(_), .. }) => {
            Err(s3_error!(InvalidArgument, "Range specified is not valid for source object of size: {size}"))
        }
        _ => Err(s3_error!(
            InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy"
        )),
    }
}

/// The parts that the client names, if they are what the upload has and make an object.
fn chosen<'a>(upload: &'a Upload, named: &[CompletedPart]) -> S3Result<Vec<&'a Part>> {
    if named.is_empty() {
        return Err(s3_error!(InvalidRequest, "You must specify at least one part"));
    }
    let ordered = named.windows(2).all(|two| two[0].part_number < two[1].part_number);
    if !ordered {
        return Err(s3_error!(
            InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number."
        ));
    }
    let mut parts = Vec::with_capacity(named.len());
    for name in named {
        let number = name.part_number.ok_or_else(invalid_part)?;
        let part = upload.parts.get(&number).ok_or_else(invalid_part)?;
        let etag = name.e_tag.as_ref().ok_or_else(invalid_part)?;
        if etag.value() != part.etag {
            return Err(invalid_part());
        }
        for (algorithm, value) in given_checksums!(name) {
            // An upload that is not summed knows no sums, though its parts may have been checked.
            let known = part.checksum.as_ref().filter(|_| upload.checksum.is_some());
            let known = known.filter(|sum| sum.algorithm == algorithm);
            if value.is_some() && value != known.map(|sum| sum.value.as_str()) {
                return Err(invalid_part());
            }
        }
        parts.push(part);
    }
    let all_but_last = parts.split_last().map_or(&[][..], |(_, others)| others);
    if all_but_last.iter().any(|part| part.blob.size() < SMALLEST_PART) {
        return Err(s3_error!(EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size"));
    }
    Ok(parts)
}

/// The parts' values, which the client must repeat.
fn composite_values<'a>(algorithm: Algorithm, parts: &[&'a Part], named: &[CompletedPart]) -> S3Result<Vec<&'a str>> {
    let mut values = Vec::with_capacity(parts.len());
    for (part, name) in parts.iter().zip(named) {
        let repeated = given_checksums!(name).iter().any(|(given, value)| *given == algorithm && value.is_some());
        let value = part.checksum.as_ref().filter(|_| repeated);
        let value = value.ok_or_else(|| {
            s3_error!(
                InvalidRequest,
                "The upload was created using a {} checksum. The complete request must include the checksum for each part. It was missing for part {} in the request.",
                algorithm.name().to_lowercase(),
                name.part_number.unwrap_or_default()
            )
        })?;
        values.push(value.value.as_str());
    }
    Ok(values)
}

/// Reads all parts once more, to sum them as one.
async fn sum_of(store: &Store, algorithm: Algorithm, parts: &[&Part], size: u64) -> S3Result<Option<Checksum>> {
    let blobs: Vec<_> = parts.iter().map(|part| part.blob.clone()).collect();
    let bytes = store.blobs.read(&blobs, 0..size).await;
    let mut bytes = bytes.map_err(|error| s3_error!(error, InternalError))?;
    let mut hasher = Hasher::new(Some(algorithm));
    while let Some(chunk) = bytes.try_next().await.map_err(S3Error::internal_error)? {
        hasher.update(&chunk);
    }
    Ok(hasher.finish().checksum)
}

fn invalid_part() -> S3Error {
    s3_error!(
        InvalidPart,
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
    )
}
