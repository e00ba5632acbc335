//! `NAME-ts.log`, as Koji has it: when which bytes of a log were there, a line `epoch offset` for each second with new ones.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// Notes when bytes of logs came, in a folder of its own.
#[derive(Debug)]
pub(super) struct Timestamps {
    dir: PathBuf,
    /// For each log the second of its last line.
    noted: HashMap<String, u64>,
}

impl Timestamps {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, noted: HashMap::new() }
    }

    /// Notes how far a log is. Within a second only once, unless it is the end.
    pub(super) fn note(&mut self, path: &Path, name: &str, offset: u64, is_final: bool) {
        if path.starts_with(&self.dir) {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let last = self.noted.get(name).copied();
        if !is_final && last.is_some_and(|last| last >= now) {
            return;
        }
        match self.write(name, now, offset, last.is_none()) {
            Ok(()) => drop(self.noted.insert(name.to_owned(), now)),
            // the log itself goes on
            Err(error) => tracing::warn!(log = name, %error, "cannot note when bytes came"),
        }
    }

    fn write(&self, name: &str, now: u64, offset: u64, is_first: bool) -> io::Result<()> {
        std::fs::create_dir_all(&self.dir)?;
        let mut notes = File::options().create(true).append(true).open(self.dir.join(format!("{name}-ts.log")))?;
        let begin = if is_first { format!("{now} 0\n") } else { String::new() };
        notes.write_all(format!("{begin}{now} {offset}\n").as_bytes())
    }
}
