//! What is wrong with a value, and where in it.

use std::fmt::Display;

use serde::de::{Expected, Unexpected};

/// A value did not have the shape that was asked for (or a Rust value has none on the wire).
///
/// Shown as `path: message`, for example `opts.repos[2]: expected a string, got nil`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{message}", .path, if .path.is_empty() { "" } else { ": " })]
pub struct ValueError {
    path: String,
    message: String,
    /// The message names what was found, so no container on the way up has to add it.
    complete: bool,
}

impl ValueError {
    pub(super) fn new(message: String) -> Self {
        Self { path: String::new(), message, complete: true }
    }

    /// Where in the value: names and indexes as in `opts.repos[2]`; empty at the top.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong there.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Puts a member's name before the path.
    pub(super) fn in_member(mut self, name: &str) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{name}{joint}{}", self.path);
        self
    }

    /// Puts an index before the path.
    pub(super) fn at_index(mut self, index: usize) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("[{index}]{joint}{}", self.path);
        self
    }

    /// Adds what was found to a message of serde's that cannot know it: an untagged enum tries its variants on a copy.
    pub(super) fn found(mut self, kind: &str) -> Self {
        if !self.complete {
            self.complete = true;
            if self.message.starts_with("expected ") || self.message.starts_with("data did not match any variant") {
                self.message.push_str(", got ");
                self.message.push_str(kind);
            }
        }
        self
    }
}

impl serde::ser::Error for ValueError {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

impl serde::de::Error for ValueError {
    fn custom<T: Display>(message: T) -> Self {
        Self { complete: false, ..Self::new(message.to_string()) }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {}, got {}", wanted(expected), got(&unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let wanted = match int_range(&expected.to_string()) {
            Some((low, high)) => format!("an int from {low} to {high}"),
            None => wanted(expected),
        };
        Self::new(format!("expected {wanted}, got {}", got(&unexpected)))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {}, got a list of {length}", wanted(expected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("expected one of {}, got {variant:?}", expected.join(", ")))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("not a known name; known are: {}", expected.join(", "))).in_member(field)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("required, but missing".to_owned()).in_member(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new("given twice".to_owned()).in_member(field)
    }
}

/// serde's words for a Rust type, in the words of the API.
fn wanted(expected: &dyn Expected) -> String {
    let expected = expected.to_string();
    match expected.as_str() {
        "f32" | "f64" => "a number".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a struct".to_owned(),
        "a byte array" | "byte array" => "binary data".to_owned(),
        "unit" => "nil".to_owned(),
        int if int_range(int).is_some() => "an int".to_owned(),
        rust if rust.starts_with("struct ") => "a struct".to_owned(),
        rust if rust.starts_with("enum ") => "a string".to_owned(),
        _ => expected,
    }
}

fn got(unexpected: &Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => format!("the boolean {value}"),
        Unexpected::Unsigned(value) => format!("the int {value}"),
        Unexpected::Signed(value) => format!("the int {value}"),
        Unexpected::Float(value) => format!("the double {value:?}"),
        Unexpected::Str(text) => got_text(text),
        Unexpected::Bytes(_) => "binary data".to_owned(),
        Unexpected::Unit | Unexpected::Option => "nil".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a struct".to_owned(),
        other => other.to_string(),
    }
}

/// A message is for a terminal and a log line: it does not repeat a megabyte that somebody sent.
fn got_text(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        None => format!("the string {text:?}"),
        Some((end, _)) => format!("a string that begins with {:?}", &text[..end]),
    }
}

/// The values that fit, if `rust` is the name of an integer type (an API int is 64 bits and signed, so `u64` ends there).
fn int_range(rust: &str) -> Option<(i64, i64)> {
    Some(match rust {
        "i8" => (i8::MIN.into(), i8::MAX.into()),
        "i16" => (i16::MIN.into(), i16::MAX.into()),
        "i32" => (i32::MIN.into(), i32::MAX.into()),
        "i64" | "i128" | "isize" => (i64::MIN, i64::MAX),
        "u8" => (0, u8::MAX.into()),
        "u16" => (0, u16::MAX.into()),
        "u32" => (0, u32::MAX.into()),
        "u64" | "u128" | "usize" => (0, i64::MAX),
        _ => return None,
    })
}
