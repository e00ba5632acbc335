//! Tags as rpm answers them for a file: the main header's, the signature header's under their merged numbers, and some that are
//! computed from others.

use super::{HeaderError, RpmHeader, TagValue, tag};

/// Tags of the signature header that rpm shows under another number: (there, shown).
const MOVED: [(u32, u32); 5] = [(1000, 257), (1002, 259), (1004, 261), (1005, 262), (1007, 1046)];
/// Signature tags from here on keep their number.
const FIRST_SIGNATURE_TAG: u32 = 256;
/// Regions and padding: how the header is stored, not what it says.
const UNSHOWN: [u32; 4] = [61, 62, 63, 1008];

const FILENAMES: u32 = 5000;
const LONG_FILE_SIZES: u32 = 5008;
const FILE_SIZES: u32 = 1028;
const EVR: u32 = 5013;
const NVR: u32 = 5014;
const NEVR: u32 = 5015;
const NEVRA: u32 = 5016;
const NVRA: u32 = 1196;
const EPOCHNUM: u32 = 5019;

impl RpmHeader {
    /// The value of any tag by rpm's number for it; `None` if the file has none.
    pub fn any_tag(&self, number: u32) -> Result<Option<TagValue>, HeaderError> {
        if let Some(value) = self.computed(number) {
            return Ok(Some(value));
        }
        if let Some(value) = self.index.value(number)? {
            return Ok(Some(value));
        }
        match (number, MOVED.iter().find(|(_, shown)| *shown == number)) {
            (_, Some((stored, _))) => self.signatures.value(*stored),
            (FIRST_SIGNATURE_TAG..1000, None) => self.signatures.value(number),
            (tag::LONG_SIZE, None) => self.index.value(tag::SIZE),
            (LONG_FILE_SIZES, None) => self.index.value(FILE_SIZES),
            _ => Ok(None),
        }
    }

    /// The numbers of all tags that the file has, in order.
    pub fn all_tags(&self) -> Vec<u32> {
        let shown = |stored: u32| MOVED.iter().find(|(there, _)| *there == stored).map_or(stored, |(_, shown)| *shown);
        let signatures = self.signatures.tags().filter(|tag| !UNSHOWN.contains(tag)).map(shown);
        let mut all: Vec<u32> = self.index.tags().filter(|tag| !UNSHOWN.contains(tag)).chain(signatures).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn computed(&self, number: u32) -> Option<TagValue> {
        let (name, version, release) = (&self.name, &self.version, &self.release);
        let epoch = self.epoch.map(|epoch| format!("{epoch}:")).unwrap_or_default();
        Some(match number {
            FILENAMES => TagValue::Texts(self.files.iter().map(|file| file.path.clone()).collect()),
            EVR => TagValue::Text(format!("{epoch}{version}-{release}")),
            NVR => TagValue::Text(format!("{name}-{version}-{release}")),
            NEVR => TagValue::Text(format!("{name}-{epoch}{version}-{release}")),
            NEVRA => TagValue::Text(format!("{name}-{epoch}{version}-{release}.{}", self.arch)),
            NVRA => TagValue::Text(format!("{name}-{version}-{release}.{}", self.arch)),
            EPOCHNUM => TagValue::Numbers(vec![self.epoch.unwrap_or(0).into()]),
            _ => return None,
        })
    }
}
