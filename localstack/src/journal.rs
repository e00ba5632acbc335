//! An append-only file of events: how the servers remember.
//!
//! One event is one line of JSON, written by one `write` before the request is answered, so `kill -9` loses nothing that
//! was answered. A last line without its newline is a write that the crash cut short; it was never answered, and
//! [`Journal::open`] cuts it off. Any other line that cannot be read is an error, never skipped: guessing would lose
//! data silently.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Below this many lines a journal is never rewritten.
const COMPACT_FROM: u64 = 20_000;

/// Holds a directory for one server: two processes that append to one journal would destroy it.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Makes `dir` if need be, and takes it; an error of kind `WouldBlock` if somebody has it.
    pub(crate) fn take(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let path = dir.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(io::Error::new(io::ErrorKind::WouldBlock, format!("{} is in use by another server", dir.display())))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// The journal of events of type `E`.
#[derive(Debug)]
pub(crate) struct Journal<E> {
    path: PathBuf,
    file: File,
    length: u64,
    lines: u64,
    events: PhantomData<fn(E)>,
}

impl<E: Serialize + DeserializeOwned> Journal<E> {
    /// Opens or makes the journal at `path`, and hands every event in it to `apply`, oldest first.
    pub(crate) fn open(path: &Path, mut apply: impl FnMut(E)) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        let (length, lines) = replay(&mut file, &mut apply)?;
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        Ok(Self { path: path.to_owned(), file, length, lines, events: PhantomData })
    }

    /// Appends `events`, all or none.
    pub(crate) fn append<'a>(&mut self, events: impl IntoIterator<Item = &'a E>) -> io::Result<()>
    where
        E: 'a,
    {
        let mut buffer = Vec::new();
        let mut lines = 0;
        for event in events {
            serde_json::to_writer(&mut buffer, event)?;
            buffer.push(b'\n');
            lines += 1;
        }
        if let Err(error) = self.file.write_all(&buffer) {
            // A full disk may have taken half a line, and the next event must not be glued to it.
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::Start(self.length))?;
            return Err(error);
        }
        self.length += buffer.len() as u64;
        self.lines += lines;
        Ok(())
    }

    /// Whether most of the journal is history, given how many events would say the same.
    pub(crate) fn is_mostly_history(&self, needed: usize) -> bool {
        self.lines > COMPACT_FROM && self.lines / 4 > needed as u64
    }

    /// Replaces the journal by `events`, atomically: a crash leaves the old one or the new one.
    pub(crate) fn rewrite(&mut self, events: impl IntoIterator<Item = E>) -> io::Result<()> {
        let fresh = self.path.with_extension("new");
        let mut out = BufWriter::new(File::create(&fresh)?);
        let mut lines = 0;
        for event in events {
            serde_json::to_writer(&mut out, &event)?;
            out.write_all(b"\n")?;
            lines += 1;
        }
        let mut file = out.into_inner()?;
        std::fs::rename(&fresh, &self.path)?;
        self.length = file.stream_position()?;
        self.file = file;
        self.lines = lines;
        Ok(())
    }
}

/// Reads whole lines; the length in bytes of what is whole, and the number of lines.
fn replay<E: DeserializeOwned>(file: &mut File, apply: &mut impl FnMut(E)) -> io::Result<(u64, u64)> {
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let (mut length, mut lines) = (0, 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok((length, lines));
        }
        let event = serde_json::from_slice(&line).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("line {} of the journal: {error}", lines + 1))
        })?;
        apply(event);
        length += read as u64;
        lines += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(path: &Path) -> io::Result<Vec<String>> {
        let mut seen = Vec::new();
        Journal::<String>::open(path, |event| seen.push(event))?;
        Ok(seen)
    }

    #[test]
    fn events_survive() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&path, |_: String| panic!("nothing yet")).unwrap();
        journal.append(&["a\nb".to_owned(), "c".to_owned()]).unwrap();
        drop(journal);
        let mut journal = Journal::open(&path, |_: String| ()).unwrap();
        journal.append(&["d".to_owned()]).unwrap();
        assert_eq!(read_all(&path).unwrap(), ["a\nb", "c", "d"]);
    }

    #[test]
    fn a_torn_last_line_is_cut_off_and_not_glued_to_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        std::fs::write(&path, "\"a\"\n\"to").unwrap();
        let mut journal = Journal::open(&path, |_: String| ()).unwrap();
        journal.append(&["b".to_owned()]).unwrap();
        assert_eq!(read_all(&path).unwrap(), ["a", "b"]);
    }

    #[test]
    fn a_bad_line_in_the_middle_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        std::fs::write(&path, "\"a\"\n???\n\"b\"\n").unwrap();
        let error = read_all(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("line 2"), "{error}");
    }

    #[test]
    fn rewriting_keeps_what_it_is_given_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&path, |_: String| ()).unwrap();
        journal.append(&["a".to_owned(), "b".to_owned()]).unwrap();
        journal.rewrite(["b".to_owned()]).unwrap();
        journal.append(&["c".to_owned()]).unwrap();
        assert_eq!(read_all(&path).unwrap(), ["b", "c"]);
    }

    #[test]
    fn a_directory_is_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let held = DirectoryLock::take(dir.path()).unwrap();
        let error = DirectoryLock::take(dir.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(held);
        DirectoryLock::take(dir.path()).unwrap();
    }
}
