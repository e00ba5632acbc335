//! Content generators: builds that were made elsewhere, and come with a description of how.
//!
//! - `access`: who may act for which; `reserve`: names that are kept for them
//! - `metadata`: the description, as it is written; `check`, `components`, `digest`: what it must agree with
//! - `import`: from there to a build; `rows`: what is noted of it

mod access;
mod check;
mod components;
mod digest;
mod import;
mod metadata;
mod reserve;
mod rows;

pub(crate) use access::{assert_access, find, require};

use toji_protocol::method::content_generator::{
    CgImport, CgInitBuild, CgRefundBuild, GrantCgAccess, ListCgs, RevokeCgAccess,
};

use crate::call::Table;

pub(crate) fn methods(table: &mut Table) {
    table.add::<ListCgs>().add::<GrantCgAccess>().add::<RevokeCgAccess>();
    table.add::<CgInitBuild>().add::<CgRefundBuild>().add::<CgImport>();
}
