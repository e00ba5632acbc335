//! Where a client may upload to.

use crate::{Error, Result};

/// Room is left for what the hub puts around it: S3's keys have 1,024 bytes.
const LONGEST: usize = 900;

/// A folder and a file below `work/`, such as `cli-build/1795.abc/foo-1-1.src.rpm`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPath(String);

impl UploadPath {
    /// Checks a path: a folder and a file at the least, no segment that begins with a dot, and not among the tasks' files.
    ///
    /// # Errors
    /// With a sentence that says what is wrong.
    pub fn parse(path: &str) -> Result<Self> {
        let bad = |why: &str| Err(Error::invalid(format!("invalid upload path '{}': {why}", path.escape_debug())));
        if path.len() > LONGEST {
            return Err(Error::invalid(format!("an upload path has {LONGEST} bytes at the most, not {}", path.len())));
        }
        if path.chars().any(char::is_control) {
            return bad("it has control characters");
        }
        if !path.contains('/') {
            return bad("it must name a folder and a file, such as cli-build/1795.abc/foo-1-1.src.rpm");
        }
        if path.split('/').any(|segment| segment.is_empty() || segment.starts_with('.')) {
            return bad("no part of it may be empty or begin with a dot");
        }
        if path.starts_with("tasks/") {
            return bad("only the builder that holds a task writes its files");
        }
        Ok(Self(path.to_owned()))
    }

    /// Puts a folder and a file together; the file may not be a path itself.
    ///
    /// # Errors
    /// As [`UploadPath::parse`].
    pub fn join(folder: &str, file: &str) -> Result<Self> {
        if file.contains('/') {
            return Err(Error::invalid(format!("invalid file name '{}': it has a slash", file.escape_debug())));
        }
        Self::parse(&format!("{}/{file}", folder.trim_end_matches('/')))
    }

    /// The folder, which belongs to who first wrote there.
    pub(super) fn folder(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The whole path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for UploadPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let path = UploadPath::join("cli-build/1.x/", "a+b~1^2-1-1.src.rpm").unwrap();
        assert_eq!((path.folder(), path.as_str()), ("cli-build/1.x", "cli-build/1.x/a+b~1^2-1-1.src.rpm"));
        for bad in ["", "a", "/a", "a/", "a//b", "../a/b", "a/../b", "a/.user", ".pieces/a", "tasks/1/1/a", "a/b\n"] {
            assert!(UploadPath::parse(bad).is_err(), "{bad:?}");
        }
        assert!(UploadPath::parse(&format!("a/{}", "x".repeat(900))).is_err());
        assert!(UploadPath::join("a", "b/c").is_err());
        assert!(UploadPath::join("", "b").is_err());
    }
}
