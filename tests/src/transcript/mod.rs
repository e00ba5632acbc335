//! Transcripts: Markdown files in which commands stand with what they should say, and which are run as tests.
//!
//! ```text
//! Prose, for the reader.
//!
//!     $ koji call createTag web-9.0
//!     {tag}
//!     $ koji taginfo web-9.0
//!     Tag: web-9.0 [{tag}]
//!     ...
//!     $ koji call createTag web-9.0
//!     ! 1000: [..] already exists
//!     ? 1
//! ```
//!
//! A line that begins with `$` is a command for bash; then come its standard output, its standard error (each line after
//! `!`), and its exit code (after `?`; 0 needs no line). `[..]` stands for anything in a line and a line `...` for any
//! lines. `{name}` stands for a word: the first time it is written down, and is the variable `$name` of the commands from
//! there on; afterwards it has to be the same.

mod expected;
mod run;

use std::{fs, path::Path};

pub use run::{Ran, Runner};

/// A transcript, as it stands in its file.
#[derive(Debug)]
pub struct Transcript {
    /// The file's name without its ending.
    pub name: String,
    parts: Vec<Part>,
}

/// A piece of a transcript.
#[derive(Debug, PartialEq)]
enum Part {
    /// Lines for the reader.
    Prose(String),
    /// A command.
    Step(Step),
}

/// A command, and what it says.
#[derive(Debug, Clone, Default, PartialEq)]
struct Step {
    /// The line of the file that it stands in.
    line: usize,
    command: String,
    out: Vec<String>,
    err: Vec<String>,
    code: i32,
}

/// What commands and what they say are indented by.
const INDENT: &str = "    ";

impl Transcript {
    /// Reads a file.
    ///
    /// # Panics
    /// When it cannot be read, or is no transcript.
    pub fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let name = file.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        Self { parts: parse(&text).unwrap_or_else(|line| panic!("{}:{line}: no command yet", file.display())), name }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Prose(prose) => text.push_str(prose),
                Part::Step(step) => step.write(&mut text),
            }
        }
        text
    }
}

/// The parts of a text; else the number of a line that says something before there was a command.
fn parse(text: &str) -> Result<Vec<Part>, usize> {
    let mut parts: Vec<Part> = Vec::new();
    let mut blank = 0;
    for (line, number) in text.lines().zip(1..) {
        let Some(line) = line.strip_prefix(INDENT) else {
            if line.trim().is_empty() {
                blank += 1;
            } else {
                prose(&mut parts, &mut blank, line);
            }
            continue;
        };
        if let Some(command) = line.strip_prefix("$ ") {
            flush(&mut parts, &mut blank);
            parts.push(Part::Step(Step { line: number, command: command.to_owned(), ..Step::default() }));
            continue;
        }
        let Some(Part::Step(step)) = parts.last_mut() else { return Err(number) };
        if let Some(said) = line.strip_prefix('!') {
            step.err.push(said.strip_prefix(' ').unwrap_or(said).to_owned());
        } else if let Some(code) = line.strip_prefix("? ").and_then(|code| code.parse().ok()) {
            step.code = code;
        } else {
            step.out.extend(std::iter::repeat_n(String::new(), std::mem::take(&mut blank)));
            step.out.push(line.to_owned());
        }
    }
    flush(&mut parts, &mut blank);
    Ok(parts)
}

fn prose(parts: &mut Vec<Part>, blank: &mut usize, line: &str) {
    flush(parts, blank);
    if !matches!(parts.last(), Some(Part::Prose(_))) {
        parts.push(Part::Prose(String::new()));
    }
    if let Some(Part::Prose(prose)) = parts.last_mut() {
        prose.push_str(line);
        prose.push('\n');
    }
}

/// Empty lines that no output goes on after are the reader's.
fn flush(parts: &mut Vec<Part>, blank: &mut usize) {
    for _ in 0..std::mem::take(blank) {
        prose(parts, &mut 0, "");
    }
}

impl Step {
    fn write(&self, text: &mut String) {
        let mut line = |mark: &str, said: &str| {
            let line = format!("{INDENT}{mark}{said}");
            text.push_str(line.trim_end());
            text.push('\n');
        };
        line("$ ", &self.command);
        self.out.iter().for_each(|said| line("", said));
        self.err.iter().for_each(|said| line("! ", said));
        if self.code != 0 {
            line("? ", &self.code.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Tags

Prose.

    $ koji one
    first

    last
    ! a warning
    ? 1
    $ koji two

More.
";

    #[test]
    fn a_text_is_taken_apart_and_put_together() {
        let parts = parse(TEXT).unwrap();
        let Part::Step(step) = &parts[1] else { panic!("{parts:?}") };
        assert_eq!((step.line, step.command.as_str(), step.code), (5, "koji one", 1));
        assert_eq!(step.out, ["first", "", "last"]);
        assert_eq!(step.err, ["a warning"]);
        assert_eq!(parts.len(), 4);
        assert_eq!(Transcript { name: String::new(), parts }.text(), TEXT);
        assert_eq!(parse("Prose.\n\n    output"), Err(3));
    }
}
