//! Files from clients, before a build or an import takes them: whole, over presigned URLs, or in Koji's own pieces.
//!
//! A folder belongs to whoever first uploaded into it. What is uploaded in pieces becomes one object when it is asked for:
//! [`complete`].

mod adler32;
mod digest;
mod fold;
mod path;
mod piece;
mod sql;
mod task_file;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
pub use fold::complete;
pub use path::UploadPath;
pub use piece::{LARGEST_PIECE, PieceParams, piece};
pub use task_file::Place;
use toji_protocol::{
    method::upload::{CheckUpload, FinishUpload, StartUpload, UploadFile, UploadPlan, UploadState, part_size},
    object_key,
    time::Time,
    value::Value,
};
use toji_store::{PRESIGNED_FOR, StoreError};

use crate::{
    Error, Hub, Result,
    call::{Cx, Handle, Table},
};

/// The largest file: S3's own limit.
const LARGEST_FILE: i64 = 5 << 40;

/// Bytes that are digested at a time.
const READ: i64 = 8 << 20;

pub(crate) fn methods(table: &mut Table) {
    table.add::<StartUpload>().add::<FinishUpload>().add::<CheckUpload>().add::<UploadFile>();
}

/// A file that is there, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedObject {
    /// Where.
    pub key: String,
    /// Bytes.
    pub size: i64,
}

/// The SHA-256 of a file, in hex: all of it is read.
///
/// # Errors
/// When S3 is away.
pub(crate) async fn sha256(hub: &Hub, object: &UploadedObject) -> Result<String> {
    digest_of(hub, object, digest::Kind::Sha256, object.size).await
}

impl Handle for StartUpload {
    async fn handle(self, cx: &mut Cx) -> Result<UploadPlan> {
        let user = cx.caller.user()?.id;
        cx.release();
        let path = UploadPath::parse(&self.path)?;
        if !(0..=LARGEST_FILE).contains(&self.size) {
            return Err(Error::parameter(format!("size is {}: a file has up to 5 TiB", self.size)));
        }
        let part_size = part_size(self.size);
        let count = ((self.size + part_size - 1) / part_size).max(1);
        if self.parts.len() as i64 != count {
            let message = format!("{} bytes are {count} parts of {part_size}, not {}", self.size, self.parts.len());
            return Err(Error::parameter(message));
        }
        let key = object_key::client_upload(path.as_str());
        let upload_id = cx.hub.store.start_multipart(&key).await?;
        let begun = async {
            let urls = presign(&cx.hub, &key, &upload_id, &self.parts).await?;
            Ok((urls, begin(cx, &path, user, &upload_id).await?))
        };
        match begun.await {
            Ok((urls, earlier)) => {
                if let Some(earlier) = earlier {
                    cx.hub.store.abort(&key, &earlier).await?;
                }
                Ok(UploadPlan { upload_id, part_size, urls })
            }
            Err(error) => {
                cx.hub.store.abort(&key, &upload_id).await?;
                Err(error)
            }
        }
    }
}

/// Writes an upload down. Answers an earlier one of the same file, which was never finished and is given up.
async fn begin(cx: &Cx, path: &UploadPath, user: toji_protocol::id::UserId, upload_id: &str) -> Result<Option<String>> {
    let mut tx = cx.hub.pool.begin().await?;
    piece::require_owner(&mut tx, path, user).await?;
    let earlier = sql::lock(&mut tx, path).await?;
    if earlier.as_ref().is_some_and(|upload| !upload.is_presigned()) {
        return Err(Error::invalid(format!("upload path exists: {path}; choose a new folder")));
    }
    sql::begin(&mut tx, path, user, Some(upload_id), cx.now).await?;
    tx.commit().await?;
    Ok(earlier.and_then(|upload| upload.upload_id))
}

async fn presign(hub: &Hub, key: &str, upload_id: &str, parts: &[String]) -> Result<Vec<String>> {
    // signing is arithmetic, so one after another is fast
    let mut urls = Vec::with_capacity(parts.len());
    for (number, sha256) in (1..).zip(parts) {
        urls.push(hub.store.presign_part(key, upload_id, number, sha256, PRESIGNED_FOR).await.map_err(told)?);
    }
    Ok(urls)
}

/// What is wrong with the parts is the client's to mend.
fn told(error: StoreError) -> Error {
    match error {
        StoreError::Mismatch { .. } => Error::invalid(error.to_string()),
        StoreError::Missing(_) => Error::conflict("the upload is not there any more; begin it again"),
        error => error.into(),
    }
}

impl Handle for FinishUpload {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let user = cx.caller.user()?.id;
        let path = UploadPath::parse(&self.path)?;
        let upload = sql::find(cx.db().await?, &path).await?;
        cx.release();
        let upload = upload.filter(|upload| upload.owner == user);
        let upload = upload.ok_or_else(|| Error::missing(format!("No such upload of yours: {path}")))?;
        if upload.size.is_some() {
            // finished before, and the answer was lost
            return Ok(());
        }
        if upload.upload_id.as_ref() != Some(&self.upload_id) {
            return Err(Error::conflict(format!("the upload of {path} was begun again since; finish that one")));
        }
        let key = object_key::client_upload(path.as_str());
        let parts = self.parts.into_iter().map(|part| toji_store::Part { etag: part.etag, sha256: part.sha256 });
        let parts: Vec<_> = parts.collect();
        cx.hub.store.complete(&key, &self.upload_id, &parts).await.map_err(told)?;
        let object = cx.hub.store.head(&key).await?.ok_or_else(|| told(StoreError::Missing(key)))?;
        let mut tx = cx.hub.pool.begin().await?;
        match sql::lock(&mut tx, &path).await? {
            Some(now) if now.upload_id.as_ref() == Some(&self.upload_id) => {
                sql::end(&mut tx, &path, object.size, None).await?;
            }
            Some(now) if now.size == Some(object.size) => {}
            _ => return Err(Error::conflict(format!("{path} was replaced while it was being finished"))),
        }
        tx.commit().await?;
        Ok(())
    }
}

