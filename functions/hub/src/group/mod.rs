//! placeholder

use crate::call::Table;

pub(crate) fn methods(_table: &mut Table) {}
