//! `deleteRPMSig`: for emergencies. The header is kept beside its place, under the name of its digest.

use toji_protocol::method::rpm::{DeleteRpmSig, RpmSig};

use super::{super::file::RpmFile, CONTENT_TYPE, internal, sql};
use crate::{Error, Hub, Result, call::Cx};

pub(in crate::rpm) async fn delete(cx: &mut Cx, asked: DeleteRpmSig) -> Result<()> {
    let sigkey = match asked.sigkey.filter(|key| !key.is_empty()) {
        _ if asked.all_sigs => None,
        Some(key) => Some(key.to_lowercase()),
        None => return Err(Error::invalid("No signature specified")),
    };
    let file = internal(cx, &asked.rpminfo).await?;
    let found = sql::list(cx.db().await?, Some(file.rpm.id), sigkey.as_deref()).await?;
    cx.release();
    if found.is_empty() {
        return Err(Error::missing(format!("{} has no matching signatures to delete", file.nvra())));
    }
    // in this order a crash at any point loses nothing, and the call can be sent again
    for signature in &found {
        back_up(&cx.hub, &file, signature).await?;
        cx.hub.store.delete(&file.signed_key(&signature.sigkey)).await?;
    }
    let keys: Vec<String> = found.iter().map(|signature| signature.sigkey.clone()).collect();
    sql::delete(cx.db().await?, file.rpm.id, &keys).await?;
    cx.release();
    for key in &keys {
        cx.hub.store.delete(&file.signature_key(key)).await?;
    }
    tracing::warn!(rpm = %file.nvra(), ?keys, "signatures deleted");
    Ok(())
}

async fn back_up(hub: &Hub, file: &RpmFile, signature: &RpmSig) -> Result<()> {
    let key = file.signature_key(&signature.sigkey);
    match hub.store.get(&key).await {
        Ok(header) => Ok(hub.store.put(&format!("{key}.{}.save", signature.sighash), header, CONTENT_TYPE).await?),
        // there is nothing to back up
        Err(toji_store::StoreError::Missing(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
