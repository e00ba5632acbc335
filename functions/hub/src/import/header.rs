//! An RPM's header by range reads: never the whole file.

use toji_repodata::header::{FIRST_READ, Parsed, RpmHeader, parse};

use super::refuse;
use crate::{Hub, Result};

/// Reads the header of the RPM of `size` bytes at `key`.
///
/// # Errors
/// When it is no RPM.
pub async fn read(hub: &Hub, key: &str, size: i64) -> Result<RpmHeader> {
    let size = size.max(0) as u64;
    let name = key.rsplit('/').next().unwrap_or(key);
    if size == 0 {
        return Err(refuse(format!("{name} is empty, and no RPM")));
    }
    let mut bytes = hub.store.get_range(key, 0..FIRST_READ.min(size)).await?.to_vec();
    loop {
        match parse(&bytes).map_err(|error| refuse(format!("{name} is no RPM: {error}")))? {
            Parsed::Header(header) => return Ok(*header),
            Parsed::NeedBytes(more) if more <= size && more > bytes.len() as u64 => {
                bytes.extend(hub.store.get_range(key, bytes.len() as u64..more).await?);
            }
            Parsed::NeedBytes(more) => {
                return Err(refuse(format!("{name} is cut off: its header needs {more} bytes, the file has {size}")));
            }
        }
    }
}
