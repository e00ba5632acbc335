//! The operations that list: objects, uploads, parts, buckets.

use std::ops::Bound;

use s3s::dto::{
    Bucket as BucketLine, ChecksumAlgorithm, CommonPrefix, ETag, EncodingType, ListBucketsInput, ListBucketsOutput,
    ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput,
    ListPartsOutput, MultipartUpload, Object as ObjectLine, ObjectStorageClass, Part as PartLine, StorageClass,
    Timestamp,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::checksum::fill_checksum;
use super::index::{Object, Upload};
use super::listing::{From, Query, encode, list};
use super::multipart::upload_of;
use super::store::{Store, bucket_of};
use crate::clock::{Millis, system_time};

/// The most lines of one page.
const LONGEST_PAGE: i32 = 1000;

/// Lists objects, by pages.
pub(super) fn objects(
    store: &Store,
    request: S3Request<ListObjectsV2Input>,
) -> S3Result<S3Response<ListObjectsV2Output>> {
    let input = request.input;
    let shown = spelling(input.encoding_type.as_ref())?;
    let limit = page_length(input.max_keys, "max-keys")?;
    let from = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => Some(
            From::from_token(token)
                .ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))?,
        ),
        (None, Some(key)) => Some(From::AfterKey(key.clone())),
        (None, None) => None,
    };
    let query = Query {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()),
        from,
        limit: usize::try_from(limit).unwrap_or_default(),
    };
    let (lines, prefixes, next) = store.read(|index| {
        let page = list(&bucket_of(index, &input.bucket)?.objects, &query);
        let lines = page.items.iter().map(|(key, object)| object_line(shown(key), object));
        Ok((lines.collect::<Vec<_>>(), page.prefixes, page.next))
    })?;
    let prefixes: Vec<_> = prefixes.iter().map(|prefix| common(shown(prefix))).collect();
    Ok(S3Response::new(ListObjectsV2Output {
        key_count: i32::try_from(lines.len() + prefixes.len()).ok(),
        name: Some(input.bucket.clone()),
        max_keys: Some(limit),
        is_truncated: Some(next.is_some()),
        next_continuation_token: next.map(|next| next.to_token()),
        continuation_token: input.continuation_token,
        contents: Some(lines),
        common_prefixes: Some(prefixes),
        prefix: Some(shown(query.prefix)),
        delimiter: query.delimiter.map(shown),
        start_after: input.start_after.as_deref().map(shown),
        encoding_type: input.encoding_type.clone(),
        ..ListObjectsV2Output::default()
    }))
}

fn object_line(key: String, object: &Object) -> ObjectLine {
    let checksum = object.checksum.as_ref();
    ObjectLine {
        key: Some(key),
        size: i64::try_from(object.size()).ok(),
        e_tag: Some(ETag::Strong(object.etag.clone())),
        last_modified: Some(time(object.modified)),
        storage_class: Some(match &object.headers.storage_class {
            Some(class) => ObjectStorageClass::from(class.clone()),
            None => ObjectStorageClass::from_static(ObjectStorageClass::STANDARD),
        }),
        checksum_algorithm: checksum.map(|(sum, _)| vec![ChecksumAlgorithm::from_static(sum.algorithm.name())]),
        checksum_type: checksum.map(|(_, kind)| kind.to_dto()),
        ..ObjectLine::default()
    }
}

/// Lists uploads under way, by pages; several of one key in no particular order.
pub(super) fn uploads(
    store: &Store,
    request: S3Request<ListMultipartUploadsInput>,
) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
    let input = request.input;
    let shown = spelling(input.encoding_type.as_ref())?;
    let limit = page_length(input.max_uploads, "max-uploads")?;
    if input.delimiter.as_deref().is_some_and(|delimiter| !delimiter.is_empty()) {
        return Err(s3_error!(NotImplemented, "Uploads are not listed by a delimiter here"));
    }
    let prefix = input.prefix.clone().unwrap_or_default();
    let start = match (&input.key_marker, &input.upload_id_marker) {
        (Some(key), Some(id)) => Bound::Excluded((key.clone(), id.clone())),
        // Ids are hexadecimal: this is behind all of them.
        (Some(key), None) => Bound::Excluded((key.clone(), "~".into())),
        (None, _) => Bound::Included((prefix.clone(), String::new())),
    };
    let (lines, more) = store.read(|index| {
        let uploads = &bucket_of(index, &input.bucket)?.uploads;
        let mut found = uploads.range((start, Bound::Unbounded)).filter(|((key, _), _)| key.starts_with(&prefix));
        let wanted = usize::try_from(limit).unwrap_or_default();
        let page = found.by_ref().take(wanted);
        let page: Vec<_> = page.map(|(at, upload)| (at.clone(), upload_line(upload))).collect();
        Ok((page, found.next().is_some()))
    })?;
    let last = lines.last().map(|(at, _)| at.clone()).filter(|_| more);
    let (next_key, next_id) = last.unzip();
    let lines = lines.into_iter().map(|((key, id), line)| MultipartUpload {
        key: Some(shown(&key)),
        upload_id: Some(id),
        ..line
    });
    Ok(S3Response::new(ListMultipartUploadsOutput {
        uploads: Some(lines.collect()),
        bucket: Some(input.bucket.clone()),
        is_truncated: Some(more),
        max_uploads: Some(limit),
        next_key_marker: next_key.as_deref().map(shown),
        next_upload_id_marker: next_id,
        key_marker: input.key_marker.as_deref().map(shown),
        upload_id_marker: input.upload_id_marker,
        prefix: Some(shown(&prefix)),
        encoding_type: input.encoding_type.clone(),
        ..ListMultipartUploadsOutput::default()
    }))
}

