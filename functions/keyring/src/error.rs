//! Why a key did not sign.

use thiserror::Error;

use crate::KeyRef;

/// Why a key did not sign. The text names the key and says what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// It may do later: KMS does not answer, or the key is disabled.
    #[error("the signing key {key} cannot be used now: {problem}")]
    Away {
        /// The key.
        key: String,
        /// What was said, with KMS's request id where it answered.
        problem: String,
    },
    /// It never will, unless somebody changes the setting.
    #[error("the signing key {key} cannot be used: {problem}")]
    Senseless {
        /// The key, or what was given as one.
        key: String,
        /// What is wrong.
        problem: String,
    },
}

/// The answer of what uses keys.
pub type Result<T> = std::result::Result<T, KeyError>;

impl KeyError {
    pub(crate) fn away(key: &KeyRef, problem: impl ToString) -> Self {
        Self::Away { key: key.to_string(), problem: problem.to_string() }
    }

    pub(crate) fn senseless(key: impl ToString, problem: impl ToString) -> Self {
        Self::Senseless { key: key.to_string(), problem: problem.to_string() }
    }
}
