//! Signing keys, and OpenPGP signatures made with them.
//!
//! A key is AWS KMS's, which signs a digest and never shows its private half, or, in development, a file. Both are plain RSA keys;
//! what makes OpenPGP of them (`openpgp`) is the same for both.

mod error;
mod key_ref;
mod kms;
mod local;
mod openpgp;

pub use error::{KeyError, Result};
pub use key_ref::KeyRef;
pub use kms::KmsAccess;
pub use openpgp::{PublicKey, Signer, armored};

use std::path::PathBuf;

use rsa::RsaPublicKey;

/// The keys that a deployment can reach. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    kms: Option<aws_sdk_kms::Client>,
    folder: Option<PathBuf>,
}

/// A key as it is kept: its public half, and when it was made, in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) public: RsaPublicKey,
    pub(crate) created: i64,
}

impl Keyring {
    /// The same, with KMS's keys.
    pub async fn with_kms(self, access: KmsAccess) -> Self {
        Self { kms: Some(access.client().await), ..self }
    }

    /// The same, with the keys in a folder: for development only, since whoever reads the folder has the keys.
    pub fn with_folder(self, folder: PathBuf) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// Whether keys of this kind can be reached at all.
    ///
    /// # Errors
    /// What to do about it.
    pub fn check(&self, key: &KeyRef) -> Result<()> {
        match key {
            KeyRef::Kms(_) => self.kms(key).map(|_| ()),
            KeyRef::File(_) => self.folder(key).map(|_| ()),
        }
    }

    /// A key's public half.
    pub(crate) async fn kept(&self, key: &KeyRef) -> Result<Kept> {
        match key {
            KeyRef::Kms(id) => kms::public(self.kms(key)?, key, id).await,
            KeyRef::File(name) => local::public(self.folder(key)?, key, name),
        }
    }

    /// A raw signature (PKCS #1 v1.5) of a SHA-256 digest.
    pub(crate) async fn sign(&self, key: &KeyRef, digest: &[u8]) -> Result<Vec<u8>> {
        match key {
            KeyRef::Kms(id) => kms::sign(self.kms(key)?, key, id, digest).await,
            KeyRef::File(name) => local::sign(self.folder(key)?, key, name, digest),
        }
    }

    fn kms(&self, key: &KeyRef) -> Result<&aws_sdk_kms::Client> {
        let missing =
            || KeyError::senseless(key, "this deployment reaches no KMS; toji-local is told of one by --kms-endpoint");
        self.kms.as_ref().ok_or_else(missing)
    }

    fn folder(&self, key: &KeyRef) -> Result<&PathBuf> {
        let missing =
            || KeyError::senseless(key, "this deployment takes no key files; name a key of KMS: kms:alias/NAME");
        self.folder.as_ref().ok_or_else(missing)
    }
}
