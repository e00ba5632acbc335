//! XML-RPC as Koji speaks it: calls and replies, to and from [`Value`]s and any serializable type.
//!
//! Koji's dialect adds `<nil/>`, `<i8>` for integers beyond 32 bits, and named arguments ([`split_named`]). Replies are
//! written straight into bytes, without a [`Value`] between.

mod decode;
mod encode;
mod multicall;
mod out;
mod ser;
mod starstar;
mod text;
mod token;

pub use decode::{DecodeError, decode_call, decode_response};
pub use encode::{
    EncodeError, encode_call, encode_fault, encode_response, encode_response_in_pieces, encode_short_response,
    encode_value_into,
};
pub use multicall::MulticallReply;
pub use starstar::{join_named, split_named};

use crate::value::Value;

/// A method call as it came over the wire; its parameters may hold named ones still ([`split_named`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub method: String,
    pub params: Vec<Value>,
}

/// An error that a method answered with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (fault {code})")]
pub struct Fault {
    /// Koji's number for the kind of error, 1000 to 1024; 1 is an unexpected one.
    pub code: i32,
    /// A sentence for the user.
    pub message: String,
}
