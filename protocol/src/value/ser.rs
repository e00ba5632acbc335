//! From Rust to [`Value`], and from [`Value`] to any serde format.

use std::fmt::Display;

use base64::{Engine, display::Base64Display, prelude::BASE64_STANDARD};
use serde::ser::{self, Serialize, Serializer};

use super::{Map, Value, ValueError, key::KeySerializer};

/// Names a newtype whose content is base64 text: JSON shows the text, our own serializers know it for bytes.
pub(crate) const BASE64_TOKEN: &str = "$toji::Base64";
/// Names a newtype whose content is a dateTime's text, likewise.
pub(crate) const DATE_TIME_TOKEN: &str = "$toji::DateTime";

/// Turns any serializable Rust value into a [`Value`].
///
/// Tuples become lists, structs and maps structs (integer keys in decimal), `()` and `None` nil, an enum variant without
/// content its name, one with content a struct of one member.
///
/// # Errors
/// An integer beyond 64 bits signed, a map key that is no string, or an error of the value's own `Serialize`.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, ValueError> {
    value.serialize(ValueSerializer)
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Double(value) => serializer.serialize_f64(*value),
            Self::String(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_newtype_struct(BASE64_TOKEN, &Base64(bytes)),
            Self::DateTime(text) => serializer.serialize_newtype_struct(DATE_TIME_TOKEN, text),
            Self::Array(items) => items.serialize(serializer),
            Self::Struct(members) => members.serialize(serializer),
        }
    }
}

struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &BASE64_STANDARD))
    }
}

struct ValueSerializer;

/// An integer of any type, if it fits.
fn int<T: TryInto<i64> + Display + Copy>(value: T) -> Result<Value, ValueError> {
    match value.try_into() {
        Ok(value) => Ok(Value::Int(value)),
        Err(_) => Err(ValueError::new(format!("the int {value} does not fit in 64 bits, signed"))),
    }
}

macro_rules! ints {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, value: $type) -> Result<Value, ValueError> {
            int(value)
        }
    )*};
}

impl Serializer for ValueSerializer {
    type Ok = Value;
    type Error = ValueError;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Members;
    type SerializeStruct = Members;
    type SerializeStructVariant = Members;

    ints! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128
    }

    fn serialize_bool(self, value: bool) -> Result<Value, ValueError> {
        Ok(Value::Bool(value))
    }

    fn serialize_f32(self, value: f32) -> Result<Value, ValueError> {
        Ok(Value::Double(value.into()))
    }

    fn serialize_f64(self, value: f64) -> Result<Value, ValueError> {
        Ok(Value::Double(value))
    }

    fn serialize_char(self, value: char) -> Result<Value, ValueError> {
        Ok(Value::String(value.into()))
    }

    fn serialize_str(self, text: &str) -> Result<Value, ValueError> {
        Ok(text.into())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Value, ValueError> {
        Ok(Value::Bytes(bytes.to_vec()))
    }

    fn serialize_none(self) -> Result<Value, ValueError> {
        Ok(Value::Nil)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, ValueError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, ValueError> {
        Ok(Value::Nil)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, ValueError> {
        Ok(Value::Nil)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Value, ValueError> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Value, ValueError> {
        match (name, value.serialize(self)?) {
            (BASE64_TOKEN, Value::String(text)) => {
                BASE64_STANDARD.decode(text).map(Value::Bytes).map_err(ser::Error::custom)
            }
            (DATE_TIME_TOKEN, Value::String(text)) => Ok(Value::DateTime(text)),
            (_, value) => Ok(value),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, ValueError> {
        Ok(single(variant, to_value(value)?))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<List, ValueError> {
        Ok(List::new(None, length.unwrap_or(0)))
    }

    fn serialize_tuple(self, length: usize) -> Result<List, ValueError> {
        Ok(List::new(None, length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<List, ValueError> {
        Ok(List::new(None, length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<List, ValueError> {
        Ok(List::new(Some(variant), length))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Members, ValueError> {
        Ok(Members::new(None, length.unwrap_or(0)))
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Members, ValueError> {
        Ok(Members::new(None, length))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Members, ValueError> {
        Ok(Members::new(Some(variant), length))
    }
}

/// A struct of one member: an enum variant with its content.
fn single(name: &str, value: Value) -> Value {
    Value::Struct(Map::from_iter([(name.to_owned(), value)]))
}

fn in_variant(variant: Option<&str>, value: Value) -> Value {
    match variant {
        Some(name) => single(name, value),
        None => value,
    }
}

/// A length is only a hint: no more than this is reserved on its word.
const RESERVED: usize = 1024;

struct List {
    variant: Option<&'static str>,
    items: Vec<Value>,
}

impl List {
    fn new(variant: Option<&'static str>, length: usize) -> Self {
        Self { variant, items: Vec::with_capacity(length.min(RESERVED)) }
    }

    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        let value = to_value(value).map_err(|error| error.at_index(self.items.len()))?;
        self.items.push(value);
        Ok(())
    }

    fn done(self) -> Value {
        in_variant(self.variant, Value::Array(self.items))
    }
}

macro_rules! list {
    ($($trait:ident::$method:ident),*) => {$(
        impl ser::$trait for List {
            type Ok = Value;
            type Error = ValueError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
                self.push(value)
            }

            fn end(self) -> Result<Value, ValueError> {
                Ok(self.done())
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

struct Members {
    variant: Option<&'static str>,
    members: Vec<(String, Value)>,
    /// A map's key, until its value comes.
    key: Option<String>,
}

impl Members {
    fn new(variant: Option<&'static str>, length: usize) -> Self {
        Self { variant, members: Vec::with_capacity(length.min(RESERVED)), key: None }
    }

    fn push<T: Serialize + ?Sized>(&mut self, name: String, value: &T) -> Result<(), ValueError> {
        let value = to_value(value).map_err(|error| error.in_member(&name))?;
        self.members.push((name, value));
        Ok(())
    }

    fn done(self) -> Value {
        in_variant(self.variant, Value::Struct(Map::from_iter(self.members)))
    }
}

impl ser::SerializeMap for Members {
    type Ok = Value;
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        self.key = Some(key.serialize(KeySerializer::new(str::to_owned))?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        match self.key.take() {
            Some(key) => self.push(key, value),
            None => Err(ser::Error::custom("a map's value came before its key")),
        }
    }

    fn end(self) -> Result<Value, ValueError> {
        Ok(self.done())
    }
}

macro_rules! members {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Members {
            type Ok = Value;
            type Error = ValueError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), ValueError> {
                self.push(name.to_owned(), value)
            }

            fn end(self) -> Result<Value, ValueError> {
                Ok(self.done())
            }
        }
    )*};
}

members!(SerializeStruct, SerializeStructVariant);
