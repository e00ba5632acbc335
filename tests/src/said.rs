//! What a command has said, and how it ended.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::process::Command;

/// No command takes longer, unless it hangs.
const LIMIT: Duration = Duration::from_secs(180);

/// What a command has said, and how it ended.
pub struct Said {
    /// The command, for messages.
    pub command: String,
    /// Its exit code; None = a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Runs a command to its end.
    ///
    /// # Panics
    /// When it cannot be run, or does not end.
    pub async fn by(command: &mut Command) -> Self {
        let program = Path::new(command.as_std().get_program()).file_name().unwrap_or_default().to_owned();
        let arguments = command.as_std().get_args().map(|argument| argument.to_string_lossy());
        let shown = arguments.fold(program.to_string_lossy().into_owned(), |shown, next| shown + " " + &next);
        let ran = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let output = tokio::time::timeout(LIMIT, ran).await;
        let output = output.unwrap_or_else(|_| panic!("{shown}: did not end in {LIMIT:?}"));
        let output = output.unwrap_or_else(|error| panic!("{shown}: {error}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said =
            Self { command: shown, code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) };
        assert!(!said.all().contains("Traceback"), "{}", said.all());
        assert!(!said.all().contains("panicked"), "{}", said.all());
        said
    }

    /// The whole story.
    pub fn all(&self) -> String {
        format!("$ {}\n{}{}→ exit code {:?}", self.command, self.out, self.err, self.code)
    }

    /// Sees to it that it ended well.
    ///
    /// # Panics
    /// When it did not.
    #[must_use]
    #[track_caller]
    pub fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.all());
        self
    }

    /// Sees to it that it failed, and said so in one line of standard error with all of these in it.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn failed_with(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(1), "{}", self.all());
        assert_eq!(self.err.lines().count(), 1, "{}", self.all());
        for part in parts {
            assert!(self.err.contains(part), "'{part}' is not said by\n{}", self.all());
        }
    }

    /// Sees to it that all of these were said on standard output.
    ///
    /// # Panics
    /// When one was not.
    #[track_caller]
    pub fn has(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.out.contains(part), "'{part}' is not said by\n{}", self.all());
        }
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON ({error}):\n{}", self.all()))
    }
}
