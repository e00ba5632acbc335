//! Secrets that messages are signed with.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};

use super::SettingsError;

/// A secret, as Standard Webhooks has them: `whsec_` and base64 of 24 to 64 bytes. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// What messages are signed with.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl FromStr for Secret {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let bytes = text.strip_prefix("whsec_").and_then(|encoded| BASE64_STANDARD.decode(encoded).ok());
        // the text itself is not told: errors end up in logs
        let bytes = bytes.filter(|bytes| (24..=64).contains(&bytes.len())).ok_or_else(|| {
            SettingsError(
                "a secret is `whsec_` and base64 of 24 to 64 random bytes: echo whsec_$(head -c32 /dev/urandom | base64)"
                    .to_owned(),
            )
        })?;
        Ok(Self(bytes))
    }
}
