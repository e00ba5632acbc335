//! OpenPGP (version 4) over plain RSA keys.
//!
//! What the library makes, it makes at once, and a key may be far away. So each signature is made in two steps: the library hashes, and
//! gets nothing for an answer ([`Catch`]); the key signs what was caught; then the packet is put together. Each signature is checked
//! with the public key that was noted before it is handed out: an alias may have been moved to another key.

use std::cell::RefCell;

use pgp::{
    composed::{ArmorOptions, Deserializable, DetachedSignature, SignedKeyDetails, SignedPublicKey},
    crypto::{hash::HashAlgorithm, public_key::PublicKeyAlgorithm},
    packet::{
        self, KeyFlags, PacketTrait, PubKeyInner, Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData,
        UserId,
    },
    types::{
        Fingerprint, KeyDetails, KeyId, KeyVersion, Mpi, PacketHeaderVersion, Password, PublicParams, RsaPublicParams,
        SignatureBytes, SignedUser, SigningKey, Tag, Timestamp,
    },
};
use rsa::RsaPublicKey;

use crate::{KeyError, KeyRef, Keyring, Result};

/// A key's public half as others import it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Koji's name for the key: the last 8 hex digits of the fingerprint, in lower case.
    pub sigkey: String,
    /// The fingerprint, 40 hex digits in lower case.
    pub fingerprint: String,
    /// For `rpm --import`.
    pub armored: String,
}

/// A key that is at hand.
#[derive(Clone, Debug)]
pub struct Signer<'a> {
    keyring: &'a Keyring,
    key: KeyRef,
    public: packet::PublicKey,
}

impl PublicKey {
    /// Makes the OpenPGP key of a plain one. Made again, with the same user id, it is the same to the byte.
    ///
    /// # Errors
    /// When the key is away, or is no RSA key.
    pub async fn make(keyring: &Keyring, key: &KeyRef, user_id: &str) -> Result<Self> {
        let kept = keyring.kept(key).await?;
        let signer =
            Signer { keyring, key: key.clone(), public: packet_of(&kept.public, kept.created).map_err(broken(key))? };
        let id = UserId::from_str(PacketHeaderVersion::New, user_id).map_err(broken(key))?;
        let signature = signer.certification(&id, kept.created).await?;
        let users = vec![SignedUser::new(id, vec![signature])];
        let details = SignedKeyDetails::new(Vec::new(), Vec::new(), users, Vec::new());
        let whole = SignedPublicKey::new(signer.public.clone(), details, Vec::new());
        let fingerprint = hex::encode(signer.public.fingerprint().as_bytes());
        Ok(Self {
            sigkey: fingerprint[fingerprint.len() - 8..].to_owned(),
            fingerprint,
            armored: whole.to_armored_string(ArmorOptions::default()).map_err(broken(key))?,
        })
    }
}

impl<'a> Signer<'a> {
    /// The key whose public half is noted.
    ///
    /// # Errors
    /// When what is noted is no OpenPGP key.
    pub fn new(keyring: &'a Keyring, key: &KeyRef, armored: &str) -> Result<Self> {
        let (public, _) = SignedPublicKey::from_string(armored).map_err(broken(key))?;
        Ok(Self { keyring, key: key.clone(), public: public.primary_key })
    }

    /// A detached signature of bytes, as a packet. `time` in seconds; what is older than the key is signed as of the key's first second.
    ///
    /// # Errors
    /// When the key is away, or is another one than was noted.
    pub async fn sign(&self, data: &[u8], time: i64) -> Result<Vec<u8>> {
        let time = time.max(self.public.created_at().as_secs().into());
        let config = self.config(SignatureType::Binary, time).map_err(broken(&self.key))?;
        let signature = self.complete(|key| config.sign(key, &Password::empty(), data)).await?;
        signature.verify(&self.public, data).map_err(|_| self.is_another())?;
        let mut packet = Vec::new();
        signature.to_writer_with_header(&mut packet).map_err(broken(&self.key))?;
        Ok(packet)
    }

    /// The key's own signature of its user id.
    async fn certification(&self, id: &UserId, time: i64) -> Result<Signature> {
        let mut config = self.config(SignatureType::CertPositive, time).map_err(broken(&self.key))?;
        let mut flags = KeyFlags::default();
        flags.set_sign(true);
        flags.set_certify(true);
        for data in [SubpacketData::KeyFlags(flags), SubpacketData::IsPrimary(true)] {
            config.hashed_subpackets.push(Subpacket::regular(data).map_err(broken(&self.key))?);
        }
        let sign = |key: &Catch<'_>| config.sign_certification(key, &self.public, &Password::empty(), Tag::UserId, id);
        let signature = self.complete(sign).await?;
        signature.verify_certification(&self.public, Tag::UserId, id).map_err(|_| self.is_another())?;
        Ok(signature)
    }

