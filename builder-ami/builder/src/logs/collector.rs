//! Finds a task's logs and reads what is new in them.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

use toji_protocol::log_part::{self, Piece};

use super::timestamps::Timestamps;
use crate::upload::NamedFile;

/// The most of one log in a part, and of all.
const MOST_OF_ONE: u64 = 512 * 1024;
const MOST_OF_ALL: u64 = 4 * 1024 * 1024;

/// A folder with logs in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The folder. It need not be there yet.
    pub dir: PathBuf,
    /// What names of logs begin with; they end in `.log`.
    pub prefix: &'static str,
}

/// What has been read of one log.
#[derive(Debug)]
struct Stream {
    name: String,
    inode: u64,
    position: u64,
}

/// Reads what is new in the logs of some folders.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    sources: Vec<Source>,
    streams: HashMap<PathBuf, Stream>,
    names: HashSet<String>,
    timestamps: Option<Timestamps>,
    /// Nobody writes any more: a character that is torn will not become whole.
    is_final: bool,
}

/// What is new, ready to be sent.
#[derive(Debug)]
pub(crate) struct News {
    /// A log part.
    pub part: Vec<u8>,
    /// There is more than fits one part.
    pub more: bool,
}

impl Collector {
    /// Watches these folders; with a folder for it, notes there when bytes came.
    pub(crate) fn new(mut sources: Vec<Source>, timestamps: Option<PathBuf>) -> Self {
        // last, so that what is noted of a log is sent with it, or soon after
        sources.extend(timestamps.iter().map(|dir| Source { dir: dir.clone(), prefix: "" }));
        Self { sources, timestamps: timestamps.map(Timestamps::new), ..Self::default() }
    }

    /// The names of all logs, and how much of each was read.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (&str, u64)> {
        self.streams.values().map(|stream| (stream.name.as_str(), stream.position))
    }

    /// All logs that are there.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub(crate) fn files(&mut self) -> io::Result<Vec<NamedFile>> {
        let mut files = Vec::new();
        for path in self.paths()? {
            let Ok(meta) = std::fs::symlink_metadata(&path) else { continue };
            // A build could put a link to a secret of the host where a log is expected.
            if !meta.is_file() {
                continue;
            }
            let name = self.stream(&path, meta.ino()).name.clone();
            files.push(NamedFile { path, name });
        }
        Ok(files)
    }

    /// What is new since the last time; None = nothing.
    ///
    /// # Errors
    /// When a log cannot be read. What was not answered is answered next time.
    pub(crate) fn news(&mut self) -> io::Result<Option<News>> {
        let mut read: Vec<(PathBuf, u64, Vec<u8>)> = Vec::new();
        let (mut total, mut more) = (0, false);
        for NamedFile { path, .. } in self.files()? {
            // It may have been deleted just now.
            let Ok(file) = open_no_follow(&path) else { continue };
            let meta = file.metadata()?;
            let is_final = self.is_final;
            let stream = self.stream(&path, meta.ino());
            if stream.inode != meta.ino() || meta.len() < stream.position {
                // Replaced or cut: it starts again.
                (stream.inode, stream.position) = (meta.ino(), 0);
            }
            let fresh = meta.len() - stream.position;
            let length = fresh.min(MOST_OF_ONE).min(MOST_OF_ALL - total);
            more |= length < fresh;
            if length == 0 {
                continue;
            }
            let mut bytes = vec![0; length as usize];
            let count = read_at(&file, &mut bytes, stream.position)?;
            bytes.truncate(if is_final { count } else { whole_characters(&bytes[..count]) });
            total += bytes.len() as u64;
            if !bytes.is_empty() {
                read.push((path, stream.position, bytes));
            }
        }
        if read.is_empty() {
            return Ok(None);
        }
        let pieces: Vec<Piece<'_>> = read
            .iter()
            .filter_map(|(path, offset, bytes)| {
                Some(Piece { name: &self.streams.get(path)?.name, offset: *offset, bytes })
            })
            .collect();
        let part = log_part::encode(&pieces);
        for (path, offset, bytes) in &read {
            if let Some(stream) = self.streams.get_mut(path) {
                stream.position = offset + bytes.len() as u64;
                if let Some(timestamps) = &mut self.timestamps {
                    timestamps.note(path, &stream.name, stream.position, self.is_final);
                }
            }
        }
        Ok(Some(News { part, more }))
    }

    /// What is read from now on is the rest: what it ends in is taken as it is.
    pub(crate) fn take_torn_characters(&mut self) {
        self.is_final = true;
    }

    fn paths(&self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for source in &self.sources {
            let entries = match std::fs::read_dir(&source.dir) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let mut found = Vec::new();
            for entry in entries {
                let entry = entry?;
                let name = entry.file_name();
                let is_log = name.to_str().is_some_and(|name| {
                    name.ends_with(".log") && name.starts_with(source.prefix) && !name.starts_with('.')
                });
                if is_log {
                    found.push(entry.path());
                }
            }
            // The order decides who keeps a name that two logs have.
            found.sort();
            paths.append(&mut found);
        }
        Ok(paths)
    }

    fn stream(&mut self, path: &Path, inode: u64) -> &mut Stream {
        let names = &mut self.names;
        self.streams.entry(path.to_owned()).or_insert_with(|| {
            let base = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Stream { name: unused(names, &base), inode, position: 0 }
        })
    }
}

