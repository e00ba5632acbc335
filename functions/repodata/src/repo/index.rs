//! Which frames a repo's files are made of, kept beside it: the next repo of the tag takes over those that it has, too.

use std::{collections::HashMap, ops::Range};

use serde::{Deserialize, Serialize};

use super::{RepoFile, Settings};

/// One chunk's frame in each of the three files: primary, filelists, other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexedChunk {
    /// What is in it: see [`crate::chunk::ChunkHasher`].
    pub id: String,
    /// How many packages.
    pub packages: u64,
    /// Bytes of each frame.
    pub sizes: [u64; 3],
    /// Bytes of each before compression.
    pub open_sizes: [u64; 3],
}

/// The chunks of a repo, in the order in which their frames lie in its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameIndex {
    /// The files: primary, filelists, other.
    pub files: [RepoFile; 3],
    /// Where the first chunk's frame begins in each file.
    pub begins: [u64; 3],
    /// The chunks.
    pub chunks: Vec<IndexedChunk>,
}

/// How the next of a repo's chunks come to their frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// They are taken over, in a row: the chunks of the repo before.
    Copy(Range<usize>),
    /// The new repo's chunk of that number is made.
    Make(usize),
}

impl FrameIndex {
    /// How a repo with these chunks is put together of this one's frames. Frames of another compression are of no use.
    pub fn steps(&self, ids: &[&str], settings: Settings) -> Vec<Step> {
        let chunks = if self.has_compression(settings) { self.chunks.as_slice() } else { &[] };
        let known: HashMap<&str, usize> =
            chunks.iter().enumerate().map(|(number, chunk)| (chunk.id.as_str(), number)).collect();
        let mut steps: Vec<Step> = Vec::new();
        for (number, id) in ids.iter().enumerate() {
            match (known.get(id), steps.last_mut()) {
                (Some(&old), Some(Step::Copy(run))) if run.end == old => run.end = old + 1,
                (Some(&old), _) => steps.push(Step::Copy(old..old + 1)),
                (None, _) => steps.push(Step::Make(number)),
            }
        }
        steps
    }

    /// Whether these steps take over all there is, in order: the files are the same.
    pub fn is_whole(&self, steps: &[Step], settings: Settings) -> bool {
        let has_sums = self.files.iter().all(|file| file.open_checksum.is_some() == settings.open_checksum);
        let is_all = match steps {
            [] => self.chunks.is_empty(),
            [Step::Copy(run)] => *run == (0..self.chunks.len()),
            _ => false,
        };
        is_all && has_sums && self.has_compression(settings)
    }

    fn has_compression(&self, settings: Settings) -> bool {
        self.files.iter().all(|file| file.compression == settings.compression)
    }

    /// Divides a run of chunks into such of about `most` bytes, of the three files together.
    pub fn pieces(&self, run: Range<usize>, most: u64) -> Vec<Range<usize>> {
        let mut pieces: Vec<Range<usize>> = Vec::new();
        let mut room = 0;
        for chunk in run {
            let size: u64 = self.chunks[chunk].sizes.iter().sum();
            match pieces.last_mut() {
                Some(piece) if size <= room => {
                    piece.end = chunk + 1;
                    room -= size;
                }
                _ => {
                    pieces.push(chunk..chunk + 1);
                    room = most.saturating_sub(size);
                }
            }
        }
        pieces
    }

    /// Where the frames of these chunks lie in one of the files (0 primary, 1 filelists, 2 other).
    ///
    /// # Panics
    /// When there are no such chunks, or no such file.
    pub fn bytes(&self, chunks: Range<usize>, file: usize) -> Range<u64> {
        let size = |chunks: &[IndexedChunk]| chunks.iter().map(|chunk| chunk.sizes[file]).sum::<u64>();
        let begin = self.begins[file] + size(&self.chunks[..chunks.start]);
        begin..begin + size(&self.chunks[chunks])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::{Compression, DataKind};

    fn index(ids: &str) -> FrameIndex {
        let chunk = |(number, id): (usize, char)| IndexedChunk {
            id: id.to_string(),
            packages: 1,
            sizes: [10 + number as u64, 20, 30],
            open_sizes: [100, 200, 300],
        };
        let file = |kind| RepoFile {
            kind,
            compression: Compression::Zstd,
            checksum: "c".to_owned(),
            open_checksum: None,
            size: 1,
            open_size: 2,
        };
        FrameIndex {
            files: [DataKind::Primary, DataKind::Filelists, DataKind::Other].map(file),
            begins: [5, 6, 7],
            chunks: ids.chars().enumerate().map(chunk).collect(),
        }
    }

    fn steps(old: &str, new: &str, compression: Compression) -> String {
        let ids: Vec<String> = new.chars().map(String::from).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let shown = |step: &Step| match step {
            Step::Copy(run) => format!("{run:?}"),
            Step::Make(number) => format!("+{number}"),
        };
        index(old)
            .steps(&ids, Settings { compression, open_checksum: false })
            .iter()
            .map(shown)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn what_is_known_is_taken_over_in_runs() {
        for (old, new, wanted) in [
            ("abcde", "abcde", "0..5"),
            ("abcde", "abXde", "0..2 +2 3..5"),
            ("abcde", "abde", "0..2 3..5"),
            ("abcde", "abcXde", "0..3 +3 3..5"),
            ("abcde", "Xab", "+0 0..2"),
            ("abcde", "ba", "1..2 0..1"),
            ("", "ab", "+0 +1"),
            ("ab", "", ""),
        ] {
            assert_eq!(steps(old, new, Compression::Zstd), wanted, "{old} {new}");
        }
        assert_eq!(steps("ab", "ab", Compression::Gzip), "+0 +1");
    }

    #[test]
    fn the_same_again() {
        let settings = Settings { compression: Compression::Zstd, open_checksum: false };
        let is_same = |old: &str, new: &[&str], settings| {
            let index = index(old);
            index.is_whole(&index.steps(new, settings), settings)
        };
        assert!(is_same("abc", &["a", "b", "c"], settings) && is_same("", &[], settings));
        for other in [["a", "b"].as_slice(), &["b", "c"], &["a", "c", "b"], &["a", "b", "c", "d"], &[]] {
            assert!(!is_same("abc", other, settings), "{other:?}");
        }
        assert!(!is_same("abc", &["a", "b", "c"], Settings { open_checksum: true, ..settings }));
        assert!(!is_same("", &[], Settings { compression: Compression::Gzip, ..settings }));
    }

    #[test]
    fn long_runs_are_divided() {
        // chunks of 60, 61, 62, 63 and 64 bytes
        let index = index("abcde");
        assert_eq!(index.pieces(0..5, 130), [0..2, 2..4, 4..5]);
        assert_eq!(index.pieces(1..5, 10), [1..2, 2..3, 3..4, 4..5]);
        assert!(matches!(index.pieces(0..5, 1000).as_slice(), [all] if *all == (0..5)));
        assert!(index.pieces(3..3, 10).is_empty());
    }

    #[test]
    fn where_frames_lie() {
        let index = index("abc");
        assert_eq!((index.bytes(0..1, 0), index.bytes(1..3, 0)), (5..15, 15..38));
        assert_eq!((index.bytes(0..3, 1), index.bytes(2..3, 2)), (6..66, 67..97));
        let json = serde_json::to_string(&index).unwrap();
        assert_eq!(serde_json::from_str::<FrameIndex>(&json).unwrap(), index);
    }
}
