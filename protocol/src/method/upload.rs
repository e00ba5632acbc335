//! Uploads by clients: whole files over presigned URLs, and Koji's own pieces.

use super::{Named, method};
use crate::value::Value;

const MIB: i64 = 1 << 20;

/// Bytes in each part but the last of a file of `size` bytes. Fixed, so that a sender can digest the parts before it asks for
/// URLs: S3 takes a part only with the digest that its URL was signed for.
pub fn part_size(size: i64) -> i64 {
    // S3 takes 10,000 parts at the most
    (8 * MIB).max((size + 10_000 * MIB - 1) / (10_000 * MIB) * MIB)
}

/// Where a file's parts go.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct UploadPlan {
    /// Names the upload in the call that ends it.
    pub upload_id: String,
    /// Bytes in each part but the last.
    pub part_size: i64,
    /// A URL for each part (an empty file has one, empty), to be PUT with the header `x-amz-checksum-sha256`: that part's
    /// SHA-256 in base64.
    pub urls: Vec<String>,
}

/// A part that has arrived.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct UploadedPart {
    /// As S3 answered it.
    pub etag: String,
    /// The part's SHA-256, lower-case hex.
    pub sha256: String,
}

/// What an upload of Koji's holds so far.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct UploadState {
    /// Bytes.
    pub size: i64,
    /// When it was begun, in seconds.
    pub mtime: f64,
    /// With `verify`: bytes that the digest is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sumlength: Option<i64>,
    /// With `verify`: the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hexdigest: Option<String>,
}

/// What a raw piece answers.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct PieceReceipt {
    /// Bytes of this piece.
    pub size: i64,
    /// The digest's kind.
    pub fileverify: String,
    /// Where the piece begins.
    pub offset: i64,
    /// The digest of this piece.
    pub hexdigest: String,
}

method! {
    /// Begins the upload of a whole file into the caller's own folder. Not in Koji.
    StartUpload = "upload.start", LoggedIn, Outside => UploadPlan {
        /// Folder and file, such as `cli-build/1795.abc/foo-1-1.src.rpm`; the folder must be new or the caller's.
        path "path": String = required,
        /// Bytes.
        size "size": i64 = required,
        /// The SHA-256 of each part, lower-case hex; a part is [`part_size`] bytes.
        parts "parts": Vec<String> = required,
    }

    /// Ends an upload: the file is there, whole, or a fault says what is wrong. Not in Koji.
    FinishUpload = "upload.finish", LoggedIn, Outside => () {
        /// As in `upload.start`.
        path "path": String = required,
        /// From `upload.start`.
        upload_id "upload_id": String = required,
        /// All parts, in order.
        parts "parts": Vec<UploadedPart> = required,
    }

    /// What has arrived of a file that is uploaded in pieces; nil = nothing.
    CheckUpload = "checkUpload", LoggedIn, Outside => Option<UploadState> {
        /// The folder.
        path "path": String = required,
        /// The file.
        name "name": String = required,
        /// Answer a digest, too: `adler32`.
        verify "verify": Option<String> = nil,
        /// Digest only so many bytes at the end.
        tail "tail": Option<i64> = nil,
        /// Only the default volume is there.
        volume "volume": Option<String> = nil,
    }

    /// Uploads a piece, the old way: in base64 within the call. Answers whether it is right.
    UploadFile = "uploadFile", LoggedIn, Outside => bool {
        /// The folder.
        path "path": String = required,
        /// The file.
        name "name": String = required,
        /// Bytes of this piece.
        size "size": i64 = required,
        /// An MD5, or a pair of kind and digest.
        md5sum "md5sum": Value = required,
        /// Where the piece begins; -1 = what follows is the whole file's size and digest.
        offset "offset": i64 = required,
        /// The piece, in base64.
        data "data": Value = required,
        /// Only the default volume is there.
        volume "volume": Option<String> = nil,
        /// Ignored.
        checksum "checksum": Option<Named> = nil,
    }
}