/// The name, with `.DUPnn` in it when it is taken.
fn unused(names: &mut HashSet<String>, base: &str) -> String {
    let mut name = base.to_owned();
    let mut number = 0;
    while !names.insert(name.clone()) {
        number += 1;
        name = format!("{}.DUP{number:02}.log", base.trim_end_matches(".log"));
    }
    name
}

/// The length without the beginning of a character of UTF-8 whose rest is not written yet.
fn whole_characters(bytes: &[u8]) -> usize {
    let torn = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    match std::str::from_utf8(torn) {
        Err(error) if error.error_len().is_none() => bytes.len() - torn.len(),
        _ => bytes.len(),
    }
}

pub(super) fn open_no_follow(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?
        .into())
}

/// As much as there is, up to the buffer's length.
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match file.read_at(&mut buffer[count..], offset + count as u64)? {
            0 => break,
            read => count += read,
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    type Told = Vec<(String, u64, String)>;

    fn told(collector: &mut Collector) -> Told {
        let Some(news) = collector.news().unwrap() else { return Vec::new() };
        let part = log_part::decode(&news.part).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        part.pieces.iter().map(|(head, bytes)| (head.name.clone(), head.offset, text(bytes))).collect()
    }

    fn piece(name: &str, offset: u64, text: &str) -> (String, u64, String) {
        (name.to_owned(), offset, text.to_owned())
    }

    fn append(path: &Path, text: &str) {
        use std::io::Write;
        File::options().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn only_what_is_new() {
        let dir = tempfile::tempdir().unwrap();
        let mut collector = Collector::new(vec![Source { dir: dir.path().join("later"), prefix: "" }], None);
        assert_eq!(told(&mut collector), []);
        fs::create_dir(dir.path().join("later")).unwrap();
        let (log, rpm) = (dir.path().join("later/build.log"), dir.path().join("later/a.rpm"));
        append(&log, "one\n");
        append(&rpm, "no log");
        assert_eq!(told(&mut collector), [piece("build.log", 0, "one\n")]);
        assert_eq!(told(&mut collector), []);
        append(&log, "two\n");
        assert_eq!(told(&mut collector), [piece("build.log", 4, "two\n")]);
    }

    #[test]
    fn cut_and_replaced_logs_start_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut collector = Collector::new(vec![Source { dir: dir.path().to_owned(), prefix: "" }], None);
        let log = dir.path().join("root.log");
        append(&log, "a long first version\n");
        told(&mut collector);
        fs::write(&log, "cut\n").unwrap();
        assert_eq!(told(&mut collector), [piece("root.log", 0, "cut\n")]);
        // The new file is longer than the old one, and yet another.
        append(&dir.path().join("new"), "replaced by another\n");
        fs::rename(dir.path().join("new"), &log).unwrap();
        assert_eq!(told(&mut collector), [piece("root.log", 0, "replaced by another\n")]);
    }

    #[test]
    fn two_logs_of_one_name() {
        let dir = tempfile::tempdir().unwrap();
        let sources = ["a", "b", "c"].map(|sub| Source { dir: dir.path().join(sub), prefix: "dnf" });
        for source in &sources {
            fs::create_dir(&source.dir).unwrap();
            append(&source.dir.join("dnf.log"), "x");
            append(&source.dir.join("other.log"), "not asked for");
        }
        let mut collector = Collector::new(sources.to_vec(), None);
        let names = ["dnf.log", "dnf.DUP01.log", "dnf.DUP02.log"];
        assert_eq!(told(&mut collector), names.map(|name| piece(name, 0, "x")));
        let files: Vec<_> = collector.files().unwrap().into_iter().map(|file| file.name).collect();
        assert_eq!(files, names);
    }

    #[test]
    fn characters_are_not_torn() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("build.log");
        let mut collector = Collector::new(vec![Source { dir: dir.path().to_owned(), prefix: "" }], None);
        let text = "sake 酒".as_bytes();
        fs::write(&log, &text[..6]).unwrap();
        assert_eq!(told(&mut collector), [piece("build.log", 0, "sake ")]);
        fs::write(&log, text).unwrap();
        assert_eq!(told(&mut collector), [piece("build.log", 5, "酒")]);
        // bytes that are none are not waited for
        fs::write(&log, [text, b"\xff"].concat()).unwrap();
        assert!(collector.news().unwrap().is_some());
        // nor is one that stays torn
        fs::write(&log, [text, b"\xff", &text[5..7]].concat()).unwrap();
        assert!(collector.news().unwrap().is_none());
        collector.take_torn_characters();
        assert!(collector.news().unwrap().is_some());
    }

    #[test]
    fn when_bytes_came_is_a_log_too() {
        let dir = tempfile::tempdir().unwrap();
        let (logs, notes) = (dir.path().join("logs"), dir.path().join("timestamps"));
        fs::create_dir(&logs).unwrap();
        let mut collector = Collector::new(vec![Source { dir: logs.clone(), prefix: "" }], Some(notes.clone()));
        append(&logs.join("build.log"), "one\n");
        assert_eq!(told(&mut collector), [piece("build.log", 0, "one\n")]);
        let noted = told(&mut collector);
        assert_eq!(noted.len(), 1);
        assert_eq!((noted[0].0.as_str(), noted[0].1), ("build.log-ts.log", 0));
        // more in the same second is noted with what comes in the next one, or at the end
        append(&logs.join("build.log"), "two\n");
        collector.take_torn_characters();
        while collector.news().unwrap().is_some() {}
        let lines = fs::read_to_string(notes.join("build.log-ts.log")).unwrap();
        let offsets: Vec<&str> = lines.lines().map(|line| line.split_once(' ').unwrap().1).collect();
        assert!(offsets.starts_with(&["0", "4"]) && offsets.ends_with(&["8"]), "{lines}");
        let epochs: Vec<u64> = lines.lines().map(|line| line.split_once(' ').unwrap().0.parse().unwrap()).collect();
        assert!(epochs.is_sorted() && epochs[0] > 1_700_000_000, "{lines}");
        let mut sizes: Vec<_> = collector.sizes().collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [("build.log", 8), ("build.log-ts.log", lines.len() as u64)], "none of their own");
    }

    #[test]
    fn links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        append(&dir.path().join("secret"), "s");
        std::os::unix::fs::symlink(dir.path().join("secret"), dir.path().join("build.log")).unwrap();
        let mut collector = Collector::new(vec![Source { dir: dir.path().to_owned(), prefix: "" }], None);
        assert_eq!(told(&mut collector), []);
        assert_eq!(collector.files().unwrap(), []);
    }

    #[test]
    fn much_at_once_comes_in_several_parts() {
        let dir = tempfile::tempdir().unwrap();
        let text = "x".repeat(MOST_OF_ONE as usize + 5);
        append(&dir.path().join("build.log"), &text);
        let mut collector = Collector::new(vec![Source { dir: dir.path().to_owned(), prefix: "" }], None);
        assert!(collector.news().unwrap().unwrap().more);
        assert_eq!(told(&mut collector), [piece("build.log", MOST_OF_ONE, "xxxxx")]);
    }
}
