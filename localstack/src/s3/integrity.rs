//! What a client says its body is, checked against what came.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, StatusCode, Uri};
use s3s::dto::ChecksumAlgorithm;
use s3s::{S3Error, S3ErrorCode, S3Result, TrailingHeaders, s3_error};

use super::blob::WriteError;
use super::checksum::{Algorithm, Checksum, Digests};

/// The claims about one body.
#[derive(Debug, Default)]
pub(super) struct Claims {
    md5: Option<Vec<u8>>,
    checksum: Option<Checksum>,
    /// Named now, said behind the body.
    trailer: Option<Algorithm>,
    asked: Option<Algorithm>,
}

impl Claims {
    /// Reads them from a request's fields, its query (some presigners move headers there) and its trailer's
    /// announcement.
    pub(super) fn read(
        fields: [(Algorithm, Option<&str>); 5],
        md5: Option<&str>,
        asked: Option<&ChecksumAlgorithm>,
        headers: &HeaderMap,
        uri: &Uri,
    ) -> S3Result<Self> {
        let query = uri.query().unwrap_or_default();
        let query: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
        let mut checksum = None;
        for (algorithm, field) in fields {
            let in_query = query.iter().find(|(name, _)| name.eq_ignore_ascii_case(algorithm.header()));
            let Some(value) = field.or(in_query.map(|(_, value)| value.as_str())) else {
                continue;
            };
            let parsed = Checksum::parse(algorithm, value)?;
            if checksum.replace(parsed).is_some() {
                return Err(s3_error!(
                    InvalidRequest,
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
                ));
            }
        }
        let md5 = md5.map(parse_md5).transpose()?;
        let trailer = headers.get("x-amz-trailer").and_then(|name| {
            Algorithm::ALL.into_iter().find(|known| name.as_bytes().eq_ignore_ascii_case(known.header().as_bytes()))
        });
        Ok(Self { md5, checksum, trailer, asked: asked.map(Algorithm::parse).transpose()? })
    }

    /// The algorithm that the body is to be summed with, if the client named one.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        let said = self.checksum.as_ref().map(|sum| sum.algorithm);
        said.or(self.trailer).or(self.asked)
    }

    /// `BadDigest` unless the body is what was claimed. The trailer is there when the body has been read.
    pub(super) fn check(self, found: &Digests, trailers: Option<&TrailingHeaders>) -> S3Result<()> {
        if self.md5.is_some_and(|claimed| claimed != found.md5) {
            return Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received."));
        }
        let claimed = match (self.checksum, self.trailer) {
            (Some(checksum), _) => Some(checksum),
            (None, Some(algorithm)) => Some(from_trailer(algorithm, trailers)?),
            (None, None) => None,
        };
        match (claimed, &found.checksum) {
            (None, _) => Ok(()),
            (Some(claimed), Some(found)) if claimed == *found => Ok(()),
            (Some(claimed), _) => Err(bad_checksum(claimed.algorithm)),
        }
    }
}

/// The error for a checksum that is not the body's.
pub(super) fn bad_checksum(algorithm: Algorithm) -> S3Error {
    s3_error!(BadDigest, "The {} you specified did not match the calculated checksum.", algorithm.name())
}

fn parse_md5(value: &str) -> S3Result<Vec<u8>> {
    match BASE64.decode(value) {
        Ok(bytes) if bytes.len() == 16 => Ok(bytes),
        _ => Err(s3_error!(InvalidDigest, "The Content-MD5 you specified was invalid.")),
    }
}

fn from_trailer(algorithm: Algorithm, trailers: Option<&TrailingHeaders>) -> S3Result<Checksum> {
    let value = trailers.and_then(|trailers| trailers.read(|map| map.get(algorithm.header()).cloned())).flatten();
    let value = value.as_ref().and_then(|value| value.to_str().ok());
    let value = value.ok_or_else(|| {
        unlisted(
            "MalformedTrailerError",
            StatusCode::BAD_REQUEST,
            "The request contained trailing data that was not well-formed or did not conform to our published schema.",
        )
    })?;
    Checksum::parse(algorithm, value)
}

/// Why a body could not be stored, in S3's words.
pub(super) fn write_failed(error: WriteError) -> S3Error {
    match error {
        WriteError::Body(error) => {
            // s3s keeps the types of these to itself.
            let text = error.to_string();
            if text.contains("Sha256Mismatch") {
                unlisted(
                    "XAmzContentSHA256Mismatch",
                    StatusCode::BAD_REQUEST,
                    "The provided 'x-amz-content-sha256' header does not match what was computed.",
                )
            } else if text.contains("SignatureMismatch") {
                s3_error!(SignatureDoesNotMatch)
            } else {
                s3_error!(IncompleteBody, "{text}")
            }
        }
        error @ (WriteError::Store(_) | WriteError::Hash(_)) => s3_error!(error, InternalError),
    }
}

/// An error with a code that S3 has and s3s does not list.
pub(super) fn unlisted(code: &'static str, status: StatusCode, message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}
