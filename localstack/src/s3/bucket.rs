//! Buckets: made, found, removed.

use s3s::dto::{
    CreateBucketInput, CreateBucketOutput, DeleteBucketInput, DeleteBucketOutput, GetBucketLocationInput,
    GetBucketLocationOutput, HeadBucketInput, HeadBucketOutput,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::index::Event;
use super::store::{Store, bucket_of};
use crate::clock::now;

/// Makes a bucket; as in us-east-1, no error if it is there.
pub(super) fn create(store: &Store, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
    let bucket = request.input.bucket;
    let location = format!("/{bucket}");
    store.change(|index| {
        let missing = !index.buckets.contains_key(&bucket);
        let event = missing.then(|| Event::BucketMade { bucket, at: now() });
        Ok((event, ()))
    })?;
    Ok(S3Response::new(CreateBucketOutput { location: Some(location) }))
}

/// Tells whether there is one.
pub(super) fn head(store: &Store, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
    store.read(|index| bucket_of(index, &request.input.bucket).map(drop))?;
    Ok(S3Response::new(HeadBucketOutput::default()))
}

/// Tells where it is: nowhere in particular, which is how S3 spells us-east-1.
pub(super) fn location(
    store: &Store,
    request: S3Request<GetBucketLocationInput>,
) -> S3Result<S3Response<GetBucketLocationOutput>> {
    store.read(|index| bucket_of(index, &request.input.bucket).map(drop))?;
    Ok(S3Response::new(GetBucketLocationOutput::default()))
}

/// Removes an empty bucket.
pub(super) fn delete(store: &Store, request: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
    let name = request.input.bucket;
    store.change(|index| {
        let bucket = bucket_of(index, &name)?;
        if !bucket.objects.is_empty() || !bucket.uploads.is_empty() {
            return Err(s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty"));
        }
        Ok((Some(Event::BucketRemoved { bucket: name }), ()))
    })?;
    Ok(S3Response::new(DeleteBucketOutput::default()))
}
