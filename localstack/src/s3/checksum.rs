//! Checksums as S3 has them: one of five algorithms, base64, over the whole object or composed of its parts'.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::{ChecksumAlgorithm, ChecksumType};
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};

/// What S3 can sum with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(super) const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// As in `x-amz-checksum-algorithm`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => ChecksumAlgorithm::CRC32,
            Self::Crc32c => ChecksumAlgorithm::CRC32C,
            Self::Crc64Nvme => ChecksumAlgorithm::CRC64NVME,
            Self::Sha1 => ChecksumAlgorithm::SHA1,
            Self::Sha256 => ChecksumAlgorithm::SHA256,
        }
    }

    /// The header, query parameter or trailer that carries a value.
    pub(super) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The bytes in a value.
    fn width(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Parses the name in a request.
    pub(super) fn parse(name: &ChecksumAlgorithm) -> S3Result<Self> {
        Self::ALL
            .into_iter()
            .find(|known| known.name() == name.as_str())
            .ok_or_else(|| {
                s3_error!(
                    InvalidRequest,
                    "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"
                )
            })
    }
}

/// What the parts of a multipart object are summed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    FullObject,
    Composite,
}

impl Kind {
    pub(super) fn to_dto(self) -> ChecksumType {
        ChecksumType::from_static(match self {
            Self::FullObject => ChecksumType::FULL_OBJECT,
            Self::Composite => ChecksumType::COMPOSITE,
        })
    }

    /// The kind of a multipart upload: what it asks for, or the algorithm's default.
    pub(super) fn of_upload(algorithm: Algorithm, asked: Option<&ChecksumType>) -> S3Result<Self> {
        let kind = match asked.map(ChecksumType::as_str) {
            None if algorithm == Algorithm::Crc64Nvme => Self::FullObject,
            None | Some(ChecksumType::COMPOSITE) => Self::Composite,
            Some(ChecksumType::FULL_OBJECT) => Self::FullObject,
            Some(_) => {
                return Err(s3_error!(InvalidRequest, "Value for x-amz-checksum-type header is invalid."));
            }
        };
        let possible = match kind {
            Self::FullObject => !matches!(algorithm, Algorithm::Sha1 | Algorithm::Sha256),
            Self::Composite => algorithm != Algorithm::Crc64Nvme,
        };
        if !possible {
            let (kind, name) = (kind.to_dto(), algorithm.name().to_lowercase());
            return Err(s3_error!(
                InvalidRequest,
                "The {} checksum type cannot be used with the {name} checksum algorithm.",
                kind.as_str()
            ));
        }
        Ok(kind)
    }
}

/// A value with its algorithm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checksum {
    pub(super) algorithm: Algorithm,
    /// Base64; with `-<number of parts>` behind it in a composite.
    pub(super) value: String,
}

impl Checksum {
    /// Takes a value from a request; `InvalidRequest` if it cannot be one of `algorithm`'s.
    pub(super) fn parse(algorithm: Algorithm, value: &str) -> S3Result<Self> {
        match BASE64.decode(value) {
            Ok(bytes) if bytes.len() == algorithm.width() => Ok(Self { algorithm, value: value.to_owned() }),
            _ => Err(s3_error!(InvalidRequest, "Value for {} header is invalid.", algorithm.header())),
        }
    }

    /// The composite of the parts' values, in order.
    pub(super) fn composite<'a>(algorithm: Algorithm, parts: impl IntoIterator<Item = &'a str>) -> S3Result<Self> {
        let mut hasher = Hasher::new(Some(algorithm));
        let mut count = 0;
        for part in parts {
            let bytes = BASE64.decode(part).map_err(|error| s3_error!(error, InternalError))?;
            hasher.update(&bytes);
            count += 1;
        }
        let value = hasher.finish().checksum.map(|sum| sum.value);
        Ok(Self { algorithm, value: format!("{}-{count}", value.unwrap_or_default()) })
    }
}

/// Sums a body while it passes.
pub(super) struct Hasher {
    md5: Md5,
    algorithm: Option<Algorithm>,
    sums: ChecksumHasher,
}

/// What a body came to.
#[derive(Clone, Debug)]
pub(super) struct Digests {
    pub(super) md5: [u8; 16],
    pub(super) checksum: Option<Checksum>,
}

impl Digests {
    /// The ETag of an object or part with this content.
    pub(super) fn etag(&self) -> String {
        hex::encode(self.md5)
    }
}

impl Hasher {
    pub(super) fn new(algorithm: Option<Algorithm>) -> Self {
        let mut sums = ChecksumHasher::default();
        match algorithm {
            None => {}
            Some(Algorithm::Crc32) => sums.crc32 = Some(Crc32::new()),
            Some(Algorithm::Crc32c) => sums.crc32c = Some(Crc32c::new()),
            Some(Algorithm::Crc64Nvme) => sums.crc64nvme = Some(Crc64Nvme::new()),
            Some(Algorithm::Sha1) => sums.sha1 = Some(Sha1::new()),
            Some(Algorithm::Sha256) => sums.sha256 = Some(Sha256::new()),
        }
        Self { md5: Md5::new(), algorithm, sums }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.sums.update(bytes);
    }

