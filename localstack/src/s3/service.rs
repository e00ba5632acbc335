//! The table of operations: which of S3's are served, and where.

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};

use super::store::Store;
use super::{bucket, list, multipart, read, write};

/// What s3s calls. Operations that are not named here are answered with `NotImplemented`.
#[derive(Clone)]
pub(super) struct Operations(pub(super) Arc<Store>);

/// Forwards each operation to its function: one that moves bytes, or one that only looks at names.
macro_rules! operations {
    (bytes { $($slow:ident($slow_in:ident) -> $slow_out:ident = $slow_target:path;)* }
     names { $($quick:ident($quick_in:ident) -> $quick_out:ident = $quick_target:path;)* }) => {
        #[async_trait::async_trait]
        impl S3 for Operations {
            $(async fn $slow(&self, request: S3Request<$slow_in>) -> S3Result<S3Response<$slow_out>> {
                $slow_target(&self.0, request).await
            })*
            $(async fn $quick(&self, request: S3Request<$quick_in>) -> S3Result<S3Response<$quick_out>> {
                $quick_target(&self.0, request)
            })*
        }
    };
}

operations! {
    bytes {
        get_object(GetObjectInput) -> GetObjectOutput = read::get;
        put_object(PutObjectInput) -> PutObjectOutput = write::put;
        copy_object(CopyObjectInput) -> CopyObjectOutput = write::copy;
        upload_part(UploadPartInput) -> UploadPartOutput = multipart::upload_part;
        upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput = multipart::upload_part_copy;
        complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput = multipart::complete;
    }
    names {
        head_object(HeadObjectInput) -> HeadObjectOutput = read::head;
        delete_object(DeleteObjectInput) -> DeleteObjectOutput = write::delete;
        delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = write::delete_many;
        create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput = multipart::create;
        abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput = multipart::abort;
        list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = list::objects;
        list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput = list::uploads;
        list_parts(ListPartsInput) -> ListPartsOutput = list::parts;
        list_buckets(ListBucketsInput) -> ListBucketsOutput = list::buckets;
        create_bucket(CreateBucketInput) -> CreateBucketOutput = bucket::create;
        head_bucket(HeadBucketInput) -> HeadBucketOutput = bucket::head;
        get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = bucket::location;
        delete_bucket(DeleteBucketInput) -> DeleteBucketOutput = bucket::delete;
    }
}