impl Handle for CheckUpload {
    async fn handle(self, cx: &mut Cx) -> Result<Option<UploadState>> {
        let user = cx.caller.user()?.id;
        piece::check_volume(self.volume.as_deref())?;
        let path = UploadPath::join(&self.path, &self.name)?;
        let verify = self.verify.as_deref().map(digest::Kind::parse).transpose()?;
        let upload = sql::find(cx.db().await?, &path).await?;
        cx.release();
        let Some(upload) = upload.filter(|upload| !upload.is_presigned()) else { return Ok(None) };
        if upload.owner != user {
            return Err(Error::denied(format!("{path} belongs to another user")));
        }
        let object = complete(&cx.hub, &path).await?;
        let mut state =
            UploadState { size: object.size, mtime: Time(upload.create_time).ts(), sumlength: None, hexdigest: None };
        if let Some(kind) = verify {
            let length = self.tail.map_or(object.size, |tail| tail.clamp(0, object.size));
            state.sumlength = Some(length);
            state.hexdigest = Some(hexdigest(cx, &path, &object, kind, length).await?);
        }
        Ok(Some(state))
    }
}

/// The digest of an object's last `length` bytes.
async fn hexdigest(
    cx: &mut Cx,
    path: &UploadPath,
    object: &UploadedObject,
    kind: digest::Kind,
    length: i64,
) -> Result<String> {
    if kind == digest::Kind::Adler32 && length == object.size {
        let known = sql::find(cx.db().await?, path).await?.and_then(|upload| upload.adler32);
        cx.release();
        if let Some(known) = known {
            return Ok(format!("{known:08x}"));
        }
    }
    digest_of(&cx.hub, object, kind, length).await
}

async fn digest_of(hub: &Hub, object: &UploadedObject, kind: digest::Kind, length: i64) -> Result<String> {
    let mut digest = digest::Running::new(kind);
    let mut at = object.size - length;
    while at < object.size {
        let end = (at + READ).min(object.size);
        let bytes = hub.store.get_range(&object.key, at.unsigned_abs()..end.unsigned_abs()).await?;
        digest.update(&bytes);
        at = end;
    }
    Ok(digest.finish())
}

impl Handle for UploadFile {
    async fn handle(self, cx: &mut Cx) -> Result<bool> {
        let user = cx.caller.user()?.id;
        let now = cx.now;
        cx.release();
        piece::check_volume(self.volume.as_deref())?;
        let path = UploadPath::join(&self.path, &self.name)?;
        let expected = expected(&self.md5sum)?;
        if self.offset == -1 {
            return verify_whole(cx, &path, self.size, expected).await;
        }
        let body = match self.data {
            Value::Bytes(bytes) => bytes,
            Value::String(text) => {
                let text: String = text.split_whitespace().collect();
                let decoded = BASE64_STANDARD.decode(text);
                decoded.map_err(|error| Error::parameter(format!("data is not base64: {error}")))?
            }
            other => return Err(Error::parameter(format!("data must be base64, not {}", other.kind()))),
        };
        if body.len() as i64 != self.size || expected.is_some_and(|(kind, sum)| kind.of(&body) != sum) {
            return Ok(false);
        }
        let body = Bytes::from(body);
        piece::Arrival { hub: &cx.hub, path: &path, user, offset: self.offset, overwrite: true, now }
            .store(&body)
            .await?;
        Ok(true)
    }
}

/// The digest that a client expects: an MD5 alone, or a kind and a digest; nil = it does not say.
fn expected(sum: &Value) -> Result<Option<(digest::Kind, String)>> {
    match sum {
        Value::Nil => Ok(None),
        Value::String(md5) => Ok(Some((digest::Kind::Md5, md5.to_ascii_lowercase()))),
        Value::Array(pair) => match pair.as_slice() {
            [Value::String(kind), Value::String(sum)] => {
                Ok(Some((digest::Kind::parse(kind)?, sum.to_ascii_lowercase())))
            }
            _ => Err(Error::parameter("md5sum must be an MD5, or a kind and a digest")),
        },
        other => Err(Error::parameter(format!("md5sum must be an MD5, or a kind and a digest, not {}", other.kind()))),
    }
}

async fn verify_whole(
    cx: &mut Cx,
    path: &UploadPath,
    size: i64,
    expected: Option<(digest::Kind, String)>,
) -> Result<bool> {
    let user = cx.caller.user()?.id;
    let mut conn = cx.hub.pool.acquire().await?;
    piece::require_owner(&mut conn, path, user).await?;
    drop(conn);
    let object = complete(&cx.hub, path).await?;
    if object.size != size {
        return Ok(false);
    }
    match expected {
        Some((kind, sum)) => Ok(hexdigest(cx, path, &object, kind, size).await? == sum),
        None => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_digests() {
        let pair = |kind: &str| Value::Array(vec![Value::from(kind), Value::from("AB")]);
        assert_eq!(expected(&pair("sha256")).unwrap(), Some((digest::Kind::Sha256, "ab".to_owned())));
        assert_eq!(expected(&Value::from("AB")).unwrap(), Some((digest::Kind::Md5, "ab".to_owned())));
        assert_eq!(expected(&Value::Nil).unwrap(), None);
        assert!(expected(&pair("crc")).is_err());
        assert!(expected(&Value::from(3)).is_err());
    }
}
