//! Values to documents.

use std::fmt::Display;

use serde::Serialize;

use super::out::Out;
use super::ser::ValueWriter;
use super::text::escape_into;
use crate::value::Value;

pub(super) const RESPONSE_HEAD: &[u8] = b"<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n";
pub(super) const RESPONSE_TAIL: &[u8] = b"\n</param>\n</params>\n</methodResponse>\n";

/// A Rust value that XML-RPC cannot say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("the int {0} does not fit in 64 bits, signed")]
    IntTooLarge(String),
    #[error("the double {0} is not a finite number")]
    NotFinite(String),
    /// Whoever took the pieces wants no more, or the document is longer than it may be.
    #[error("the document was not written to its end")]
    Stopped,
    /// The value's own `Serialize` failed, or it has a map whose keys are no strings.
    #[error("{0}")]
    Custom(String),
}

impl serde::ser::Error for EncodeError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}

/// Writes the response of a method that answered `result`.
///
/// In its strings, characters that XML cannot carry (control characters but tab and line ends) become U+FFFD.
///
/// # Errors
/// See [`EncodeError`].
pub fn encode_response<T: Serialize + ?Sized>(result: &T) -> Result<Vec<u8>, EncodeError> {
    let mut out = Out::whole(Vec::new());
    write_response(result, &mut out)?;
    out.finish()
}

/// The same; None as soon as it is longer than about `most` bytes.
///
/// # Errors
/// See [`EncodeError`].
pub fn encode_short_response<T: Serialize + ?Sized>(result: &T, most: usize) -> Result<Option<Vec<u8>>, EncodeError> {
    let mut out = Out::short(most);
    match write_response(result, &mut out) {
        Ok(()) => out.finish().map(Some),
        Err(EncodeError::Stopped) => Ok(None),
        Err(error) => Err(error),
    }
}

fn write_response<T: Serialize + ?Sized>(result: &T, out: &mut Out) -> Result<(), EncodeError> {
    out.extend_from_slice(RESPONSE_HEAD);
    result.serialize(ValueWriter::new(out))?;
    out.extend_from_slice(RESPONSE_TAIL);
    Ok(())
}

/// Writes the same response, and hands it on in pieces of about `length` bytes: what is long need not be in memory whole.
///
/// # Errors
/// See [`EncodeError`], and whatever `sink` answers; pieces may have been handed on by then.
pub fn encode_response_in_pieces<T: Serialize + ?Sized>(
    result: &T,
    length: usize,
    sink: impl FnMut(Vec<u8>) -> Result<(), EncodeError> + 'static,
) -> Result<(), EncodeError> {
    let mut out = Out::pieces(length, Box::new(sink));
    write_response(result, &mut out)?;
    out.finish().map(|_| ())
}

/// Writes the response of a method that failed.
pub fn encode_fault(code: i32, message: &str) -> Vec<u8> {
    let mut out = b"<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>".to_vec();
    write_fault_members(code, message, &mut out);
    out.extend_from_slice(b"</struct></value>\n</fault>\n</methodResponse>\n");
    out
}

/// Writes the call of `method`.
///
/// # Errors
/// See [`EncodeError`].
pub fn encode_call(method: &str, params: &[Value]) -> Result<Vec<u8>, EncodeError> {
    let mut out = b"<?xml version='1.0'?>\n<methodCall>\n<methodName>".to_vec();
    escape_into(method, &mut out);
    out.extend_from_slice(b"</methodName>\n<params>\n");
    for param in params {
        out.extend_from_slice(b"<param>\n");
        encode_value_into(param, &mut out)?;
        out.extend_from_slice(b"\n</param>\n");
    }
    out.extend_from_slice(b"</params>\n</methodCall>\n");
    Ok(out)
}

/// Appends `<value>…</value>`.
///
/// # Errors
/// See [`EncodeError`]; `out` is then as it was.
pub fn encode_value_into<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let before = out.len();
    let mut whole = Out::whole(std::mem::take(out));
    let written = value.serialize(ValueWriter::new(&mut whole));
    *out = whole.finish()?;
    if written.is_err() {
        out.truncate(before);
    }
    written
}

/// The two members that every fault has.
pub(super) fn write_fault_members(code: i32, message: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<member><name>faultCode</name><value><int>");
    out.extend_from_slice(code.to_string().as_bytes());
    out.extend_from_slice(b"</int></value></member><member><name>faultString</name><value><string>");
    escape_into(message, out);
    out.extend_from_slice(b"</string></value></member>");
}
