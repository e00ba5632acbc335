//! API methods: one Rust type each. The hub's table, both encodings, `_listapi`, the OpenAPI document and the typed client
//! are all made from these.
//!
//! A file a domain. To add a method: describe it here with `method!`, answer it in `toji-hub`'s domain of the same name,
//! and name it in the hub's table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::value::{Map, Value};

pub mod archive;
pub mod build;
pub mod buildroot;
pub mod callback;
pub mod channel;
pub mod content;
pub mod content_generator;
pub mod external_repo;
pub mod group;
pub mod history;
pub mod host;
pub mod import;
pub mod notification;
pub mod package;
pub mod policy;
pub mod repo;
pub mod rpm;
pub mod scheduler;
pub mod search;
pub mod session;
pub mod sidetag;
pub mod sign;
pub mod system;
pub mod tag;
pub mod target;
pub mod task;
pub mod upload;
pub mod user;
pub mod volume;
pub mod worker;

mod bind;

pub use bind::{BindError, bind, to_named};

/// Who may call a method. Rules that depend on the arguments stand in the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Anonymous,
    /// Anybody who is logged in.
    LoggedIn,
    /// Who has this permission, or `admin`.
    Permission(&'static str),
    /// Only a builder, on its own behalf.
    Host,
}

/// What a call does, which decides how it is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Reads the database; needs no transaction.
    Read,
    /// Changes the database, in one transaction.
    Write,
    /// Speaks to S3, so it must not sit in a transaction; makes its own where it needs one.
    Outside,
}

/// A method of the API. The type itself holds the arguments of one call.
pub trait Method: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The name on the wire.
    const NAME: &'static str;
    /// Who may call it.
    const ACCESS: Access;
    /// How it is run.
    const EFFECT: Effect;
    /// Its parameters, in order.
    const PARAMS: &'static [Param];
    /// What it does.
    const DOC: &'static str;
    /// What it answers.
    type Output: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Koji's name for it.
    pub name: &'static str,
    /// Whether it may be left out.
    pub kind: ParamKind,
}

/// Whether and how a parameter may be left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ParamKind {
    /// It must be given.
    Required,
    /// It may be left out, and is then this.
    Optional(Default),
    /// Takes all further positional arguments.
    Rest,
    /// Takes all named arguments that are no other parameter's.
    RestNamed,
}

/// What an argument is when left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// nil
    Nil,
    /// false
    False,
    /// true
    True,
    /// A number.
    Int(i64),
    /// A text.
    Text(&'static str),
}

impl Default {
    /// The argument itself.
    pub fn value(self) -> Value {
        match self {
            Default::Nil => Value::Nil,
            Default::False => Value::Bool(false),
            Default::True => Value::Bool(true),
            Default::Int(number) => Value::Int(number),
            Default::Text(text) => Value::String(text.to_owned()),
        }
    }

    /// As Python would write it, for `_listapi`.
    pub fn python(self) -> String {
        match self {
            Default::Nil => "None".to_owned(),
            Default::False => "False".to_owned(),
            Default::True => "True".to_owned(),
            Default::Int(number) => number.to_string(),
            Default::Text(text) => format!("'{text}'"),
        }
    }
}

/// Describes a method: `Type = "wireName", Access, Effect => Output { parameters }`. A parameter reads
/// `field "wireName": Type = kind`, where the kind is `required`, a default (`nil`, `no`, `yes`, `int N`, `text "…"`), `rest` or `named`.
macro_rules! method {
    ($(
        $(#[doc = $doc:literal])*
        $name:ident = $wire:literal, $access:expr, $effect:ident => $output:ty {
            $( $(#[doc = $fdoc:literal])* $field:ident $fwire:literal : $ftype:ty = $kind:ident $($arg:literal)? ),* $(,)?
        }
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        pub struct $name {
            $( $(#[doc = $fdoc])* #[serde(rename = $fwire)] pub $field: $ftype, )*
        }

        impl $crate::method::Method for $name {
            const NAME: &'static str = $wire;
            const ACCESS: $crate::method::Access = { use $crate::method::Access::*; $access };
            const EFFECT: $crate::method::Effect = $crate::method::Effect::$effect;
            const PARAMS: &'static [$crate::method::Param] = &[
                $($crate::method::Param { name: $fwire, kind: $crate::method::kind!($kind $($arg)?) }),*
            ];
            const DOC: &'static str = concat!($($doc, "\n"),*).trim_ascii();
            type Output = $output;
        }
    )*};
}

macro_rules! kind {
    (required) => {
        $crate::method::ParamKind::Required
    };
    (nil) => {
        $crate::method::ParamKind::Optional($crate::method::Default::Nil)
    };
    (no) => {
        $crate::method::ParamKind::Optional($crate::method::Default::False)
    };
    (yes) => {
        $crate::method::ParamKind::Optional($crate::method::Default::True)
    };
    (int $number:literal) => {
        $crate::method::ParamKind::Optional($crate::method::Default::Int($number))
    };
    (text $text:literal) => {
        $crate::method::ParamKind::Optional($crate::method::Default::Text($text))
    };
    (rest) => {
        $crate::method::ParamKind::Rest
    };
    (named) => {
        $crate::method::ParamKind::RestNamed
    };
}

pub(crate) use {kind, method};

/// How a list is cut and sorted: Koji's `queryOpts`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, std::default::Default)]
#[serde(default, rename_all = "camelCase")]
pub struct QueryOpts {
    /// Answer how many there are instead of the rows.
    pub count_only: bool,
    /// Columns to sort by, separated by commas; `-` in front sorts downwards.
    pub order: Option<String>,
    /// Rows to skip.
    pub offset: Option<i64>,
    /// Rows to answer at the most.
    pub limit: Option<i64>,
    /// Rows as lists of values instead of structs.
    pub as_list: bool,
    /// Columns to group by, where a call allows it.
    pub group: Option<String>,
}

/// The answer of a call with [`QueryOpts`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Listing<T> {
    /// With `countOnly`.
    Count(i64),
    /// As asked for by default.
    Rows(Vec<T>),
    /// With `asList`.
    Lists(Vec<Vec<Value>>),
}

impl<T> Listing<T> {
    /// The same list of something else.
    pub fn map<U>(self, row: impl FnMut(T) -> U) -> Listing<U> {
        match self {
            Listing::Count(count) => Listing::Count(count),
            Listing::Rows(rows) => Listing::Rows(rows.into_iter().map(row).collect()),
            Listing::Lists(lists) => Listing::Lists(lists),
        }
    }

    /// The rows; none when something else was asked for.
    pub fn into_rows(self) -> Vec<T> {
        match self {
            Listing::Rows(rows) => rows,
            Listing::Count(_) | Listing::Lists(_) => Vec::new(),
        }
    }
}

/// Conditions of a clause query: each `[field, value]` or `[field, operator, value]`. Operators are `=`, `!=`, `>`, `<`, `>=`, `<=`,
/// `IN`, `IS`, `IS NOT`, and for structs `@>` and `<@`.
pub type Clauses = Vec<Vec<Value>>;

/// One, or several at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// Several.
    Many(Vec<T>),
    /// One.
    One(T),
}

impl<T> OneOrMany<T> {
    /// All of them.
    pub fn into_vec(self) -> Vec<T> {
        match self {
            OneOrMany::Many(many) => many,
            OneOrMany::One(one) => vec![one],
        }
    }
}

/// Arguments that arrive as names and values and are looked at one by one, because absent and nil differ.
pub type Named = Map;

/// Whether Koji calls it true: nil, false, zero and empty things are not.
pub fn is_truthy(value: &Value) -> bool {
    value.is_truthy()
}
