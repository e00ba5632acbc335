//! A repo's packages in chunks, such that a change of one build changes one chunk, whatever the repo's size.
//!
//! The chunks are the leaves of a trie over the hash of the **source** package's name: a leaf that grows too large splits in two, and no
//! other is touched. All packages of one source lie in one chunk. Which chunks there are follows from the packages alone.
//!
//! ```text
//!            all
//!        0 /     \ 1        the first bits of the hash of the source package's name
//!     [a c x]   10 / \ 11
//!            [b f]   [k m z]
//! ```

use std::ops::Range;

use sha2::{Digest, Sha256};

/// Where in the trie the packages of a source are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u64);

impl Slot {
    /// Of the source package's name.
    pub fn of(source_name: &str) -> Self {
        let digest = Sha256::digest(source_name.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Self(u64::from_be_bytes(first))
    }
}

/// Divides packages, which are sorted by their slots, into chunks of `most` packages or fewer; one of more only where a single source
/// has more. Empty chunks are left out.
///
/// # Panics
/// When `most` is 0.
pub fn divide(slots: &[Slot], most: usize) -> Vec<Range<usize>> {
    assert!(most > 0, "a chunk holds a package at least");
    debug_assert!(slots.is_sorted());
    let mut chunks = Vec::new();
    split(slots, 0..slots.len(), 0, most, &mut chunks);
    chunks
}

fn split(slots: &[Slot], range: Range<usize>, depth: u32, most: usize, chunks: &mut Vec<Range<usize>>) {
    if range.is_empty() {
        return;
    }
    if range.len() <= most || depth == u64::BITS {
        chunks.push(range);
        return;
    }
    let bit = 1 << (u64::BITS - 1 - depth);
    let middle = range.start + slots[range.clone()].partition_point(|slot| slot.0 & bit == 0);
    split(slots, range.start..middle, depth + 1, most, chunks);
    split(slots, middle..range.end, depth + 1, most, chunks);
}

/// Names what is in a chunk: two chunks of one id have the same frames.
#[derive(Debug, Clone)]
pub struct ChunkHasher(Sha256);

impl ChunkHasher {
    /// For chunks that are rendered in a way that `format` names: all that changes a chunk's bytes beside its members.
    pub fn new(format: &str) -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.part(format.as_bytes());
        hasher
    }

    /// Adds something that a member is told by, such as its checksum or its location.
    pub fn part(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    /// The id: 32 hex digits.
    pub fn finish(self) -> String {
        let digest = self.0.finalize();
        hex::encode(&digest[..16])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// The chunks of packages that are told by their source's number and their own.
    fn chunks(packages: &BTreeSet<(u16, u8)>, most: usize) -> BTreeSet<Vec<(u16, u8)>> {
        let mut sorted: Vec<_> =
            packages.iter().map(|package| (Slot::of(&format!("source-{}", package.0)), *package)).collect();
        sorted.sort();
        let slots: Vec<Slot> = sorted.iter().map(|(slot, _)| *slot).collect();
        let of = |range: Range<usize>| sorted[range].iter().map(|(_, package)| *package).collect();
        divide(&slots, most).into_iter().map(of).collect()
    }

    #[test]
    fn slots_stay_what_they_are() {
        // Frames that are stored are found by them.
        assert_eq!(Slot::of("bash"), Slot(0x37d2_b12d_5d9a_bc2a));
        assert!(divide(&[], 5).is_empty());
        assert_eq!(divide(&[Slot(1), Slot(1), Slot(1), Slot(2)], 2), [0..3, 3..4], "what has one hash is not divided");
        assert_eq!(divide(&[Slot(0), Slot(1), Slot(u64::MAX)], 1), [0..1, 1..2, 2..3]);
    }

    #[test]
    fn ids_tell_members_apart() {
        let id = |format: &str, parts: &[&str]| {
            let mut hasher = ChunkHasher::new(format);
            parts.iter().for_each(|part| hasher.part(part.as_bytes()));
            hasher.finish()
        };
        let ids =
            [id("1", &["ab", "c"]), id("1", &["a", "bc"]), id("1", &["abc"]), id("2", &["ab", "c"]), id("1", &[])];
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        assert_eq!((ids[0].len(), &ids[0]), (32, &id("1", &["ab", "c"])));
    }

    proptest! {
        #[test]
        fn every_package_is_in_one_chunk(packages: BTreeSet<(u16, u8)>, most in 1usize..40) {
            let chunks = chunks(&packages, most);
            prop_assert_eq!(chunks.iter().map(Vec::len).sum::<usize>(), packages.len());
            prop_assert_eq!(&chunks.iter().flatten().copied().collect::<BTreeSet<_>>(), &packages);
            for chunk in &chunks {
                let sources: BTreeSet<u16> = chunk.iter().map(|package| package.0).collect();
                prop_assert!(chunk.len() <= most || sources.len() == 1);
            }
        }

        #[test]
        fn a_package_more_touches_one_chunk(packages: BTreeSet<(u16, u8)>, more: (u16, u8), most in 1usize..40) {
            let before = chunks(&packages, most);
            let mut packages = packages;
            packages.insert(more);
            let after = chunks(&packages, most);
            let gone = before.difference(&after).count();
            let new: Vec<_> = after.difference(&before).collect();
            prop_assert!(gone <= 1 && new.len() <= 2, "{gone} chunks are gone, and these are new: {new:?}");
        }
    }
}
