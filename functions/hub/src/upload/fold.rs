//! Pieces become parts, and parts the object.

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use toji_protocol::object_key;
use toji_store::StoreError;

use super::{
    UploadedObject, adler32,
    path::UploadPath,
    sql::{self, Piece, Upload},
};
use crate::{Error, Hub, Result};

/// Bytes from which pieces are folded. S3 takes no smaller parts, but for the last, than 5 MiB.
pub(super) const PART: i64 = 8 << 20;

/// The most pieces that one part is made of: who sends 8 MiB in more sends too little at a time.
const MOST_PIECES: i64 = 65_536;

/// Requests to S3 at once.
const AT_ONCE: usize = 8;

/// Folds all pieces that fill a part.
pub(super) async fn fold(hub: &Hub, path: &UploadPath) -> Result<()> {
    loop {
        let Some(upload) = sql::find(&mut *hub.pool.acquire().await?, path).await? else { return Ok(()) };
        if upload.size.is_some() || upload.end - upload.folded < PART {
            return Ok(());
        }
        let pieces = enough(unfolded(hub, path, &upload).await?);
        let body = read(hub, path, &pieces).await?;
        let upload_id = multipart(hub, path, &upload).await?;
        let number = upload.parts + 1;
        let sent = hub.store.put_part(&object_key::client_upload(path.as_str()), &upload_id, number, body).await?;
        let size = pieces.iter().map(|piece| piece.size).sum();
        let part = sql::Part { number, start: upload.folded, size, etag: sent.etag, sha256: sent.sha256 };
        if !record(hub, path, &upload_id, &part, &pieces).await? {
            return Ok(());
        }
    }
}

/// The pieces behind the last part: all of them, or enough for a part.
async fn unfolded(hub: &Hub, path: &UploadPath, upload: &Upload) -> Result<Vec<Piece>> {
    let pieces = sql::pieces(&mut *hub.pool.acquire().await?, path, upload.folded, MOST_PIECES).await?;
    let end = pieces.last().map_or(upload.folded, |piece| piece.start + piece.size);
    if end < upload.end && end - upload.folded < PART {
        return Err(Error::invalid(format!(
            "{path} has arrived in pieces that are too small; send 64 KiB or more at a time"
        )));
    }
    Ok(pieces)
}

/// The first pieces that make up a part.
fn enough(mut pieces: Vec<Piece>) -> Vec<Piece> {
    let mut size = 0;
    let mut is_short = |piece: &&Piece| {
        let short = size < PART;
        size += piece.size;
        short
    };
    let count = pieces.iter().take_while(&mut is_short).count();
    pieces.truncate(count);
    pieces
}

/// Writes a part down if the pieces are still those that it was made of: a client may have overwritten them meanwhile, or
/// another request have folded them.
async fn record(hub: &Hub, path: &UploadPath, upload_id: &str, part: &sql::Part, pieces: &[Piece]) -> Result<bool> {
    let mut tx = hub.pool.begin().await?;
    let Some(upload) = sql::lock(&mut tx, path).await? else { return Ok(false) };
    let now = sql::pieces(&mut tx, path, part.start, pieces.len() as i64).await?;
    if upload.upload_id.as_deref() != Some(upload_id) || upload.folded != part.start || now != pieces {
        return Ok(false);
    }
    sql::add_part(&mut tx, path, part).await?;
    tx.commit().await?;
    Ok(true)
}

/// The id of the file's multipart upload, which is begun if there is none.
async fn multipart(hub: &Hub, path: &UploadPath, upload: &Upload) -> Result<String> {
    if let Some(upload_id) = &upload.upload_id {
        return Ok(upload_id.clone());
    }
    let key = object_key::client_upload(path.as_str());
    let begun = hub.store.start_multipart(&key).await?;
    let named = sql::name_multipart(&mut *hub.pool.acquire().await?, path, &begun).await?;
    if named.as_ref() != Some(&begun) {
        hub.store.abort(&key, &begun).await?;
    }
    named.ok_or_else(|| Error::conflict(format!("{path} was completed meanwhile")))
}

