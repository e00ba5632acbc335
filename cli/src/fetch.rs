//! Files from the top URL to this machine, taken up again where they broke off.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use toji_protocol::client::ClientError;

use crate::{session::Session, source_rpm::bar};

/// Times a file that breaks off is taken up again without a byte of progress.
const TRIES: usize = 5;

/// A file to fetch.
pub(crate) struct Wanted {
    /// Below the top URL.
    pub(crate) path: String,
    /// Where it goes.
    pub(crate) to: PathBuf,
    /// Bytes, where they are known.
    pub(crate) size: Option<u64>,
}

impl Wanted {
    /// A file into the current folder under its own name.
    pub(crate) fn here(path: String, size: Option<u64>) -> anyhow::Result<Self> {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Self { to: PathBuf::from(safe(&name)?), path, size })
    }
}

/// A name from outside that stays in its folder.
pub(crate) fn safe(name: &str) -> anyhow::Result<&str> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
        bail!("the hub named a file '{name}', which is no plain file name");
    }
    Ok(name)
}

/// Fetches files one after another. A file that is there with the right size is left as it is.
pub(crate) async fn fetch(session: &Session, files: &[Wanted], progress: bool) -> anyhow::Result<()> {
    for wanted in files {
        let have = fs::metadata(&wanted.to).map(|file| file.len()).ok();
        if have.is_some() && have == wanted.size {
            session.tell(&format!("{} is there already", wanted.to.display()))?;
            continue;
        }
        session.tell(&format!("Downloading: {}", wanted.to.display()))?;
        fetch_one(session, wanted, progress).await.with_context(|| format!("cannot fetch {}", wanted.path))?;
    }
    Ok(())
}

async fn fetch_one(session: &Session, wanted: &Wanted, progress: bool) -> anyhow::Result<()> {
    let url = format!("{}/{}", session.topurl, escape(&wanted.path));
    let part = part_file(&wanted.to);
    if let Some(folder) = wanted.to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let bar = bar(wanted.size.unwrap_or(0), &wanted.to.display().to_string(), progress && !session.quiet);
    let mut tries = 0;
    let size = loop {
        let before = length(&part);
        match more(session, &url, &part, wanted.size, &bar).await {
            Ok(size) => break size,
            // What has arrived stays; the rest is asked for anew.
            Err(error) if is_broken(&error) && tries < TRIES => {
                tries = if length(&part) > before { 0 } else { tries + 1 };
            }
            Err(error) => return Err(error),
        }
    };
    bar.finish_and_clear();
    let have = length(&part);
    if let Some(size) = wanted.size.or(size).filter(|size| *size != have) {
        fs::remove_file(&part)?;
        bail!("it has {have} bytes where {size} were expected; try again");
    }
    fs::rename(&part, &wanted.to).with_context(|| format!("cannot write {}", wanted.to.display()))
}

/// Appends what is missing. Answers the whole size, where the server tells it.
async fn more(
    session: &Session,
    url: &str,
    part: &Path,
    size: Option<u64>,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<Option<u64>> {
    let have = length(part);
    if have > 0 && size == Some(have) {
        return Ok(size);
    }
    let Some(mut download) = session.client.download(url, have).await? else {
        return Ok(None);
    };
    let writable = || format!("cannot write {}", part.display());
    let mut file = OpenOptions::new().create(true).append(true).open(part).with_context(writable)?;
    file.set_len(download.offset).with_context(writable)?;
    if let Some(size) = download.size {
        bar.set_length(size);
    }
    bar.set_position(download.offset);
    while let Some(chunk) = download.chunk().await? {
        file.write_all(&chunk).with_context(writable)?;
        bar.inc(chunk.len() as u64);
    }
    Ok(download.size)
}

fn is_broken(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(ClientError::Transport { .. }))
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

fn part_file(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// Percent-encodes what a URL's path cannot hold; `+` too, which S3 would read as a blank.
pub(crate) fn escape(path: &str) -> String {
    path.bytes().fold(String::new(), |mut escaped, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte))
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_stay_here() {
        assert_eq!(Wanted::here("packages/a/x.rpm".to_owned(), None).unwrap().to, PathBuf::from("x.rpm"));
        for bad in ["", "..", ".bashrc", "a/b", "a\0"] {
            assert!(safe(bad).is_err(), "{bad:?}");
        }
        assert_eq!(escape("packages/libstdc++/1~2/a b.rpm"), "packages/libstdc%2B%2B/1~2/a%20b.rpm");
    }
}
