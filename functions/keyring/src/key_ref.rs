//! How a key is named.

use std::{fmt, str::FromStr};

use crate::KeyError;

/// How a tag names its key (`sign.key`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRef {
    /// `kms:` and a key's id, alias or ARN.
    Kms(String),
    /// `file:` and a name in the deployment's folder; never a path.
    File(String),
}

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyRef::Kms(id) => write!(f, "kms:{id}"),
            KeyRef::File(name) => write!(f, "file:{name}"),
        }
    }
}

impl FromStr for KeyRef {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let is_word = |word: &str, others: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
            (1..=2048).contains(&word.len()) && word.chars().all(fits)
        };
        match text.split_once(':') {
            Some(("kms", id)) if is_word(id, "-_/:") => Ok(KeyRef::Kms(id.to_owned())),
            Some(("file", name)) if is_word(name, "-_.") && !name.starts_with('.') => Ok(KeyRef::File(name.to_owned())),
            _ => {
                let problem = "name a key of KMS by its id, alias or ARN (kms:alias/NAME), or a file of the deployment's folder (file:NAME)";
                Err(KeyError::senseless(format!("{text:?}"), problem))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named() {
        for text in [
            "kms:alias/releases",
            "kms:1234abcd-12ab-34cd-56ef-1234567890ab",
            "kms:arn:aws:kms:eu-west-1:111122223333:key/1234abcd",
            "file:devel.pem",
        ] {
            assert_eq!(text.parse::<KeyRef>().unwrap().to_string(), text);
        }
        for text in
            ["", "kms:", "alias/x", "file:../x", "file:/etc/key", "file:.hidden", "file:a/b", "kms:a b", "kms:a\nb"]
        {
            let error = text.parse::<KeyRef>().unwrap_err().to_string();
            assert!(error.contains("kms:alias/NAME"), "{text}: {error}");
        }
    }
}
