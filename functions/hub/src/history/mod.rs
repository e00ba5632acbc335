//! `queryHistory`: what was changed, when, and by whom.
//!
//! - `tables`: the versioned tables, and which of their columns name what
//! - `wanted`: what is looked for; `sql`: the statement for a table, one each
//!
//! `build_config` is not among the tables: it is not Koji's, whose clients would stumble over it.

mod sql;
mod tables;
mod wanted;

use std::collections::BTreeMap;

use tables::{TABLES, VersionedTable};
use toji_protocol::method::{Listing, Named, history::QueryHistory};
use wanted::Wanted;

use crate::{
    Error, Result,
    call::{Cx, Handle, Table},
};

pub(crate) fn methods(table: &mut Table) {
    table.add::<QueryHistory>();
}

fn chosen(names: Option<Vec<String>>) -> Result<Vec<&'static VersionedTable>> {
    let Some(names) = names else { return Ok(TABLES.iter().collect()) };
    let find = |name: &String| TABLES.iter().find(|table| table.name == name);
    names
        .iter()
        .map(|name| find(name).ok_or_else(|| Error::missing(format!("No such history table: {name}"))))
        .collect()
}

impl Handle for QueryHistory {
    async fn handle(self, cx: &mut Cx) -> Result<BTreeMap<String, Listing<Named>>> {
        let tables = chosen(self.tables)?;
        let conn = cx.db().await?;
        let wanted = Wanted::resolve(conn, &self.wanted).await?;
        let mut found = BTreeMap::new();
        for table in tables.into_iter().filter(|table| wanted.can_be_in(table)) {
            found.insert(table.name.to_owned(), sql::rows(conn, table, &wanted).await?);
        }
        Ok(found)
    }
}
