//! Documents to values. Nothing in a document makes this panic, recurse deeply or allocate much more than its size.

use std::borrow::Cow;
use std::num::IntErrorKind;

use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};

use super::token::{Tag, Token, Tokens, is_space, shortened};
use super::{Call, Fault};
use crate::value::{Map, Value};

/// How deep values may be nested. Koji's own data stays under ten.
const MAX_DEPTH: usize = 64;

/// A document is not XML, not XML-RPC, or says something that no value can hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at byte {position})")]
pub struct DecodeError {
    position: u64,
    message: Cow<'static, str>,
}

impl DecodeError {
    pub(super) fn new(position: u64, message: impl Into<Cow<'static, str>>) -> Self {
        Self { position, message: message.into() }
    }

    /// How many bytes stand before the place.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What is wrong there.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Reads a `<methodCall>`.
///
/// # Errors
/// The document is not a call: see [`DecodeError`].
pub fn decode_call(document: &[u8]) -> Result<Call, DecodeError> {
    let mut decoder = Decoder { tokens: Tokens::new(document)? };
    decoder.open(Tag::MethodCall)?;
    decoder.open(Tag::MethodName)?;
    let method = decoder.text()?.trim().to_owned();
    if method.is_empty() {
        return Err(decoder.tokens.error("the method has no name"));
    }
    let params = match decoder.tokens.next_tag()? {
        Token::Open(Tag::Params) => {
            let params = decoder.params()?;
            decoder.close(Tag::MethodCall)?;
            params
        }
        Token::Close => Vec::new(),
        other => return Err(decoder.unexpected("<params>", &other)),
    };
    decoder.end()?;
    Ok(Call { method, params })
}

/// Reads a `<methodResponse>`: the inner result is what the method answered.
///
/// # Errors
/// The document is not a response: see [`DecodeError`].
pub fn decode_response(document: &[u8]) -> Result<Result<Value, Fault>, DecodeError> {
    let mut decoder = Decoder { tokens: Tokens::new(document)? };
    decoder.open(Tag::MethodResponse)?;
    let response = match decoder.tokens.next_tag()? {
        Token::Open(Tag::Params) => {
            let params = decoder.params()?;
            let [value] = <[Value; 1]>::try_from(params).map_err(|params| {
                decoder.tokens.error(format!("a response has one parameter, not {}", params.len()))
            })?;
            Ok(value)
        }
        Token::Open(Tag::Fault) => {
            decoder.open(Tag::Value)?;
            let value = decoder.value(0)?;
            let fault = decoder.fault(&value)?;
            decoder.close(Tag::Fault)?;
            Err(fault)
        }
        other => return Err(decoder.unexpected("<params> or <fault>", &other)),
    };
    decoder.close(Tag::MethodResponse)?;
    decoder.end()?;
    Ok(response)
}

struct Decoder<'a> {
    tokens: Tokens<'a>,
}

/// Each method that reads an element begins after its opening tag and takes its closing tag.
impl<'a> Decoder<'a> {
    fn unexpected(&self, wanted: &str, found: &Token<'_>) -> DecodeError {
        self.tokens.error(format!("expected {wanted}, found {}", found.shown()))
    }

    fn open(&mut self, tag: Tag) -> Result<(), DecodeError> {
        match self.tokens.next_tag()? {
            Token::Open(found) if found == tag => Ok(()),
            other => Err(self.unexpected(tag.shown(), &other)),
        }
    }

    fn close(&mut self, tag: Tag) -> Result<(), DecodeError> {
        match self.tokens.next_tag()? {
            Token::Close => Ok(()),
            other => Err(self.unexpected(&format!("the end of {}", tag.shown()), &other)),
        }
    }

    fn end(&mut self) -> Result<(), DecodeError> {
        match self.tokens.next_tag()? {
            Token::End => Ok(()),
            other => Err(self.unexpected("the end of the document", &other)),
        }
    }

    /// Whether another `child` begins; if not, the parent has ended.
    fn another(&mut self, child: Tag) -> Result<bool, DecodeError> {
        match self.tokens.next_tag()? {
            Token::Open(found) if found == child => Ok(true),
            Token::Close => Ok(false),
            other => Err(self.unexpected(child.shown(), &other)),
        }
    }

    /// The text of an element that has no children.
    fn text(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        let mut text = Cow::Borrowed("");
        loop {
            match self.tokens.next()? {
                Token::Text(more) => append(&mut text, more),
                Token::Char(char) => text.to_mut().push(char),
                Token::Close => return Ok(text),
                other => return Err(self.unexpected("text or a closing tag", &other)),
            }
        }
    }