fn upload_line(upload: &Upload) -> MultipartUpload {
    MultipartUpload {
        initiated: Some(time(upload.started)),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        checksum_algorithm: upload.checksum.map(|(algorithm, _)| ChecksumAlgorithm::from_static(algorithm.name())),
        checksum_type: upload.checksum.map(|(_, kind)| kind.to_dto()),
        ..MultipartUpload::default()
    }
}

/// Lists the parts of an upload, by pages.
pub(super) fn parts(store: &Store, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
    let input = request.input;
    let limit = page_length(input.max_parts, "max-parts")?;
    let marker = input.part_number_marker.unwrap_or_default();
    let (upload, lines, more) = store.read(|index| {
        let upload = upload_of(index, &input.bucket, &input.key, &input.upload_id)?;
        let behind = (Bound::Excluded(marker), Bound::Unbounded);
        let mut found = upload.parts.range(behind);
        let wanted = usize::try_from(limit).unwrap_or_default();
        let lines: Vec<PartLine> = found
            .by_ref()
            .take(wanted)
            .map(|(number, part)| {
                let mut line = PartLine {
                    part_number: Some(*number),
                    size: i64::try_from(part.blob.size()).ok(),
                    e_tag: Some(ETag::Strong(part.etag.clone())),
                    last_modified: Some(time(part.modified)),
                    ..PartLine::default()
                };
                fill_checksum!(line, &part.checksum);
                line
            })
            .collect();
        Ok((upload_line(upload), lines, found.next().is_some()))
    })?;
    let last = lines.last().and_then(|line| line.part_number);
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        is_truncated: Some(more),
        max_parts: Some(limit),
        part_number_marker: Some(marker),
        next_part_number_marker: last.filter(|_| more),
        parts: Some(lines),
        checksum_algorithm: upload.checksum_algorithm,
        checksum_type: upload.checksum_type,
        storage_class: upload.storage_class,
        ..ListPartsOutput::default()
    }))
}

/// Lists all buckets, on one page.
pub(super) fn buckets(store: &Store, _request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
    let lines = store.read(|index| {
        let lines = index.buckets.iter().map(|(name, bucket)| BucketLine {
            name: Some(name.clone()),
            creation_date: Some(time(bucket.made)),
            ..BucketLine::default()
        });
        Ok(lines.collect())
    })?;
    Ok(S3Response::new(ListBucketsOutput { buckets: Some(lines), ..ListBucketsOutput::default() }))
}

fn time(at: Millis) -> Timestamp {
    Timestamp::from(system_time(at))
}

fn common(prefix: String) -> CommonPrefix {
    CommonPrefix { prefix: Some(prefix) }
}

/// How names are spelled in the answer.
fn spelling(encoding: Option<&EncodingType>) -> S3Result<fn(&str) -> String> {
    match encoding.map(EncodingType::as_str) {
        None => Ok(str::to_owned),
        Some(EncodingType::URL) => Ok(encode),
        Some(_) => Err(s3_error!(InvalidArgument, "Invalid Encoding Method specified in Request")),
    }
}

/// The length of a page: what is asked, and never more than S3 gives.
fn page_length(asked: Option<i32>, name: &str) -> S3Result<i32> {
    match asked {
        None => Ok(LONGEST_PAGE),
        Some(asked) if asked < 0 => {
            Err(s3_error!(InvalidArgument, "Argument {name} must be an integer between 0 and 2147483647"))
        }
        Some(asked) => Ok(asked.min(LONGEST_PAGE)),
    }
}
