//! The directory at the end of a zip file. Only that is read.

use chrono::{NaiveDate, NaiveDateTime};
use toji_protocol::method::archive::ArchivedFile;

use super::{Place, damaged};
use crate::{Hub, Result};

/// A comment may stand between the end record and the file's end.
const TAIL: u64 = 22 + 0xffff;
/// More than this is no directory that anybody wants to see.
const LARGEST: u64 = 64 << 20;

/// The files within a zip file.
pub(super) async fn list(hub: &Hub, place: &Place) -> Result<Option<Vec<ArchivedFile>>> {
    let start = place.size.saturating_sub(TAIL);
    if place.size == 0 {
        return Err(damaged(place, "it is empty"));
    }
    let tail = hub.store.get_range(&place.key, start..place.size).await?;
    let (at, size) = directory(&tail).ok_or_else(|| damaged(place, "it is no zip file, or too large for one"))?;
    if size > LARGEST || at.checked_add(size).is_none_or(|end| end > place.size) {
        return Err(damaged(place, "its directory is not where it should be"));
    }
    if size == 0 {
        return Ok(Some(Vec::new()));
    }
    let bytes = hub.store.get_range(&place.key, at..at + size).await?;
    let files = entries(&bytes, place).ok_or_else(|| damaged(place, "its directory is damaged"))?;
    Ok(Some(files))
}

fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + width)?;
    Some(bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

/// Where the directory is, and its size. Those of zip64, which have both elsewhere, are not read.
fn directory(tail: &[u8]) -> Option<(u64, u64)> {
    let end = tail.windows(4).rposition(|four| four == b"PK\x05\x06")?;
    let (size, at) = (number(tail, end + 12, 4)?, number(tail, end + 16, 4)?);
    (at != 0xffff_ffff && size != 0xffff_ffff).then_some((at, size))
}

fn entries(bytes: &[u8], place: &Place) -> Option<Vec<ArchivedFile>> {
    let mut files = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes.get(at..at + 4)? != b"PK\x01\x02" {
            return None;
        }
        let length = |place| number(bytes, at + place, 2).map(|length| length as usize);
        let (name, extra, comment) = (length(28)?, length(30)?, length(32)?);
        files.push(ArchivedFile {
            archive_id: place.archive,
            name: String::from_utf8_lossy(bytes.get(at + 46..at + 46 + name)?).into_owned(),
            size: number(bytes, at + 24, 4)? as i64,
            mtime: time(number(bytes, at + 12, 2)?, number(bytes, at + 14, 2)?).and_utc().timestamp(),
            mode: None,
            user: None,
            group: None,
        });
        at += 46 + name + extra + comment;
    }
    Some(files)
}

/// A time as DOS has it, in two-second steps and nobody knows which zone.
fn time(time: u64, date: u64) -> NaiveDateTime {
    let day = NaiveDate::from_ymd_opt(1980 + (date >> 9) as i32, (date >> 5 & 15) as u32, (date & 31) as u32);
    let moment =
        |day: NaiveDate| day.and_hms_opt((time >> 11) as u32, (time >> 5 & 63) as u32, ((time & 31) * 2) as u32);
    day.and_then(moment).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_entry() {
        let mut bytes = b"PK\x01\x02".to_vec();
        bytes.extend([0; 8]);
        // 2026-11-21 08:30:02
        bytes.extend(((8_u16 << 11) | (30 << 5) | 1).to_le_bytes());
        bytes.extend(((46_u16 << 9) | (11 << 5) | 21).to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend(5_u32.to_le_bytes());
        bytes.extend([3, 0, 0, 0, 0, 0]);
        bytes.extend([0; 12]);
        bytes.extend(b"a/b");
        let place = Place { archive: 1.into(), key: String::new(), size: 0 };
        let files = entries(&bytes, &place).unwrap();
        assert_eq!((files[0].name.as_str(), files[0].size, files[0].mtime), ("a/b", 5, 1_795_249_802));
        assert!(entries(&bytes[..40], &place).is_none());
        assert!(entries(b"PK\x03\x04", &place).is_none());
        let mut end = b"noise PK\x05\x06".to_vec();
        end.extend([0; 8]);
        end.extend(49_u32.to_le_bytes());
        end.extend(7_u32.to_le_bytes());
        end.extend([0; 2]);
        assert_eq!(directory(&end), Some((7, 49)));
        assert_eq!(directory(b"no zip file"), None);
    }
}
