//! An RPM's share of repository metadata, as it is stored: made once at import, read whenever a repo is made.

use serde::{Deserialize, Serialize};
use toji_repodata::fragment::{Fragments, PrimaryTemplate};

use crate::{Error, Result};

/// A quick level: fragments are small, and read often.
const LEVEL: i32 = 3;

#[derive(Serialize, Deserialize)]
struct Stored {
    primary: PrimaryTemplate,
    filelists: String,
    other: String,
}

/// What goes into the database.
///
/// # Errors
/// Ours only.
pub fn encode(fragments: Fragments) -> Result<Vec<u8>> {
    let stored = Stored { primary: fragments.primary, filelists: fragments.filelists, other: fragments.other };
    let json = serde_json::to_vec(&stored).map_err(Error::internal)?;
    zstd::bulk::compress(&json, LEVEL).map_err(Error::internal)
}

/// What comes out of it.
///
/// # Errors
/// When the row is damaged.
pub fn decode(stored: &[u8]) -> Result<Fragments> {
    let json = zstd::stream::decode_all(stored).map_err(Error::internal)?;
    let Stored { primary, filelists, other } = serde_json::from_slice(&json).map_err(Error::internal)?;
    Ok(Fragments { primary, filelists, other })
}
