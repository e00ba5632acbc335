//! The elements and texts of an XML-RPC document, with everything refused that such a document does not need.

use std::borrow::Cow;

use quick_xml::events::{BytesDecl, BytesRef, Event};
use quick_xml::reader::Reader;

use super::decode::DecodeError;
use super::text::{first_illegal, is_legal};

/// The elements of XML-RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    MethodCall,
    MethodName,
    MethodResponse,
    Params,
    Param,
    Fault,
    Value,
    Int,
    Double,
    Boolean,
    String,
    Base64,
    DateTime,
    Nil,
    Array,
    Data,
    Struct,
    Member,
    Name,
}

impl Tag {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "value" => Self::Value,
            "string" | "untyped" => Self::String,
            "member" => Self::Member,
            "name" => Self::Name,
            "int" | "i1" | "i2" | "i4" | "i8" | "biginteger" => Self::Int,
            "nil" => Self::Nil,
            "struct" => Self::Struct,
            "array" => Self::Array,
            "data" => Self::Data,
            "boolean" => Self::Boolean,
            "double" => Self::Double,
            "base64" => Self::Base64,
            "dateTime.iso8601" => Self::DateTime,
            "param" => Self::Param,
            "params" => Self::Params,
            "methodCall" => Self::MethodCall,
            "methodName" => Self::MethodName,
            "methodResponse" => Self::MethodResponse,
            "fault" => Self::Fault,
            _ => return None,
        })
    }

    /// The element as it is written, for error messages.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::MethodCall => "<methodCall>",
            Self::MethodName => "<methodName>",
            Self::MethodResponse => "<methodResponse>",
            Self::Params => "<params>",
            Self::Param => "<param>",
            Self::Fault => "<fault>",
            Self::Value => "<value>",
            Self::Int => "<int>",
            Self::Double => "<double>",
            Self::Boolean => "<boolean>",
            Self::String => "<string>",
            Self::Base64 => "<base64>",
            Self::DateTime => "<dateTime.iso8601>",
            Self::Nil => "<nil>",
            Self::Array => "<array>",
            Self::Data => "<data>",
            Self::Struct => "<struct>",
            Self::Member => "<member>",
            Self::Name => "<name>",
        }
    }
}

/// A piece of a document.
#[derive(Debug)]
pub(super) enum Token<'a> {
    Open(Tag),
    /// The end of the innermost open element: that the names match has been checked.
    Close,
    Text(Cow<'a, str>),
    /// A character that was written as a reference.
    Char(char),
    /// The end of the document.
    End,
}

impl Token<'_> {
    /// What this is, for error messages.
    pub(super) fn shown(&self) -> &'static str {
        match self {
            Self::Open(tag) => tag.shown(),
            Self::Close => "a closing tag",
            Self::Text(_) | Self::Char(_) => "text",
            Self::End => "the end of the document",
        }
    }

    fn is_space(&self) -> bool {
        match self {
            Self::Text(text) => is_space(text),
            _ => false,
        }
    }
}

/// Whether there is nothing but XML's white space.
pub(super) fn is_space(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

pub(super) struct Tokens<'a> {
    reader: Reader<&'a [u8]>,
    /// Where the last token began.
    position: u64,
    /// The length of the byte order mark, which the reader does not count.
    skipped: u64,
}

impl<'a> Tokens<'a> {
    /// # Errors
    /// The document is not UTF-8, or has characters that XML does not allow.
    pub(super) fn new(document: &'a [u8]) -> Result<Self, DecodeError> {
        let text = std::str::from_utf8(document)
            .map_err(|error| DecodeError::new(error.valid_up_to() as u64, "the document is not UTF-8"))?;
        if let Some(at) = first_illegal(text) {
            let char = text[at..].chars().next().map_or(0, u32::from);
            return Err(DecodeError::new(at as u64, format!("the character U+{char:04X} is not allowed in XML")));
        }
        let body = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = Reader::from_str(body);
        reader.config_mut().enable_all_checks(true);
        reader.config_mut().expand_empty_elements = true;
        Ok(Self { reader, position: 0, skipped: (text.len() - body.len()) as u64 })
    }

    /// An error at the last token.
    pub(super) fn error(&self, message: impl Into<Cow<'static, str>>) -> DecodeError {
        DecodeError::new(self.position + self.skipped, message)
    }

    pub(super) fn next(&mut self) -> Result<Token<'a>, DecodeError> {
        loop {
            self.position = self.reader.buffer_position();
            let event = self
                .reader
                .read_event()
                .map_err(|error| DecodeError::new(self.reader.error_position() + self.skipped, error.to_string()))?;
            return Ok(match event {
                Event::Start(start) | Event::Empty(start) => Token::Open(self.tag(start.local_name().as_ref())?),
                Event::End(_) => Token::Close,
                Event::Text(text) => Token::Text(text.xml10_content()),
                Event::CData(text) => Token::Text(text.xml10_content()),
                Event::GeneralRef(reference) => Token::Char(self.character(&reference)?),
                Event::Eof => Token::End,
                Event::Comment(_) | Event::PI(_) => continue,
                Event::Decl(declaration) => {
                    self.check_declaration(&declaration)?;
                    continue;
                }
                // Without a document type there are no entities to expand.
                Event::DocType(_) => return Err(self.error("a document type is not allowed")),
            });
        }
    }

    /// The next token that is not white space.
    pub(super) fn next_tag(&mut self) -> Result<Token<'a>, DecodeError> {
        loop {
            let token = self.next()?;
            if !token.is_space() {
                return Ok(token);
            }
        }
    }

    fn tag(&self, name: &str) -> Result<Tag, DecodeError> {
        Tag::from_name(name).ok_or_else(|| self.error(format!("unknown element {}", shortened(name))))
    }

    fn character(&self, reference: &BytesRef<'_>) -> Result<char, DecodeError> {
        let name: &str = reference;
        let char = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => reference.resolve_char_ref().map_err(|error| self.error(error.to_string()))?,
        };
        match char {
            Some(char) if is_legal(char) => Ok(char),
            Some(char) => Err(self.error(format!("the character U+{:04X} is not allowed in XML", u32::from(char)))),
            None => Err(self.error(format!("unknown entity {}", shortened(name)))),
        }
    }

    fn check_declaration(&self, declaration: &BytesDecl<'_>) -> Result<(), DecodeError> {
        if self.position != 0 {
            return Err(self.error("an XML declaration may only stand at the very start"));
        }
        match declaration.encoding() {
            None => Ok(()),
            Some(Err(error)) => Err(self.error(error.to_string())),
            Some(Ok(name)) if ["utf-8", "utf8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known)) => {
                Ok(())
            }
            Some(Ok(name)) => Err(self.error(format!("the encoding must be UTF-8, not {}", shortened(&name)))),
        }
    }
}

/// Text from a document as it is quoted in an error: whole if it is short.
pub(super) fn shortened(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}
