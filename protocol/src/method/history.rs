//! What was changed, when, and by whom.

use std::collections::BTreeMap;

use super::{Listing, Named, method};

method! {
    /// The rows of versioned tables, revoked ones included, by table. Named arguments narrow it down: `before`, `after` (times),
    /// `beforeEvent`, `afterEvent`, `active`, `editor`; and, each leaving out the tables that it cannot mean, `tag`, `build`, `package`,
    /// `user`, `permission`, `cg`, `external_repo`, `build_target`, `group`, `host`, `channel`, `xkey`; `queryOpts` holds for each table
    /// alone.
    QueryHistory = "queryHistory", Anonymous, Read => BTreeMap<String, Listing<Named>> {
        /// The tables; nil = all.
        tables "tables": Option<Vec<String>> = nil,
        /// What to look for.
        wanted "kwargs": Named = named,
    }
}
