//! The dynamic value that API calls, stored task requests and task results are made of.
//!
//! A [`Value`] is what XML-RPC can say, and no more. Typed parameters and results go through serde:
//! [`to_value`] and [`from_value`] are to this type what their namesakes are to JSON.

mod de;
mod error;
pub(crate) mod key;
mod map;
mod ser;
mod visit;

pub use de::from_value;
pub use error::ValueError;
pub use map::Map;
pub use ser::to_value;
pub(crate) use ser::{BASE64_TOKEN, DATE_TIME_TOKEN};

/// One value as Koji's API knows it.
///
/// In JSON, [`Value::Bytes`] is a string of base64 and [`Value::DateTime`] a plain string; reading that JSON back gives
/// [`Value::String`] for both.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Value {
    /// Nothing: Python's `None`, XML-RPC's `<nil/>`, JSON's `null`.
    #[default]
    Nil,
    Bool(bool),
    /// Koji's integers are those of a 64-bit column; larger ones are refused, never rounded.
    Int(i64),
    Double(f64),
    String(String),
    /// Raw bytes, `<base64>` on the wire.
    Bytes(Vec<u8>),
    /// `dateTime.iso8601`, kept as its text: Koji reads and echoes it, but never makes one.
    DateTime(String),
    Array(Vec<Value>),
    Struct(Map),
}

impl Value {
    /// What this is, for an error message: `nil`, `a list`, `a struct` …
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an int",
            Self::Double(_) => "a double",
            Self::String(_) => "a string",
            Self::Bytes(_) => "binary data",
            Self::DateTime(_) => "a dateTime",
            Self::Array(_) => "a list",
            Self::Struct(_) => "a struct",
        }
    }

    /// Whether this is [`Value::Nil`].
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    /// Whether Python would take this for true in a condition.
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Double(value) => *value != 0.0,
            Self::String(text) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::DateTime(_) => true,
            Self::Array(items) => !items.is_empty(),
            Self::Struct(members) => !members.is_empty(),
        }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is an int.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The items, if this is a list.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The members, if this is a struct.
    pub fn as_struct(&self) -> Option<&Map> {
        match self {
            Self::Struct(members) => Some(members),
            _ => None,
        }
    }

    /// The member `key`, if this is a struct that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_struct()?.get(key)
    }
}

macro_rules! from {
    ($($from:ty => |$x:ident| $value:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($x: $from) -> Self {
                $value
            }
        }
    )*};
}

from! {
    bool => |x| Self::Bool(x);
    i32 => |x| Self::Int(x.into());
    i64 => |x| Self::Int(x);
    f64 => |x| Self::Double(x);
    &str => |x| Self::String(x.to_owned());
    String => |x| Self::String(x);
    Vec<u8> => |x| Self::Bytes(x);
    Vec<Value> => |x| Self::Array(x);
    Map => |x| Self::Struct(x);
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::Nil, Into::into)
    }
}

impl schemars::JsonSchema for Value {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        true.into()
    }
}
