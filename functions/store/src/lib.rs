//! S3: everything that is kept as a file.
//!
//! One bucket, whose keys `toji_protocol::object_key` spells. [`Store`] is a thin, typed layer over the AWS SDK: whole objects,
//! ranges, server-side copies, multipart uploads whose parts go to presigned URLs, and conditional writes.

mod copy;
mod file;
mod multipart;
mod object;
mod packed_log;
mod read;
mod splice;

use std::time::Duration;

use aws_credential_types::Credentials;
pub use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::{
    Client,
    config::{Region, ResponseChecksumValidation},
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
};
pub use multipart::{Part, Unfinished};
pub use object::{Object, PutOutcome};
pub use packed_log::PackedLog;
pub use read::{Read, ReadConditions, ReadOutcome};
pub use splice::Splice;
use thiserror::Error;
use toji_protocol::aws;

/// Why S3 did not do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// There is no such object.
    #[error("no object {0}")]
    Missing(String),
    /// What arrived is not what was announced: a wrong digest, size or part list.
    #[error("object {key}: {message}")]
    Mismatch {
        /// The object.
        key: String,
        /// What does not fit.
        message: String,
    },
    /// S3 cannot be reached, or refuses.
    #[error("object {key}: {message}")]
    Failed {
        /// The object, or what was asked for.
        key: String,
        /// What S3 said.
        message: String,
    },
}

impl StoreError {
    fn new<E>(key: &str, error: SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
        match code {
            Some("NoSuchKey" | "NotFound" | "NoSuchUpload") => Self::Missing(key.to_owned()),
            Some(
                "BadDigest"
                | "InvalidRange"
                | "InvalidPart"
                | "InvalidPartOrder"
                | "EntityTooSmall"
                | "XAmzContentSHA256Mismatch",
            ) => Self::Mismatch { key: key.to_owned(), message: DisplayErrorContext(&error).to_string() },
            _ => Self::Failed { key: key.to_owned(), message: DisplayErrorContext(&error).to_string() },
        }
    }
}

/// The answer of a store call.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Where S3 is and what opens it.
#[derive(Clone, Debug)]
pub struct StoreAccess {
    /// Its address; None = AWS's own for the region.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// None = what the environment offers.
    pub credentials: Option<Credentials>,
    /// The bucket.
    pub bucket: String,
}

/// A variable of the environment is missing.
#[derive(Debug, Error)]
#[error("the environment variable {0} is not set")]
pub struct Unset(pub &'static str);

impl StoreAccess {
    /// What a function is told: `TOJI_BUCKET`, `AWS_REGION` and, for emulators, `AWS_ENDPOINT_URL`.
    ///
    /// # Errors
    /// When no bucket is named.
    pub fn from_env() -> std::result::Result<Self, Unset> {
        let named = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Ok(Self {
            endpoint: named("AWS_ENDPOINT_URL"),
            region: named("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
            credentials: None,
            bucket: named("TOJI_BUCKET").ok_or(Unset("TOJI_BUCKET"))?,
        })
    }
}

/// The bucket. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    bucket: String,
}

impl Store {
    /// Makes a client that speaks TLS through ring; nothing is sent yet.
    pub async fn connect(access: &StoreAccess) -> Self {
        let mut loader = aws::from_environment().region(Region::new(access.region.clone()));
        if let Some(credentials) = &access.credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        if let Some(endpoint) = &access.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        let config = aws_sdk_s3::config::Builder::from(&loader.load().await)
            .force_path_style(access.endpoint.is_some())
            // the composite checksum of a multipart object cannot be checked against what is read
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self { client: Client::from_conf(config), bucket: access.bucket.clone() }
    }

    /// Makes the bucket when there is none: for local systems; on AWS Terraform does.
    ///
    /// # Errors
    /// When S3 cannot be reached or refuses.
    pub async fn ensure_bucket(&self) -> Result<()> {
        if self.client.head_bucket().bucket(&self.bucket).send().await.is_ok() {
            return Ok(());
        }
        let made = self.client.create_bucket().bucket(&self.bucket).send().await;
        match made {
            Err(error) if error.as_service_error().is_some_and(|e| e.is_bucket_already_owned_by_you()) => Ok(()),
            made => made.map(|_| ()).map_err(|error| StoreError::new(&self.bucket, error)),
        }
    }
}

/// How long a URL that was signed for somebody else is good.
pub const PRESIGNED_FOR: Duration = Duration::from_secs(3600);