/// The bytes of pieces, which are those that were acknowledged.
async fn read(hub: &Hub, path: &UploadPath, pieces: &[Piece]) -> Result<Bytes> {
    let read = stream::iter(pieces.iter().copied()).map(|piece| async move {
        let key = object_key::upload_piece(path.as_str(), piece.start);
        let bytes = match hub.store.get_range(&key, 0..piece.size.unsigned_abs()).await {
            Ok(bytes) => bytes,
            Err(StoreError::Missing(_)) => Bytes::new(),
            Err(error) => return Err(error.into()),
        };
        if bytes.len() as i64 != piece.size || adler2::adler32_slice(&bytes) != piece.adler32 {
            return Err(Error::conflict(format!(
                "the piece of {path} at {} is no longer what was sent; upload the file again with overwrite=1",
                piece.start
            )));
        }
        Ok(bytes)
    });
    let mut whole = BytesMut::with_capacity(pieces.iter().map(|piece| piece.size).sum::<i64>() as usize);
    let mut read = read.buffered(AT_ONCE);
    while let Some(bytes) = read.try_next().await? {
        whole.extend_from_slice(&bytes);
    }
    Ok(whole.freeze())
}

/// Makes the object of what has arrived, if it is not there yet. Safe to run twice at once.
///
/// # Errors
/// When nothing has arrived, or the client has not ended an upload to presigned URLs.
pub async fn complete(hub: &Hub, path: &UploadPath) -> Result<UploadedObject> {
    let key = object_key::client_upload(path.as_str());
    fold(hub, path).await?;
    let upload = sql::find(&mut *hub.pool.acquire().await?, path).await?;
    let upload = upload.ok_or_else(|| Error::missing(format!("No such upload: {path}")))?;
    if let Some(size) = upload.size {
        return Ok(UploadedObject { key, size });
    }
    if upload.is_presigned() {
        return Err(Error::invalid(format!("the upload of {path} has not ended; upload.finish ends it")));
    }
    let rest = unfolded(hub, path, &upload).await?;
    let body = read(hub, path, &rest).await?;
    let mut given_up = None;
    match &upload.upload_id {
        Some(upload_id) if upload.parts > 0 => finish(hub, path, upload_id, body).await?,
        upload_id => {
            given_up = upload_id.clone();
            hub.store.put(&key, body, "application/octet-stream").await?;
        }
    }
    end(hub, path, &upload).await?;
    if let Some(upload_id) = given_up {
        hub.store.abort(&key, &upload_id).await?;
    }
    Ok(UploadedObject { key, size: upload.end })
}

/// Completes a multipart upload with `rest` as its last part. That part is not written down: should we crash here, and the
/// client send more, a part as short as it could be would stand in the middle.
async fn finish(hub: &Hub, path: &UploadPath, upload_id: &str, rest: Bytes) -> Result<()> {
    let key = object_key::client_upload(path.as_str());
    let parts = sql::parts(&mut *hub.pool.acquire().await?, path).await?;
    let number = parts.len() as i32 + 1;
    let mut parts: Vec<_> =
        parts.into_iter().map(|part| toji_store::Part { etag: part.etag, sha256: part.sha256 }).collect();
    if !rest.is_empty() {
        parts.push(hub.store.put_part(&key, upload_id, number, rest).await?);
    }
    Ok(hub.store.complete(&key, upload_id, &parts).await?)
}

/// Writes down that the object is whole, and removes the pieces.
async fn end(hub: &Hub, path: &UploadPath, upload: &Upload) -> Result<()> {
    let mut tx = hub.pool.begin().await?;
    let now = sql::lock(&mut tx, path).await?;
    match now {
        // somebody else has completed it
        Some(now) if now.size == Some(upload.end) => return Ok(()),
        Some(now) if now.end == upload.end && now.upload_id == upload.upload_id => {}
        _ => return Err(Error::conflict(format!("{path} changed while it was being completed"))),
    }
    let pieces = sql::pieces(&mut tx, path, 0, i64::MAX).await?;
    let adler32 = pieces
        .iter()
        .fold(adler32::EMPTY, |sum, piece| adler32::combine(sum, piece.adler32, piece.size.unsigned_abs()));
    let pieces = sql::end(&mut tx, path, upload.end, Some(adler32)).await?;
    tx.commit().await?;
    let removed = stream::iter(pieces)
        .map(|start| async move { hub.store.delete(&object_key::upload_piece(path.as_str(), start)).await })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await;
    // pieces that stay are removed by the bucket's lifecycle rule
    if let Err(error) = removed {
        tracing::warn!(%error, %path, "pieces are left behind");
    }
    Ok(())
}
