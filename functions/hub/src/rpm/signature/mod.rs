//! Signatures. A client sends the signature header that `rpmsign` has made, and asks for a copy of the RPM with it; or the hub makes both
//! with the key that a tag names (`own`).
//!
//! A signature is a row and an object. The row is made first and goes last but for the object, so an object without a row is a
//! leftover that means nothing; a row without its object is mended by sending the same header again.

mod checksum;
mod delete;
mod own;
mod rename;
mod shown;
mod sql;
mod write;

use base64::{Engine, prelude::BASE64_STANDARD};
pub(super) use checksum::get as checksums;
pub(super) use delete::delete;
use futures::{StreamExt, TryStreamExt, stream};
pub(crate) use own::{Cause, sign};
pub(super) use rename::rename;
pub(crate) use shown::{Shown, shown};
use sqlx::PgConnection;
use toji_protocol::{
    id::RpmId,
    method::{
        Listing,
        rpm::{AddRpmSig, QueryRpmSigs, RpmRef, RpmSig},
    },
};
use toji_repodata::header::SignatureHeader;
pub(super) use write::write;

use super::{
    file::{self, NoFile, RpmFile},
    find, no_such_rpm,
};
use crate::{Error, Hub, Result, call::Cx, callback::tell, import, listing};

const CONTENT_TYPE: &str = "application/octet-stream";
/// Objects written at once.
const AT_ONCE: usize = 8;

/// Keeps the signature headers that files came with: (key of the object, the header).
///
/// # Errors
/// When S3 is away. Run again, it writes the same.
pub(crate) async fn keep_all(hub: &Hub, headers: Vec<(String, Vec<u8>)>) -> Result<()> {
    let put = |(key, header): (String, Vec<u8>)| async move { hub.store.put(&key, header, CONTENT_TYPE).await };
    stream::iter(headers).map(put).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(())
}

/// An RPM's signatures: keys and digests.
pub(super) async fn of(conn: &mut PgConnection, rpm: RpmId) -> Result<Vec<(String, String)>> {
    Ok(sql::list(conn, Some(rpm), None).await?.into_iter().map(|sig| (sig.sigkey, sig.sighash)).collect())
}

/// `queryRPMSigs`.
pub(super) async fn query(cx: &mut Cx, asked: QueryRpmSigs) -> Result<Listing<RpmSig>> {
    let conn = cx.db().await?;
    let sigkey = asked.sigkey.map(|key| key.to_lowercase());
    let found = match &asked.rpm_id {
        Some(RpmRef::Id(id)) => sql::list(conn, Some(*id), sigkey.as_deref()).await?,
        Some(rpm) => match find(conn, rpm).await?.first() {
            Some(rpm) => sql::list(conn, Some(rpm.id), sigkey.as_deref()).await?,
            None => Vec::new(),
        },
        None => sql::list(conn, None, sigkey.as_deref()).await?,
    };
    listing::in_memory(found, asked.query_opts.as_ref())
}

/// `addRPMSig`.
pub(super) async fn add(cx: &mut Cx, asked: AddRpmSig) -> Result<()> {
    let data: String = asked.data.split_ascii_whitespace().collect();
    let data = BASE64_STANDARD.decode(data);
    let data = data.map_err(|error| Error::invalid(format!("data is no base64: {error}")))?;
    let signature = SignatureHeader::parse(&data)
        .map_err(|error| Error::invalid(format!("data is no signature header of an RPM: {error}")))?;
    let file = internal(cx, &asked.an_rpm).await?;
    let sigmd5 = signature.sigmd5.unwrap_or_default();
    if sigmd5 != file.rpm.payloadhash {
        return Err(Error::invalid(format!("wrong md5 for {}: {sigmd5}", file.nvra())));
    }
    let sigkey = signature.key_id.unwrap_or_default();
    let object = file.signature_key(&sigkey);
    if !note(cx, &file, &sigkey, &signature.sighash).await? {
        let known = sql::list(cx.db().await?, Some(file.rpm.id), Some(&sigkey)).await?;
        cx.release();
        let is_same = known.first().is_some_and(|known| known.sighash == signature.sighash);
        // the same one, whose object a crash has kept from being written, is taken again
        if !is_same || cx.hub.store.head(&object).await?.is_some() {
            let message = format!("Signature already exists for package {}, key {sigkey}", file.nvra());
            return Err(Error::invalid(message));
        }
    }
    cx.release();
    Ok(cx.hub.store.put(&object, data, CONTENT_TYPE).await?)
}

/// Notes a signature. False: there is one with that key.
async fn note(cx: &mut Cx, file: &RpmFile, sigkey: &str, sighash: &str) -> Result<bool> {
    if cx.is_writing() {
        return note_in(cx, file, sigkey, sighash).await;
    }
    let mut tx = cx.transaction().await?;
    let is_new = note_in(&mut tx, file, sigkey, sighash).await?;
    tx.commit().await?;
    Ok(is_new)
}

async fn note_in(cx: &mut Cx, file: &RpmFile, sigkey: &str, sighash: &str) -> Result<bool> {
    let is_new = sql::add(cx.db().await?, file.rpm.id, sigkey, sighash).await?;
    if is_new {
        tell::rpm_signed(cx, file.rpm.id, sigkey, sighash).await?;
    }
    Ok(is_new)
}

/// An RPM that was built here, whose file is kept.
async fn internal(cx: &mut Cx, rpm: &RpmRef) -> Result<RpmFile> {
    match file::locate(cx.db().await?, rpm).await? {
        Ok(file) => Ok(file),
        Err(NoFile::Unknown) => Err(no_such_rpm(rpm)),
        Err(NoFile::External(found)) => {
            Err(Error::invalid(format!("Not an internal rpm: {rpm} (from {})", found.external_repo_name)))
        }
        Err(NoFile::Deleted(build)) => Err(Error::invalid(format!("Build {} is deleted", build.nvr))),
        Err(NoFile::Gone) => Err(Error::missing(format!("RPM file of {rpm} doesn't exist"))),
    }
}

/// The signature header of a key: as it is kept, or else the file's own.
async fn header_bytes(hub: &Hub, file: &RpmFile, sigkey: &str) -> Result<Vec<u8>> {
    match hub.store.get(&file.signature_key(sigkey)).await {
        Ok(bytes) => return Ok(bytes.to_vec()),
        Err(toji_store::StoreError::Missing(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let own = import::read_header(hub, &file.key(), file.rpm.size).await?;
    if own.key_id.as_deref().unwrap_or_default() == sigkey {
        return Ok(own.signature_bytes);
    }
    let message = format!("The signature header of {} with key {sigkey} is gone; import it again", file.nvra());
    Err(Error::missing(message))
}

/// The signature with a key, which the RPM must have.
async fn require(cx: &mut Cx, file: &RpmFile, sigkey: &str) -> Result<RpmSig> {
    let found = sql::list(cx.db().await?, Some(file.rpm.id), Some(sigkey)).await?;
    found.into_iter().next().ok_or_else(|| no_signature(file, sigkey))
}

fn no_signature(file: &RpmFile, sigkey: &str) -> Error {
    Error::missing(format!("No cached signature for package {}, key {sigkey}", file.nvra()))
}

/// The keys that an RPM has signatures of.
async fn keys(cx: &mut Cx, rpm: RpmId) -> Result<Vec<String>> {
    Ok(sql::list(cx.db().await?, Some(rpm), None).await?.into_iter().map(|sig| sig.sigkey).collect())
}
