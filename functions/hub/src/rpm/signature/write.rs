//! `writeSignedRPM`: the copy of an RPM that carries a signature.
//!
//! It is the lead, the kept signature header, and header and payload as they are. A large payload is copied within S3.

use bytes::Bytes;
use toji_protocol::method::rpm::WriteSignedRpm;
use toji_repodata::header::LEAD_SIZE;
use toji_store::Splice;

use super::{super::file::RpmFile, header_bytes, internal, require};
use crate::{Error, Hub, Result, call::Cx, import, volume};

/// What RPMs are served as.
const RPM: &str = "application/x-rpm";

pub(in crate::rpm) async fn write(cx: &mut Cx, asked: WriteSignedRpm) -> Result<()> {
    let sigkey = asked.sigkey.to_lowercase();
    let file = internal(cx, &asked.an_rpm).await?;
    require(cx, &file, &sigkey).await?;
    let class = volume::storage_class_of(cx.db().await?, file.build.id).await?;
    cx.release();
    copy(&cx.hub, &file, &sigkey, class.as_deref(), asked.force).await
}

/// Writes the copy with a signature that is kept, unless it is there; with `force` anew.
pub(super) async fn copy(hub: &Hub, file: &RpmFile, sigkey: &str, class: Option<&str>, force: bool) -> Result<()> {
    let to = file.signed_key(sigkey);
    if !force && hub.store.head(&to).await?.is_some() {
        return Ok(());
    }
    let Spliced { head, after, size } = splice(hub, file, sigkey).await?;
    let splice = Splice { head, from: &file.key(), size, after };
    Ok(hub.store.splice(splice, &to, RPM, class).await?)
}

/// A file with another signature header: what stands in front, and from where on the RPM's own bytes follow.
pub(super) struct Spliced {
    /// Lead and signature header.
    pub(super) head: Bytes,
    /// Where the header begins in the RPM.
    pub(super) after: u64,
    /// The RPM's bytes.
    pub(super) size: u64,
}

pub(super) async fn splice(hub: &Hub, file: &RpmFile, sigkey: &str) -> Result<Spliced> {
    let key = file.key();
    let object = hub.store.head(&key).await?;
    let object = object.ok_or_else(|| Error::missing(format!("RPM file of {} doesn't exist", file.nvra())))?;
    let own = import::read_header(hub, &key, object.size).await?;
    let mut head = hub.store.get_range(&key, 0..LEAD_SIZE as u64).await?.to_vec();
    head.extend(header_bytes(hub, file, sigkey).await?);
    Ok(Spliced { head: head.into(), after: own.header_start, size: object.size.unsigned_abs() })
}