    pub(super) fn finish(self) -> Digests {
        let sums = self.sums.finalize();
        let value = sums
            .checksum_crc32
            .or(sums.checksum_crc32c)
            .or(sums.checksum_crc64nvme)
            .or(sums.checksum_sha1)
            .or(sums.checksum_sha256);
        let checksum = self.algorithm.zip(value).map(|(algorithm, value)| Checksum { algorithm, value });
        Digests { md5: self.md5.finalize(), checksum }
    }
}

/// The ETag of a multipart object: the MD5 of its parts' MD5s, and their number.
pub(super) fn multipart_etag<'a>(part_etags: impl IntoIterator<Item = &'a str>) -> S3Result<String> {
    let mut md5 = Md5::new();
    let mut count = 0;
    for etag in part_etags {
        md5.update(&hex::decode(etag).map_err(|error| s3_error!(error, InternalError))?);
        count += 1;
    }
    Ok(format!("{}-{count}", hex::encode(md5.finalize())))
}

/// Puts a checksum into whichever of an answer's five fields it belongs.
macro_rules! fill_checksum {
    ($answer:expr, $checksum:expr) => {
        if let Some(sum) = $checksum {
            let value = Some(sum.value.clone());
            match sum.algorithm {
                $crate::s3::checksum::Algorithm::Crc32 => $answer.checksum_crc32 = value,
                $crate::s3::checksum::Algorithm::Crc32c => $answer.checksum_crc32c = value,
                $crate::s3::checksum::Algorithm::Crc64Nvme => $answer.checksum_crc64nvme = value,
                $crate::s3::checksum::Algorithm::Sha1 => $answer.checksum_sha1 = value,
                $crate::s3::checksum::Algorithm::Sha256 => $answer.checksum_sha256 = value,
            }
        }
    };
}

/// A request's five checksum fields as `[(Algorithm, Option<&str>); 5]`.
macro_rules! given_checksums {
    ($request:expr) => {
        [
            ($crate::s3::checksum::Algorithm::Crc32, $request.checksum_crc32.as_deref()),
            ($crate::s3::checksum::Algorithm::Crc32c, $request.checksum_crc32c.as_deref()),
            ($crate::s3::checksum::Algorithm::Crc64Nvme, $request.checksum_crc64nvme.as_deref()),
            ($crate::s3::checksum::Algorithm::Sha1, $request.checksum_sha1.as_deref()),
            ($crate::s3::checksum::Algorithm::Sha256, $request.checksum_sha256.as_deref()),
        ]
    };
}

pub(super) use {fill_checksum, given_checksums};

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digests {
        let mut hasher = Hasher::new(Some(algorithm));
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn known_values() {
        let sha = digest(Algorithm::Sha256, b"hello");
        assert_eq!(sha.etag(), "5d41402abc4b2a76b9719d911017c592");
        let value = sha.checksum.unwrap().value;
        assert_eq!(value, "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
        let crc = digest(Algorithm::Crc32, b"hello").checksum.unwrap();
        assert_eq!(crc.value, "NhCmhg==");
    }

    #[test]
    fn a_composite_sums_the_raw_digests() {
        let part = digest(Algorithm::Sha256, b"hello").checksum.unwrap();
        let composite = Checksum::composite(Algorithm::Sha256, [part.value.as_str()]).unwrap();
        // sha256(sha256("hello")), a well-known test vector.
        let raw = hex::decode("9595c9df90075148eb06860365df33584b75bff782a510c6cd4883a419833d50");
        assert_eq!(composite.value, format!("{}-1", BASE64.encode(raw.unwrap())));
    }

    #[test]
    fn the_etag_of_a_multipart_object() {
        let etag = multipart_etag(["5d41402abc4b2a76b9719d911017c592"]).unwrap();
        assert!(etag.ends_with("-1") && etag.len() == 34, "{etag}");
        assert!(multipart_etag(["not hex"]).is_err());
    }

    #[test]
    fn values_of_the_wrong_width_are_refused() {
        assert!(Checksum::parse(Algorithm::Sha256, "NhCmhg==").is_err());
        assert!(Checksum::parse(Algorithm::Crc32, "***").is_err());
        assert!(Checksum::parse(Algorithm::Crc32, "NhCmhg==").is_ok());
    }

    #[test]
    fn kinds_fit_algorithms() {
        let full = ChecksumType::from_static(ChecksumType::FULL_OBJECT);
        assert!(Kind::of_upload(Algorithm::Sha256, Some(&full)).is_err());
        let kind = Kind::of_upload(Algorithm::Sha256, None).unwrap();
        assert_eq!(kind, Kind::Composite);
        let kind = Kind::of_upload(Algorithm::Crc64Nvme, None).unwrap();
        assert_eq!(kind, Kind::FullObject);
    }
}
