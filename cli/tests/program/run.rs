//! Runs the program as its user would.

use std::{
    path::Path,
    process::{Command, Output},
};

use crate::hub::Hub;

/// The program, with nothing of this machine's own set-up.
pub(crate) fn toji(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toji"));
    command.args(words.split_whitespace()).env_clear().env("HOME", "/nowhere");
    command
}

/// The same, at a hub.
pub(crate) fn at(hub: &Hub, words: &str) -> Command {
    let mut command = toji(words);
    command.env("TOJI_SERVER", &hub.url).env("TOJI_TOKEN", "secret");
    command
}

/// What came out: exit code, standard output, standard error.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn run(mut command: Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// A file that begins as a source RPM does.
pub(crate) fn source_rpm(folder: &Path) -> String {
    let path = folder.join("hello-1.0-1.src.rpm");
    std::fs::write(&path, [0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 1, 0, 255]).unwrap();
    path.display().to_string()
}
