//! Content generators: builds that were made elsewhere, and come with a description of how.
//!
//! - here: who may act for which; `reserve`: names that are kept for them
//! - `metadata`: the description, as it is written; `check`: what it must agree with; `import`: from there to a build

mod access;

pub(crate) use access::{assert_access, find, require};

use toji_protocol::method::content_generator::{GrantCgAccess, ListCgs, RevokeCgAccess};

use crate::call::Table;

pub(crate) fn methods(table: &mut Table) {
    table.add::<ListCgs>().add::<GrantCgAccess>().add::<RevokeCgAccess>();
}
