//! `GetObject` and `HeadObject`.

use std::ops::Range as Span;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use s3s::dto::{
    ChecksumMode, ETag, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, Range, StorageClass,
    StreamingBlob, Timestamp,
};
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};

use super::checksum::fill_checksum;
use super::condition::{ReadConditions, Verdict, failed};
use super::index::Object;
use super::integrity::unlisted;
use super::store::Store;
use crate::clock::system_time;

/// What S3 calls content whose type nobody told.
const UNTYPED: &str = "binary/octet-stream";

/// Answers with the object, or a part of it.
pub(super) async fn get(store: &Store, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
    let GetObjectInput {
        bucket,
        key,
        version_id,
        range,
        part_number,
        checksum_mode,
        if_match,
        if_none_match,
        if_modified_since,
        if_unmodified_since,
        ..
    } = request.input;
    check_version(version_id.as_deref())?;
    let object = store.object(&bucket, &key)?;
    let conditions = ReadConditions { if_match, if_none_match, if_modified_since, if_unmodified_since };
    check(&conditions, &object)?;
    let view = View::of(object, range, part_number)?;
    let stream = store.blobs.read(&view.object.blobs, view.span.clone()).await;
    let stream = stream.map_err(|error| s3_error!(error, InternalError))?;
    // The answers to GET and HEAD are the same but for the body.
    let head = view.head(checksum_mode.as_ref());
    Ok(S3Response::new(GetObjectOutput {
        body: Some(StreamingBlob::wrap(stream)),
        accept_ranges: head.accept_ranges,
        cache_control: head.cache_control,
        storage_class: head.storage_class,
        checksum_crc32: head.checksum_crc32,
        checksum_crc32c: head.checksum_crc32c,
        checksum_crc64nvme: head.checksum_crc64nvme,
        checksum_sha1: head.checksum_sha1,
        checksum_sha256: head.checksum_sha256,
        checksum_type: head.checksum_type,
        content_disposition: head.content_disposition,
        content_encoding: head.content_encoding,
        content_language: head.content_language,
        content_length: head.content_length,
        content_range: head.content_range,
        content_type: head.content_type,
        e_tag: head.e_tag,
        expires: head.expires,
        last_modified: head.last_modified,
        metadata: head.metadata,
        parts_count: head.parts_count,
        ..GetObjectOutput::default()
    }))
}

/// Answers with what there is to know.
pub(super) fn head(store: &Store, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
    let input = request.input;
    check_version(input.version_id.as_deref())?;
    let object = store.object(&input.bucket, &input.key)?;
    let conditions = ReadConditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    check(&conditions, &object)?;
    let view = View::of(object, input.range, input.part_number)?;
    let mut answer = view.head(input.checksum_mode.as_ref());
    answer.content_type = input.response_content_type.or(answer.content_type);
    answer.content_disposition = input.response_content_disposition.or(answer.content_disposition);
    answer.content_encoding = input.response_content_encoding.or(answer.content_encoding);
    answer.content_language = input.response_content_language.or(answer.content_language);
    answer.cache_control = input.response_cache_control.or(answer.cache_control);
    answer.expires = input.response_expires.or(answer.expires);
    Ok(S3Response::new(answer))
}

/// There are no versions here but the one that S3 calls `null`.
pub(super) fn check_version(version: Option<&str>) -> S3Result<()> {
    match version {
        None | Some("null") => Ok(()),
        Some(_) => Err(s3_error!(NoSuchVersion, "The specified version does not exist.")),
    }
}

fn check(conditions: &ReadConditions, object: &Object) -> S3Result<()> {
    match conditions.judge(object) {
        Verdict::Go => Ok(()),
        Verdict::Failed => Err(failed()),
        Verdict::NotModified => {
            let mut error = s3_error!(NotModified, "Not Modified");
            let mut headers = HeaderMap::new();
            if let Ok(etag) = ETag::Strong(object.etag.clone()).to_http_header() {
                headers.insert(http::header::ETAG, etag);
            }
            error.set_headers(headers);
            Err(error)
        }
    }
}

/// The stretch of an object that is asked for.
struct View {
    object: Arc<Object>,
    span: Span<u64>,
    /// Whether a range or a part was asked for: the answer is then 206.
    partial: bool,
    parts: Option<i32>,
}

impl View {
    fn of(object: Arc<Object>, range: Option<Range>, part: Option<i32>) -> S3Result<Self> {
        let size = object.size();
        let (span, partial, parts) = match (range, part) {
            (Some(_), Some(_)) => {
                return Err(s3_error!(
                    InvalidRequest,
                    "Cannot specify both Range header and partNumber query parameter"
                ));
            }
            (Some(range), None) => {
                let span = range.check(size).map_err(|_| out_of_range(size))?;
                (span, true, None)
            }
            (None, Some(number)) => {
                let span = part_span(&object, number)?;
                let count = i32::try_from(object.blobs.len()).ok();
                (span, size > 0, count.filter(|_| object.is_multipart()))
            }
            (None, None) => (0..size, false, None),
        };
        Ok(Self { object, span, partial, parts })
    }

    fn head(&self, mode: Option<&ChecksumMode>) -> HeadObjectOutput {
        let object = &self.object;
        let headers = &object.headers;
        let mut answer = HeadObjectOutput {
            accept_ranges: Some("bytes".into()),
            content_length: i64::try_from(self.span.end - self.span.start).ok(),
            content_range: self.partial.then(|| {
                let Span { start, end } = self.span;
                format!("bytes {start}-{}/{}", end.saturating_sub(1), object.size())
            }),
            content_type: Some(headers.content_type.clone().unwrap_or_else(|| UNTYPED.into())),
            content_encoding: headers.content_encoding.clone(),
            content_disposition: headers.content_disposition.clone(),
            content_language: headers.content_language.clone(),
            cache_control: headers.cache_control.clone(),
            expires: headers.expires.clone(),
            storage_class: headers.storage_class.clone().map(StorageClass::from),
            metadata: Some(headers.metadata.clone().into_iter().collect()),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            last_modified: Some(Timestamp::from(system_time(object.modified))),
            parts_count: self.parts,
            ..HeadObjectOutput::default()
        };
        // A checksum of the whole would make a client that checks it refuse a part.
        if mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
            && !self.partial
            && let Some((checksum, kind)) = &object.checksum
        {
            fill_checksum!(answer, Some(checksum));
            answer.checksum_type = Some(kind.to_dto());
        }
        answer
    }
}

fn part_span(object: &Object, number: i32) -> S3Result<Span<u64>> {
    let index = match object.is_multipart() {
        true => object.part_numbers.iter().position(|known| *known == number),
        false => (number == 1).then_some(0),
    };
    let found = index.and_then(|index| object.blobs.get(index).map(|blob| (index, blob)));
    let (index, blob) = found.ok_or_else(|| {
        unlisted("InvalidPartNumber", StatusCode::RANGE_NOT_SATISFIABLE, "The requested partnumber is not satisfiable")
    })?;
    let start = object.blobs[..index].iter().map(|blob| blob.size()).sum();
    Ok(start..start + blob.size())
}

fn out_of_range(size: u64) -> S3Error {
    let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
    let mut headers = HeaderMap::new();
    if let Ok(value) = format!("bytes */{size}").parse() {
        headers.insert(http::header::CONTENT_RANGE, value);
    }
    error.set_headers(headers);
    error
}
