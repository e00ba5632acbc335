//! Search by name, over all that has one.

mod sql;

use toji_protocol::method::{
    Listing,
    search::{Found, Search},
};

use crate::{
    Error, Result,
    call::{Cx, Handle, Table},
    listing,
};

pub(crate) fn methods(table: &mut Table) {
    table.add::<Search>();
}

/// How a name must look.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted<'a> {
    /// Exactly so.
    Name(&'a str),
    /// As this LIKE pattern, blind to case.
    Like(String),
    /// As this regular expression, blind to case.
    Regexp(&'a str),
}

impl Handle for Search {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<Found>> {
        if self.terms.is_empty() {
            return Err(Error::invalid("empty search terms: say what to look for"));
        }
        let opts = self.query_opts.unwrap_or_default();
        let wanted = match self.match_type.as_str() {
            "glob" => Wanted::Like(listing::like(&self.terms)),
            "regexp" => Wanted::Regexp(&self.terms),
            _ => Wanted::Name(&self.terms),
        };
        let place = match self.kind.as_str() {
            // Koji's kinds that are not built here, and one that it has given up itself
            "maven" | "win" | "file" => return listing::in_memory(Vec::new(), Some(&opts)),
            kind => sql::place(kind).ok_or_else(|| Error::invalid(format!("No such search type: {kind}")))?,
        };
        sql::search(cx.db().await?, &place, &wanted, &opts).await
    }
}
