//! A serde serializer that writes `<value>…</value>`.

use std::fmt::{Display, Write};

use base64::{display::Base64Display, prelude::BASE64_STANDARD};
use serde::ser::{self, Serialize, Serializer};

use super::encode::EncodeError;
use super::out::Out;
use super::text::{Escaped, escape_into};
use crate::value::{BASE64_TOKEN, DATE_TIME_TOKEN, key::KeySerializer};

type Done = Result<(), EncodeError>;

pub(super) struct ValueWriter<'a> {
    out: &'a mut Out,
    /// The element that text is put in: another one below the newtypes by which bytes and dateTimes are marked.
    text_tag: &'static str,
}

impl<'a> ValueWriter<'a> {
    pub(super) fn new(out: &'a mut Out) -> Self {
        Self { out, text_tag: "string" }
    }

    fn element(self, tag: &str, content: impl FnOnce(&mut Out)) -> Done {
        for piece in ["<value><", tag, ">"] {
            self.out.extend_from_slice(piece.as_bytes());
        }
        content(self.out);
        for piece in ["</", tag, "></value>"] {
            self.out.extend_from_slice(piece.as_bytes());
        }
        Ok(())
    }

    fn shown(self, tag: &str, content: impl Display) -> Done {
        self.element(tag, |out| show(content, out))
    }

    /// Opens the struct of one member that a variant with content is.
    fn variant(&mut self, name: &str) {
        self.out.extend_from_slice(b"<value><struct><member><name>");
        escape_into(name, self.out);
        self.out.extend_from_slice(b"</name>");
    }

    fn list(self, in_variant: bool) -> List<'a> {
        self.out.extend_from_slice(b"<value><array><data>");
        List { out: self.out, in_variant }
    }

    fn members(self, in_variant: bool) -> Members<'a> {
        self.out.extend_from_slice(b"<value><struct>");
        Members { out: self.out, in_variant }
    }
}

const VARIANT_END: &[u8] = b"</member></struct></value>";

/// Appends what is shown of `content`, escaped.
fn show(content: impl Display, out: &mut Out) {
    // The writer has no errors; a Display that fails on its own leaves its text short, as it does everywhere.
    let _ = write!(Escaped(out), "{content}");
}

macro_rules! small_ints {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, value: $type) -> Done {
            self.serialize_i64(value.into())
        }
    )*};
}

macro_rules! large_ints {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, value: $type) -> Done {
            match i64::try_from(value) {
                Ok(value) => self.serialize_i64(value),
                Err(_) => Err(EncodeError::IntTooLarge(value.to_string())),
            }
        }
    )*};
}

impl<'a> Serializer for ValueWriter<'a> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Members<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeStructVariant = Members<'a>;

    small_ints! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32
    }

    large_ints! { serialize_u64: u64, serialize_i128: i128, serialize_u128: u128 }

    fn serialize_i64(self, value: i64) -> Done {
        let tag = if i32::try_from(value).is_ok() { "int" } else { "i8" };
        self.shown(tag, value)
    }

    fn serialize_bool(self, value: bool) -> Done {
        self.element("boolean", |out| out.push(if value { b'1' } else { b'0' }))
    }

    fn serialize_f32(self, value: f32) -> Done {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Done {
        if !value.is_finite() {
            return Err(EncodeError::NotFinite(value.to_string()));
        }
        // `{:?}` is the shortest text that reads back the same, and has a point or an exponent.
        self.shown("double", format_args!("{value:?}"))
    }

    fn serialize_char(self, value: char) -> Done {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Done {
        let tag = self.text_tag;
        self.element(tag, |out| escape_into(text, out))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Done {
        let tag = self.text_tag;
        self.shown(tag, value)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Done {
        self.shown("base64", Base64Display::new(bytes, &BASE64_STANDARD))
    }

    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.out.extend_from_slice(b"<value><nil/></value>");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Done {
        let text_tag = match name {
            BASE64_TOKEN => "base64",
            DATE_TIME_TOKEN => "dateTime.iso8601",
            _ => self.text_tag,
        };
        value.serialize(ValueWriter { text_tag, ..self })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        self.variant(variant);
        value.serialize(ValueWriter::new(self.out))?;
        self.out.extend_from_slice(VARIANT_END);
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a>, EncodeError> {
        Ok(self.list(false))
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'a>, EncodeError> {
        Ok(self.list(false))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a>, EncodeError> {
        Ok(self.list(false))
    }

    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'a>, EncodeError> {
        self.variant(variant);
        Ok(self.list(true))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members<'a>, EncodeError> {
        Ok(self.members(false))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'a>, EncodeError> {
        Ok(self.members(false))
    }

    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Members<'a>, EncodeError> {
        self.variant(variant);
        Ok(self.members(true))
    }
}

pub(super) struct List<'a> {
    out: &'a mut Out,
    in_variant: bool,
}

macro_rules! list {
    ($($trait:ident::$method:ident),*) => {$(
        impl ser::$trait for List<'_> {
            type Ok = ();
            type Error = EncodeError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                value.serialize(ValueWriter::new(self.out))?;
                self.out.flush_if_full()
            }

            fn end(self) -> Done {
                self.out.extend_from_slice(b"</data></array></value>");
                if self.in_variant {
                    self.out.extend_from_slice(VARIANT_END);
                }
                Ok(())
            }
        }
    )*};
}

list!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

pub(super) struct Members<'a> {
    out: &'a mut Out,
    in_variant: bool,
}

impl Members<'_> {
    fn name(&mut self, name: &str) {
        self.out.extend_from_slice(b"<member><name>");
        escape_into(name, self.out);
        self.out.extend_from_slice(b"</name>");
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(ValueWriter::new(self.out))?;
        self.out.extend_from_slice(b"</member>");
        Ok(())
    }

    fn finish(self) -> Done {
        self.out.extend_from_slice(b"</struct></value>");
        if self.in_variant {
            self.out.extend_from_slice(VARIANT_END);
        }
        Ok(())
    }
}

impl ser::SerializeMap for Members<'_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        key.serialize(KeySerializer::new(|name: &str| self.name(name)))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.value(value)
    }

    fn end(self) -> Done {
        self.finish()
    }
}

macro_rules! members {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Members<'_> {
            type Ok = ();
            type Error = EncodeError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
                self.name(name);
                self.value(value)
            }

            fn end(self) -> Done {
                self.finish()
            }
        }
    )*};
}

members!(SerializeStruct, SerializeStructVariant);
