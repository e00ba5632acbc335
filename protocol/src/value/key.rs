//! Names of struct members from whatever a Rust map has for keys.

use std::fmt::Display;
use std::marker::PhantomData;

use serde::ser::{Error, Impossible, Serialize, Serializer};

/// Hands a map key as text to a function, so that the one who wants no copy makes none.
///
/// Strings, chars, integers (in decimal) and enum variants without content may be keys.
pub(crate) struct KeySerializer<F, E> {
    take: F,
    error: PhantomData<E>,
}

impl<F, E> KeySerializer<F, E> {
    pub(crate) fn new(take: F) -> Self {
        Self { take, error: PhantomData }
    }
}

impl<R, F: FnOnce(&str) -> R, E: Error> KeySerializer<F, E> {
    fn refuse<T>(kind: &str) -> Result<T, E> {
        Err(E::custom(format_args!("a struct's member cannot be named by {kind}")))
    }

    fn show(self, key: impl Display) -> Result<R, E> {
        Ok((self.take)(&key.to_string()))
    }
}

macro_rules! shown {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, key: $type) -> Result<R, E> {
            self.show(key)
        }
    )*};
}

impl<R, F: FnOnce(&str) -> R, E: Error> Serializer for KeySerializer<F, E> {
    type Ok = R;
    type Error = E;
    type SerializeSeq = Impossible<R, E>;
    type SerializeTuple = Impossible<R, E>;
    type SerializeTupleStruct = Impossible<R, E>;
    type SerializeTupleVariant = Impossible<R, E>;
    type SerializeMap = Impossible<R, E>;
    type SerializeStruct = Impossible<R, E>;
    type SerializeStructVariant = Impossible<R, E>;

    shown! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_char: char
    }

    fn serialize_str(self, key: &str) -> Result<R, E> {
        Ok((self.take)(key))
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<R, E> {
        Ok((self.take)(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, key: &T) -> Result<R, E> {
        key.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, key: &T) -> Result<R, E> {
        key.serialize(self)
    }

    fn serialize_bool(self, _: bool) -> Result<R, E> {
        Self::refuse("a boolean")
    }

    fn serialize_f32(self, _: f32) -> Result<R, E> {
        Self::refuse("a double")
    }

    fn serialize_f64(self, _: f64) -> Result<R, E> {
        Self::refuse("a double")
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<R, E> {
        Self::refuse("binary data")
    }

    fn serialize_none(self) -> Result<R, E> {
        Self::refuse("nil")
    }

    fn serialize_unit(self) -> Result<R, E> {
        Self::refuse("nil")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<R, E> {
        Self::refuse("nil")
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<R, E> {
        Self::refuse("a struct")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, E> {
        Self::refuse("a list")
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, E> {
        Self::refuse("a list")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, E> {
        Self::refuse("a list")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, E> {
        Self::refuse("a struct")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, E> {
        Self::refuse("a struct")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, E> {
        Self::refuse("a struct")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, E> {
        Self::refuse("a struct")
    }
}
