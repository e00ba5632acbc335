//! Signing inside: a tag names a key, and what is tagged there is signed with it.
//!
//! - `key`: which key a tag names, and its public half
//! - `request`: what is to be signed; noted with the tagging, in its transaction
//! - `work`: the sign function's work, and the pass that tries again
//! - `repomd`: signatures of repos
//! - `log`: every signature that was made
//!
//! A signature of an RPM depends on nothing but the RPM and the key: made again, it is the same to the byte. So two who sign the same
//! at once, and one who signs again after a crash, write the same.

mod key;
mod log;
mod repomd;
mod request;
mod work;

pub(crate) use key::{Key, check_extra};
pub(crate) use log::{Signed, note};
pub(crate) use repomd::{beside, beside_latest, repomd};
pub(crate) use request::tagged;
use toji_protocol::method::sign::{GetSigningKey, ListSignatures, ListUnsigned, SignTaggedBuild};
pub use work::{build, due, run_once};

use crate::{Error, call::Table, error::FaultCode};

/// The tag's setting.
const SETTING: &str = "sign.key";

pub(crate) fn methods(table: &mut Table) {
    table.add::<GetSigningKey>().add::<SignTaggedBuild>().add::<ListUnsigned>().add::<ListSignatures>();
}

impl From<toji_keyring::KeyError> for Error {
    fn from(error: toji_keyring::KeyError) -> Self {
        match error {
            toji_keyring::KeyError::Away { .. } => Error::Remote(FaultCode::Generic, error.to_string()),
            toji_keyring::KeyError::Senseless { .. } => Error::invalid(error.to_string()),
        }
    }
}