    fn params(&mut self) -> Result<Vec<Value>, DecodeError> {
        let mut params = Vec::new();
        while self.another(Tag::Param)? {
            self.open(Tag::Value)?;
            params.push(self.value(0)?);
            self.close(Tag::Param)?;
        }
        Ok(params)
    }

    /// `depth` is the number of values around this one.
    fn value(&mut self, depth: usize) -> Result<Value, DecodeError> {
        if depth >= MAX_DEPTH {
            return Err(self.tokens.error(format!("values are nested more than {MAX_DEPTH} deep")));
        }
        let mut text = Cow::Borrowed("");
        loop {
            match self.tokens.next()? {
                Token::Text(more) => append(&mut text, more),
                Token::Char(char) => text.to_mut().push(char),
                // A value without a type is a string.
                Token::Close => return Ok(Value::String(text.into_owned())),
                Token::Open(tag) if is_space(&text) => {
                    let value = self.typed(tag, depth)?;
                    self.close(Tag::Value)?;
                    return Ok(value);
                }
                other => return Err(self.unexpected("the end of <value> after its text", &other)),
            }
        }
    }

    fn typed(&mut self, tag: Tag, depth: usize) -> Result<Value, DecodeError> {
        match tag {
            Tag::String => Ok(Value::String(self.text()?.into_owned())),
            Tag::Int => self.int().map(Value::Int),
            Tag::Double => self.double().map(Value::Double),
            Tag::Boolean => self.boolean().map(Value::Bool),
            Tag::Base64 => self.base64().map(Value::Bytes),
            Tag::DateTime => Ok(Value::DateTime(self.text()?.trim().to_owned())),
            Tag::Nil => self.close(Tag::Nil).map(|()| Value::Nil),
            Tag::Array => self.array(depth).map(Value::Array),
            Tag::Struct => self.members(depth).map(Value::Struct),
            other => Err(self.unexpected("the type of a value", &Token::Open(other))),
        }
    }

    fn int(&mut self) -> Result<i64, DecodeError> {
        let text = self.text()?;
        text.trim().parse().map_err(|error: std::num::ParseIntError| {
            let why = match error.kind() {
                IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "does not fit in 64 bits, signed",
                _ => "is not an integer",
            };
            self.tokens.error(format!("{} {why}", shortened(&text)))
        })
    }

    fn double(&mut self) -> Result<f64, DecodeError> {
        let text = self.text()?;
        match text.trim().parse() {
            Ok(value) if f64::is_finite(value) => Ok(value),
            _ => Err(self.tokens.error(format!("{} is not a finite number", shortened(&text)))),
        }
    }

    fn boolean(&mut self) -> Result<bool, DecodeError> {
        let text = self.text()?;
        match text.trim() {
            "0" => Ok(false),
            "1" => Ok(true),
            _ => Err(self.tokens.error(format!("a boolean is 0 or 1, not {}", shortened(&text)))),
        }
    }

    fn base64(&mut self) -> Result<Vec<u8>, DecodeError> {
        const LENIENT: GeneralPurpose = GeneralPurpose::new(
            &base64::alphabet::STANDARD,
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
        );
        let mut text = self.text()?.into_owned();
        text.retain(|char| !char.is_ascii_whitespace());
        LENIENT.decode(text).map_err(|error| self.tokens.error(format!("not base64: {error}")))
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Value>, DecodeError> {
        self.open(Tag::Data)?;
        let mut items = Vec::new();
        while self.another(Tag::Value)? {
            items.push(self.value(depth + 1)?);
        }
        self.close(Tag::Array)?;
        Ok(items)
    }

    fn members(&mut self, depth: usize) -> Result<Map, DecodeError> {
        let mut members = Vec::new();
        while self.another(Tag::Member)? {
            self.open(Tag::Name)?;
            let name = self.text()?.into_owned();
            self.open(Tag::Value)?;
            members.push((name, self.value(depth + 1)?));
            self.close(Tag::Member)?;
        }
        Ok(Map::from_iter(members))
    }

    fn fault(&self, value: &Value) -> Result<Fault, DecodeError> {
        let code = value.get("faultCode").and_then(Value::as_int).and_then(|code| i32::try_from(code).ok());
        let message = value.get("faultString").and_then(Value::as_str);
        match (code, message) {
            (Some(code), Some(message)) => Ok(Fault { code, message: message.to_owned() }),
            _ => Err(self.tokens.error("a fault has the int faultCode and the string faultString")),
        }
    }
}

/// Adds to a text; the first piece, mostly the only one, is not copied.
fn append<'a>(text: &mut Cow<'a, str>, more: Cow<'a, str>) {
    if text.is_empty() {
        *text = more;
    } else {
        text.to_mut().push_str(&more);
    }
}
