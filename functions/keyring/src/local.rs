//! Keys in files, for development: RSA keys in PEM (PKCS #8), as `openssl genpkey -algorithm RSA` makes them.

use std::{fs, path::Path};

use rsa::{Pkcs1v15Sign, RsaPrivateKey, pkcs8::DecodePrivateKey, rand_core::OsRng, sha2::Sha256};

use crate::{Kept, KeyError, KeyRef, Result};

/// A file does not say when its key was made, and the fingerprint depends on it: the first second of 2026.
const CREATED: i64 = 1_767_225_600;

fn read(folder: &Path, key: &KeyRef, name: &str) -> Result<RsaPrivateKey> {
    let file = folder.join(name);
    let text = fs::read_to_string(&file)
        .map_err(|error| KeyError::away(key, format!("{} cannot be read: {error}", file.display())))?;
    RsaPrivateKey::from_pkcs8_pem(&text).map_err(|error| {
        let how = "make one by: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072";
        KeyError::senseless(key, format!("{} holds no RSA key in PEM (PKCS #8): {error}; {how}", file.display()))
    })
}

pub(crate) fn public(folder: &Path, key: &KeyRef, name: &str) -> Result<Kept> {
    Ok(Kept { public: read(folder, key, name)?.to_public_key(), created: CREATED })
}

pub(crate) fn sign(folder: &Path, key: &KeyRef, name: &str, digest: &[u8]) -> Result<Vec<u8>> {
    let signed = read(folder, key, name)?.sign_with_rng(&mut OsRng, Pkcs1v15Sign::new::<Sha256>(), digest);
    signed.map_err(|error| KeyError::senseless(key, error))
}
