//! The files of a package.

use super::{HeaderError, index::Index, tag};

/// What kind of file it is in repository metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Anything that is neither of the others; links too.
    File,
    /// A directory, a ghost one too.
    Dir,
    /// Owned, but not in the payload (`%ghost`).
    Ghost,
}

/// One file, in the header's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Absolute path; in a source package a bare file name.
    pub path: String,
    /// Its kind.
    pub kind: FileKind,
}

const MODE_TYPE: u64 = 0o170_000;
const MODE_DIR: u64 = 0o040_000;
const FLAG_GHOST: u64 = 1 << 6;

pub(super) fn read(index: &Index) -> Result<Vec<File>, HeaderError> {
    let paths = read_paths(index)?;
    let (modes, flags) = (index.numbers(tag::FILE_MODES)?, index.numbers(tag::FILE_FLAGS)?);
    if modes.len() != paths.len() || (!flags.is_empty() && flags.len() != paths.len()) {
        return Err(HeaderError::Malformed("the arrays of the file list differ in length"));
    }
    let kind = |position: usize| match (modes[position], flags.get(position)) {
        (mode, _) if mode & MODE_TYPE == MODE_DIR => FileKind::Dir,
        (_, Some(flags)) if flags & FLAG_GHOST != 0 => FileKind::Ghost,
        _ => FileKind::File,
    };
    Ok(paths.into_iter().enumerate().map(|(position, path)| File { path, kind: kind(position) }).collect())
}

/// Paths are stored as base names with an index into a list of directories; by rpm before 4.0 whole.
fn read_paths(index: &Index) -> Result<Vec<String>, HeaderError> {
    if !index.has(tag::BASENAMES) {
        return index.texts(tag::OLD_FILENAMES);
    }
    let (names, dirs) = (index.texts(tag::BASENAMES)?, index.texts(tag::DIR_NAMES)?);
    let dir_indexes = index.numbers(tag::DIR_INDEXES)?;
    if names.len() != dir_indexes.len() {
        return Err(HeaderError::Malformed("the arrays of the file list differ in length"));
    }
    let path = |(name, dir): (String, u64)| {
        let dir =
            dirs.get(dir as usize).ok_or(HeaderError::Malformed("a file names a directory that is not listed"))?;
        Ok(format!("{dir}{name}"))
    };
    names.into_iter().zip(dir_indexes).map(path).collect()
}
