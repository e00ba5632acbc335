//! The reply to a multicall, written entry by entry.

use serde::Serialize;

use super::Fault;
use super::encode::{EncodeError, RESPONSE_HEAD, RESPONSE_TAIL, encode_value_into, write_fault_members};

/// Collects the answers of a multicall's entries, in their order.
///
/// Each is encoded as it comes, so that no result is kept longer than its call.
#[derive(Debug)]
pub struct MulticallReply {
    out: Vec<u8>,
}

impl Default for MulticallReply {
    fn default() -> Self {
        Self::new()
    }
}

impl MulticallReply {
    /// A reply without entries.
    pub fn new() -> Self {
        let mut out = RESPONSE_HEAD.to_vec();
        out.extend_from_slice(b"<value><array><data>");
        Self { out }
    }

    /// Appends the result of an entry: on the wire, a list that has only it.
    ///
    /// # Errors
    /// See [`EncodeError`]. The entry is then still to be answered: with a fault.
    pub fn push_result<T: Serialize + ?Sized>(&mut self, result: &T) -> Result<(), EncodeError> {
        encode_value_into(&(result,), &mut self.out)
    }

    /// Appends the fault of an entry. Koji's client expects a traceback; its lines may be none.
    pub fn push_fault(&mut self, fault: &Fault, traceback: &[&str]) -> Result<(), EncodeError> {
        let before = self.out.len();
        self.out.extend_from_slice(b"<value><struct>");
        write_fault_members(fault.code, &fault.message, &mut self.out);
        self.out.extend_from_slice(b"<member><name>traceback</name>");
        encode_value_into(traceback, &mut self.out).inspect_err(|_| self.out.truncate(before))?;
        self.out.extend_from_slice(b"</member></struct></value>");
        Ok(())
    }

    /// The whole document.
    pub fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(b"</data></array></value>");
        self.out.extend_from_slice(RESPONSE_TAIL);
        self.out
    }
}
