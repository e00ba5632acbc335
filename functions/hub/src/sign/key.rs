//! Which key a tag names, and its public half. That is made once and noted: fingerprint and key id stay.

use sqlx::PgConnection;
use toji_keyring::{KeyRef, PublicKey, Signer};
use toji_protocol::{
    id::{EventId, TagId},
    method::sign::{GetSigningKey, SigningKey},
    value::{Map, Value},
};

use super::SETTING;
use crate::{
    Error, Hub, Result,
    call::{Cx, Handle},
    tag,
};

/// A key whose public half is known.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: i64,
    pub(crate) name: KeyRef,
    pub(crate) public: PublicKey,
}

/// Refuses a setting of a tag that names no key.
///
/// # Errors
/// When it is one.
pub(crate) fn check_extra(name: &str, value: &Value) -> Result<()> {
    if name == SETTING { parse(value).map(|_| ()) } else { Ok(()) }
}

fn parse(value: &Value) -> Result<KeyRef> {
    let text = value.as_str().ok_or_else(|| {
        Error::parameter(format!(
            "{SETTING} must be a text such as kms:alias/NAME; to have none, block it (--block-extra)"
        ))
    })?;
    text.parse().map_err(|error: toji_keyring::KeyError| Error::parameter(format!("{SETTING}: {error}")))
}

/// The key that a tag's settings name.
pub(super) fn named(extra: &Map) -> Result<Option<KeyRef>> {
    extra.get(SETTING).filter(|value| !value.is_nil()).map(parse).transpose()
}

/// The key that a tag names at an event, itself or through what it inherits; None = now.
pub(super) async fn of_tag(
    conn: &mut PgConnection,
    hub: &Hub,
    tag: TagId,
    at: Option<EventId>,
) -> Result<Option<KeyRef>> {
    match tag::build_config(conn, hub.config.quirks, tag, at).await? {
        Some(config) => named(&config.tag.extra),
        None => Ok(None),
    }
}

impl Key {
    /// A key with its public half, which is made when it is used for the first time. No connection is held meanwhile.
    pub(super) async fn open(hub: &Hub, name: KeyRef) -> Result<Self> {
        hub.config.keyring.check(&name)?;
        let reference = name.to_string();
        if let Some((id, public)) = get(&mut *hub.pool.acquire().await?, &reference).await? {
            return Ok(Self { id, name, public });
        }
        let made = PublicKey::make(&hub.config.keyring, &name, &hub.config.signing_user_id).await?;
        tracing::info!(key = reference, fingerprint = made.fingerprint, "a signing key is used for the first time");
        let mut conn = hub.pool.acquire().await?;
        insert(&mut conn, &reference, &made).await?;
        // somebody may have been faster: what is noted counts
        let noted = get(&mut conn, &reference).await?;
        let (id, public) = noted.ok_or_else(|| Error::internal(anyhow::anyhow!("the key {reference} is not noted")))?;
        Ok(Self { id, name, public })
    }

    /// What signs with it.
    pub(crate) fn signer<'a>(&self, hub: &'a Hub) -> Result<Signer<'a>> {
        Ok(Signer::new(&hub.config.keyring, &self.name, &self.public.armored)?)
    }
}

async fn get(conn: &mut PgConnection, reference: &str) -> Result<Option<(i64, PublicKey)>> {
    let row =
        sqlx::query!("SELECT id, sigkey, fingerprint, public_key FROM signing_key WHERE reference = $1", reference)
            .fetch_optional(conn)
            .await?;
    Ok(row.map(|row| (row.id, PublicKey { sigkey: row.sigkey, fingerprint: row.fingerprint, armored: row.public_key })))
}

async fn insert(conn: &mut PgConnection, reference: &str, key: &PublicKey) -> Result<()> {
    sqlx::query!(
        "INSERT INTO signing_key (reference, sigkey, fingerprint, public_key, create_time) VALUES ($1, $2, $3, $4, now())
         ON CONFLICT (reference) DO NOTHING",
        reference,
        key.sigkey,
        key.fingerprint,
        key.armored
    )
    .execute(conn)
    .await?;
    Ok(())
}

impl Handle for GetSigningKey {
    async fn handle(self, cx: &mut Cx) -> Result<SigningKey> {
        let hub = cx.hub.clone();
        let conn = cx.db().await?;
        let (tag, name) = tag::require(conn, &self.tag).await?;
        let key = of_tag(conn, &hub, tag, None).await?;
        let key = key.ok_or_else(|| no_key(&name))?;
        cx.release();
        let PublicKey { sigkey, fingerprint, armored } = Key::open(&hub, key).await?.public;
        Ok(SigningKey { sigkey, fingerprint, public_key: armored })
    }
}

pub(super) fn no_key(tag: &str) -> Error {
    Error::missing(format!(
        "the tag {tag} names no signing key; set one: toji edit-tag {tag} -x {SETTING}=kms:alias/NAME"
    ))
}
