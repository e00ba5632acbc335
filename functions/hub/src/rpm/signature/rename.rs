//! `renameRPMSig`: a signature under another key's id, as when ids of keys become longer.

use toji_protocol::method::rpm::RenameRpmSig;

use super::{CONTENT_TYPE, header_bytes, internal, require, sql};
use crate::{Error, Result, call::Cx, volume};

pub(in crate::rpm) async fn rename(cx: &mut Cx, asked: RenameRpmSig) -> Result<()> {
    let (old, new) = (asked.oldkey.to_lowercase(), asked.newkey.to_lowercase());
    if new.is_empty() || !new.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::invalid(format!(
            "newkey is no id of a key: {:?}; it takes hexadecimal digits",
            asked.newkey
        )));
    }
    if old.is_empty() {
        return Err(Error::invalid("oldkey is empty: the header that a file was built with has no key"));
    }
    let file = internal(cx, &asked.rpminfo).await?;
    require(cx, &file, &old).await?;
    if !sql::list(cx.db().await?, Some(file.rpm.id), Some(&new)).await?.is_empty() {
        return Err(Error::invalid(format!("Signature already exists for package {}, key {new}", file.nvra())));
    }
    let class = volume::storage_class_of(cx.db().await?, file.build.id).await?;
    cx.release();
    // The new objects first, the old ones last: after a crash between there is the one signature or the other, with its objects,
    // and objects without a row mean nothing.
    let header = header_bytes(&cx.hub, &file, &old).await?;
    cx.hub.store.put(&file.signature_key(&new), header, CONTENT_TYPE).await?;
    if let Some(copy) = cx.hub.store.head(&file.signed_key(&old)).await? {
        cx.hub.store.copy(&copy.key, &file.signed_key(&new), copy.size, class.as_deref()).await?;
    }
    let is_renamed = sql::rename(cx.db().await?, file.rpm.id, &old, &new).await?;
    cx.release();
    if !is_renamed {
        return Err(Error::conflict(format!("The signatures of {} have changed meanwhile; try again", file.nvra())));
    }
    for key in [file.signature_key(&old), file.signed_key(&old)] {
        cx.hub.store.delete(&key).await?;
    }
    tracing::warn!(rpm = %file.nvra(), old, new, "signature renamed");
    Ok(())
}
