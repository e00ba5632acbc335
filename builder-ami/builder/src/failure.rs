//! Why a task failed, and what the hub is told of it.

use std::{io, path::Path};

use thiserror::Error;
use toji_protocol::{
    client::ClientError, id::TaskId, mock_config::BadSetting, task::RequestError, xmlrpc::encode_fault,
};

/// Koji's fault codes.
pub(crate) const GENERIC: i32 = 1000;
const NOT_ALLOWED: i32 = 1004;
const BUILD: i32 = 1005;

/// Of a log's end, so many telling lines are shown.
const LINES: usize = 10;
const LONGEST_LINE: usize = 300;
/// So much of a log's end is looked at.
const TAIL: u64 = 64 * 1024;

/// Why a task failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TaskError {
    /// The build is at fault: its sources, its spec, its requirements.
    #[error("{0}")]
    Build(String),
    /// Somebody's rules do not allow it.
    #[error("{0}")]
    Denied(String),
    /// There was no memory left.
    #[error("{0}")]
    OutOfMemory(String),
    /// It took longer than it may.
    #[error("{0}")]
    TimedOut(String),
    /// It took more than it may: processes, or room for logs.
    #[error("{0}")]
    Exceeded(String),
    /// The disk was full.
    #[error("{0}")]
    NoSpace(String),
    /// The task cannot be done as it was asked for.
    #[error("{0}")]
    Invalid(String),
    /// Something of the builder's own.
    #[error("{what}: {error}")]
    Machine {
        /// What was being done.
        what: String,
        /// What went wrong.
        error: io::Error,
    },
    /// A setting of the build tag.
    #[error(transparent)]
    Setting(#[from] BadSetting),
    /// The task's arguments are not those of its method.
    #[error("the task's arguments: {0}")]
    Request(#[from] RequestError),
    /// A subtask ended badly.
    #[error("{message}")]
    Subtask {
        /// Which.
        task: TaskId,
        /// Its fault's code.
        code: i32,
        /// Its fault's message.
        message: String,
    },
    /// A plugin says so.
    #[error("{message}")]
    Plugin {
        /// The fault's code.
        code: i32,
        /// Its message.
        message: String,
    },
    /// The hub refused, or was away for too long.
    #[error(transparent)]
    Hub(#[from] ClientError),
}

impl TaskError {
    /// Whether the hub has given the task to somebody else, or ended it.
    pub(crate) fn is_stale(&self) -> bool {
        matches!(self, TaskError::Hub(error) if error.is_conflict())
    }

    /// The fault, as the hub keeps it.
    pub(crate) fn response(&self) -> String {
        let code = match self {
            TaskError::Build(_)
            | TaskError::OutOfMemory(_)
            | TaskError::TimedOut(_)
            | TaskError::Exceeded(_)
            | TaskError::NoSpace(_) => BUILD,
            TaskError::Hub(error) => error.code().unwrap_or(GENERIC),
            TaskError::Subtask { code, .. } | TaskError::Plugin { code, .. } => *code,
            TaskError::Denied(_) => NOT_ALLOWED,
            TaskError::Invalid(_) | TaskError::Setting(_) | TaskError::Machine { .. } | TaskError::Request(_) => {
                GENERIC
            }
        };
        String::from_utf8_lossy(&encode_fault(code, &self.to_string())).into_owned()
    }
}

/// Turns an I/O error into a task's failure, with what was being done.
pub(crate) trait Doing<T> {
    /// Says what was being done.
    ///
    /// # Errors
    /// The same error, with its story.
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, TaskError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, TaskError> {
        self.map_err(|error| TaskError::Machine { what: what(), error })
    }
}

/// A message with the lines of a log that tell most, the last first to be looked for.
pub(crate) fn with_last_words(message: String, log: &Path) -> String {
    let lines = last_words(log).unwrap_or_default();
    if lines.is_empty() { message } else { format!("{message}\n{}", lines.join("\n")) }
}

fn last_words(log: &Path) -> io::Result<Vec<String>> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = std::fs::File::open(log)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    Ok(telling(&String::from_utf8_lossy(&tail)))
}

/// The last lines that speak of errors; the last lines at all when none does.
fn telling(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()).collect();
    let speaks = |line: &&&str| {
        let line = line.to_lowercase();
        [
            "error",
            "fail",
            "fatal",
            "not found",
            "no such",
            "unable",
            "cannot",
            "nothing provides",
            "bad exit",
            "killed",
            "no space left",
        ]
        .iter()
        .any(|word| line.contains(word))
    };
    let last = |lines: Vec<&str>| {
        let from = lines.len().saturating_sub(LINES);
        lines[from..].iter().map(|line| plain(line).take(LONGEST_LINE).collect()).collect::<Vec<String>>()
    };
    let errors: Vec<&str> = lines.iter().filter(speaks).copied().collect();
    if errors.is_empty() { last(lines) } else { last(errors) }
}

/// What a terminal would obey is not for messages.
fn plain(line: &str) -> impl Iterator<Item = char> {
    line.chars().map(|char| if char.is_control() && char != '\t' { '\u{fffd}' } else { char })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_first() {
        assert_eq!(telling("a\nmake: *** [x] Error 1\nb\n\n"), ["make: *** [x] Error 1"]);
        assert_eq!(telling("a\n  \nb\n"), ["a", "b"]);
        assert_eq!(telling(&"error\n".repeat(30)).len(), LINES);
        assert_eq!(telling(&"é".repeat(400))[0].chars().count(), LONGEST_LINE);
        assert!(telling("").is_empty());
        assert_eq!(telling("\u{1b}[2Jerror\u{7}"), ["\u{fffd}[2Jerror\u{fffd}"]);
    }

    #[test]
    fn build_errors_have_kojis_code() {
        assert!(TaskError::Build("x <y>".into()).response().contains("<int>1005</int>"));
        assert!(TaskError::Invalid("x".into()).response().contains("<int>1000</int>"));
    }
}
