//! Search by name, over all that has one.

use super::{Listing, QueryOpts, method};

/// What was found.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Found {
    /// Its id, of the kind that was searched for.
    pub id: i64,
    /// Its name; of a build the name-version-release, of an RPM its file's name.
    pub name: String,
}

method! {
    /// Finds things of one kind by their names.
    Search = "search", Anonymous, Read => Listing<Found> {
        /// What to look for.
        terms "terms": String = required,
        /// `package`, `build`, `tag`, `target`, `user`, `host` or `rpm`; `maven`, `win` and `file` find nothing here.
        kind "type": String = required,
        /// `glob` (`*`, `?`) or `regexp`, both blind to upper and lower case; anything else means the very name.
        match_type "matchType": String = required,
        /// How the list is cut and sorted.
        query_opts "queryOpts": Option<QueryOpts> = nil,
    }
}