    fn config(&self, kind: SignatureType, time: i64) -> pgp::errors::Result<SignatureConfig> {
        let mut config = SignatureConfig::v4(kind, PublicKeyAlgorithm::RSA, HashAlgorithm::Sha256);
        config.hashed_subpackets = vec![
            Subpacket::regular(SubpacketData::SignatureCreationTime(timestamp(time)))?,
            Subpacket::regular(SubpacketData::IssuerFingerprint(self.public.fingerprint()))?,
        ];
        config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(self.public.legacy_key_id()))?];
        Ok(config)
    }

    /// Both steps: `hash` is the library's part.
    async fn complete(&self, hash: impl FnOnce(&Catch<'_>) -> pgp::errors::Result<Signature>) -> Result<Signature> {
        let (empty, digest) = self.caught(hash).map_err(broken(&self.key))?;
        let start = digest.first_chunk().copied().unwrap_or_default();
        let raw = self.keyring.sign(&self.key, &digest).await?;
        let raw = SignatureBytes::Mpis(vec![Mpi::from_slice(&raw)]);
        let config = empty.config().cloned();
        let config =
            config.ok_or_else(|| KeyError::senseless(&self.key, "OpenPGP has made a signature of no known version"))?;
        Signature::from_config(config, start, raw).map_err(broken(&self.key))
    }

    /// A signature that lacks the key's part, and the digest that the key is to sign.
    fn caught(
        &self,
        hash: impl FnOnce(&Catch<'_>) -> pgp::errors::Result<Signature>,
    ) -> pgp::errors::Result<(Signature, Vec<u8>)> {
        let catch = Catch { public: &self.public, digest: RefCell::default() };
        Ok((hash(&catch)?, catch.digest.into_inner()))
    }

    fn is_another(&self) -> KeyError {
        let problem = format!(
            "it signs with another key than the one that was noted with the fingerprint {}; has its alias been moved? Name the new key \
             by its id or by a new alias",
            hex::encode(self.public.fingerprint().as_bytes())
        );
        KeyError::senseless(&self.key, problem)
    }
}

/// A detached signature for a file of its own: `.asc`.
///
/// # Errors
/// When the bytes are no signature packet.
pub fn armored(key: &KeyRef, packet: &[u8]) -> Result<String> {
    let signature = DetachedSignature::from_bytes(packet).map_err(broken(key))?;
    signature.to_armored_string(ArmorOptions::default()).map_err(broken(key))
}

/// Takes the digest, and signs nothing.
#[derive(Debug)]
struct Catch<'a> {
    public: &'a packet::PublicKey,
    digest: RefCell<Vec<u8>>,
}

impl SigningKey for Catch<'_> {
    fn sign(&self, _: &Password, _: HashAlgorithm, digest: &[u8]) -> pgp::errors::Result<SignatureBytes> {
        digest.clone_into(&mut self.digest.borrow_mut());
        Ok(SignatureBytes::Mpis(Vec::new()))
    }

    fn hash_alg(&self) -> HashAlgorithm {
        HashAlgorithm::Sha256
    }
}

impl KeyDetails for Catch<'_> {
    fn version(&self) -> KeyVersion {
        self.public.version()
    }

    fn legacy_key_id(&self) -> KeyId {
        self.public.legacy_key_id()
    }

    fn fingerprint(&self) -> Fingerprint {
        self.public.fingerprint()
    }

    fn algorithm(&self) -> PublicKeyAlgorithm {
        self.public.algorithm()
    }

    fn created_at(&self) -> Timestamp {
        self.public.created_at()
    }

    fn legacy_v3_expiration_days(&self) -> Option<u16> {
        None
    }

    fn public_params(&self) -> &PublicParams {
        self.public.public_params()
    }
}

fn packet_of(key: &RsaPublicKey, created: i64) -> pgp::errors::Result<packet::PublicKey> {
    let params = PublicParams::RSA(RsaPublicParams::from(key.clone()));
    let inner = PubKeyInner::new(KeyVersion::V4, PublicKeyAlgorithm::RSA, timestamp(created), None, params)?;
    packet::PublicKey::from_inner(inner)
}

/// OpenPGP counts in 32 bits, to 2106.
fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_secs(u32::try_from(seconds.max(0)).unwrap_or(u32::MAX))
}

fn broken(key: &KeyRef) -> impl Fn(pgp::errors::Error) -> KeyError {
    let key = key.to_string();
    move |error| KeyError::senseless(&key, error)
}
