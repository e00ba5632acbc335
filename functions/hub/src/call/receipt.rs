//! Receipts: a write that is sent again under the same key is answered as the first time, and done once.

use sha2::{Digest, Sha256};
use toji_protocol::value::{Map, Value};

use super::Cx;
use crate::{Error, Result};

/// A key that was not used before.
pub(super) struct Receipt {
    key: String,
}

/// Whether a key was used before.
pub(super) enum Taken {
    /// It was not.
    New(Receipt),
    /// It was; this was the answer.
    Answered(serde_json::Value),
}

/// Takes a key, in the transaction of the call's writes. A second request with the key waits here for the first to end.
pub(super) async fn take(cx: &mut Cx, key: &str, method: &str, positional: &[Value], named: &Map) -> Result<Taken> {
    const LONGEST: usize = 200;
    if key.is_empty() || key.len() > LONGEST {
        return Err(Error::parameter(format!("Idempotency-Key must have 1 to {LONGEST} characters")));
    }
    let arguments = serde_json::to_vec(&(method, positional, named)).map_err(Error::internal)?;
    let digest = Sha256::digest(&arguments).to_vec();
    let (user, now) = (cx.caller.user_id().map(|user| user.0).unwrap_or_default(), cx.now);
    let key = format!("{user}:{key}");
    let new = sqlx::query!(
        "INSERT INTO call_receipt (key, digest, create_time) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING",
        key,
        digest,
        now
    )
    .execute(cx.db().await?)
    .await?;
    if new.rows_affected() == 1 {
        return Ok(Taken::New(Receipt { key }));
    }
    let row =
        sqlx::query!("SELECT digest, reply FROM call_receipt WHERE key = $1", key).fetch_one(cx.db().await?).await?;
    if row.digest != digest {
        return Err(Error::conflict("this Idempotency-Key was used for another call; choose a new one for each"));
    }
    Ok(Taken::Answered(row.reply.unwrap_or_default()))
}

/// Keeps the answer with the key.
pub(super) async fn keep(cx: &mut Cx, receipt: Receipt, reply: serde_json::Value) -> Result<()> {
    sqlx::query!("UPDATE call_receipt SET reply = $2 WHERE key = $1", receipt.key, reply)
        .execute(cx.db().await?)
        .await?;
    Ok(())
}
