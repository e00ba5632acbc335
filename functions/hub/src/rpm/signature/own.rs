//! Signatures that the hub makes itself, with the key that a tag names (`sign`). They are kept as those that clients send, and the
//! signed copy is written at once.

use chrono::{DateTime, Utc};
use toji_protocol::{
    id::{RpmId, TagId, UserId},
    method::rpm::RpmRef,
};
use toji_repodata::header::SignatureHeader;

use super::{super::file::RpmFile, CONTENT_TYPE, internal, note_in, sql, write};
use crate::{
    Error, Hub, Result,
    call::{Cx, act_as, rerun},
    import,
    sign::{self, Key, Signed},
    volume,
};

/// Because of what something is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cause {
    pub(crate) tag: TagId,
    pub(crate) user: UserId,
}

/// A signature that was made.
struct Made {
    /// The whole signature header.
    data: Vec<u8>,
    sighash: String,
    /// What is signed.
    header: Vec<u8>,
}

/// Sees to it that an RPM has a signature of a key, and a copy with it. Run again, it does what is missing.
///
/// # Errors
/// When the key, S3 or the database is away, or a hook refuses.
pub(crate) async fn sign(hub: &Hub, rpm: RpmId, key: &Key, cause: Cause, now: DateTime<Utc>) -> Result<()> {
    let sigkey = &key.public.sigkey;
    let mut cx = Cx::new(hub.clone(), now);
    let file = match internal(&mut cx, &RpmRef::Id(rpm)).await {
        // deleted since
        Err(Error::NotFound(..)) => return Ok(()),
        found => found?,
    };
    let is_noted = !sql::list(cx.db().await?, Some(rpm), Some(sigkey)).await?.is_empty();
    let class = volume::storage_class_of(cx.db().await?, file.build.id).await?;
    cx.release();
    let object = file.signature_key(sigkey);
    // the row is made first: after a crash the object may be missing, and is made again, the same to the byte
    if !is_noted || hub.store.head(&object).await?.is_none() {
        let made = make(hub, &file, key).await?;
        if !is_noted {
            let (file, made) = (&file, &made);
            rerun(hub, |hub| async move { note(&hub, file, key, made, cause, now).await }).await?;
        }
        hub.store.put(&object, made.data, CONTENT_TYPE).await?;
    }
    write::copy(hub, &file, sigkey, class.as_deref(), false).await
}

/// The signature is dated as the build: so it depends on the RPM and the key alone. When it was really made, the log says.
async fn make(hub: &Hub, file: &RpmFile, key: &Key) -> Result<Made> {
    let header = import::read_header(hub, &file.key(), file.rpm.size).await?;
    let time = file.build.completion_ts.unwrap_or_default() as i64;
    let packet = key.signer(hub)?.sign(header.header_bytes(), time).await?;
    let bad = |error| Error::invalid(format!("{} cannot be signed: {error}", file.nvra()));
    let data = SignatureHeader::with_rsa(&header.signature_bytes, &packet).map_err(bad)?;
    let sighash = SignatureHeader::parse(&data).map_err(bad)?.sighash;
    Ok(Made { data, sighash, header: header.header_bytes().to_vec() })
}

async fn note(hub: &Hub, file: &RpmFile, key: &Key, made: &Made, cause: Cause, now: DateTime<Utc>) -> Result<()> {
    let mut cx = Cx::internal(hub, now).await?;
    act_as(&mut cx, cause.user).await?;
    if note_in(&mut cx, file, &key.public.sigkey, &made.sighash).await? {
        let name = file.nvra().file_name();
        let signed = Signed { tag: cause.tag, user: Some(cause.user), rpm: Some(file.rpm.id), repo: None, name: &name };
        sign::note(cx.db().await?, key, signed, &made.header, now).await?;
    }
    cx.commit().await
}
