//! The statement of a search. It is put together from fixed parts only; what is searched for is bound.

use sqlx::{PgConnection, Postgres, QueryBuilder};
use toji_protocol::{
    method::{Listing, QueryOpts, search::Found},
    nvr::{Nvr, Nvra},
};

use super::Wanted;
use crate::{Error, Result, listing};

/// From the name that is searched for, a column that has an index, and the value in it; None when no such name can be.
type Narrow = fn(&str) -> Option<(&'static str, String)>;

/// Where things of a kind are.
pub(super) struct Place {
    from: &'static str,
    id: &'static str,
    name: &'static str,
    /// Narrows an exact search down to what an index finds.
    index: Option<Narrow>,
}

/// Where things of a kind are; None when there is no such kind.
pub(super) fn place(kind: &str) -> Option<Place> {
    let named = |from| Some(Place { from, id: "id", name: "name", index: None });
    match kind {
        "package" => named("package"),
        "user" => named("users"),
        "host" => named("host"),
        "tag" => named("tag JOIN tag_config ON tag_id = id AND active"),
        "target" => named("build_target JOIN build_target_config ON build_target_id = id AND active"),
        "build" => Some(Place {
            from: "build JOIN package ON package.id = pkg_id",
            id: "build.id",
            name: "package.name || '-' || version || '-' || release",
            index: Some(|term| Nvr::parse(term).ok().map(|nvr| ("package.name", nvr.name))),
        }),
        "rpm" => Some(Place {
            from: "rpminfo",
            id: "id",
            name: "name || '-' || version || '-' || release || '.' || arch || '.rpm'",
            index: Some(|term| Nvra::parse(term).ok().map(|rpm| ("name", rpm.nvr.name))),
        }),
        _ => None,
    }
}

/// What Postgres says of a regular expression that is none.
const INVALID_REGEXP: &str = "2201B";

pub(super) async fn search(
    conn: &mut PgConnection,
    place: &Place,
    wanted: &Wanted<'_>,
    opts: &QueryOpts,
) -> Result<Listing<Found>> {
    let Place { from, id, name, index } = place;
    let mut sql = QueryBuilder::<Postgres>::new(if opts.count_only { "SELECT count(*) FROM (" } else { "" });
    sql.push(format!("SELECT {id} AS id, {name} AS name FROM {from} WHERE {name} "));
    match wanted {
        Wanted::Name(term) => {
            sql.push("= ").push_bind(*term);
            match index.map(|index| index(term)) {
                Some(Some((column, value))) => {
                    sql.push(format!(" AND {column} = ")).push_bind(value);
                }
                // no such name can be
                Some(None) => return listing::in_memory(Vec::new(), Some(opts)),
                None => {}
            }
        }
        Wanted::Like(pattern) => {
            sql.push("ILIKE ").push_bind(pattern);
        }
        Wanted::Regexp(pattern) => {
            sql.push("~* ").push_bind(*pattern);
        }
    }
    let has_order = opts.order.as_ref().is_some_and(|order| !order.is_empty());
    if !has_order {
        sql.push(" ORDER BY 1");
    }
    sql.push(listing::sql_tail(opts, &[("id", "1"), ("name", "2")])?);
    if opts.count_only {
        sql.push(") AS found");
        return Ok(Listing::Count(sql.build_query_scalar().fetch_one(conn).await.map_err(no_regexp)?));
    }
    let rows: Vec<(i64, String)> = sql.build_query_as().fetch_all(conn).await.map_err(no_regexp)?;
    listing::shape(rows.into_iter().map(|(id, name)| Found { id, name }).collect(), Some(opts))
}

fn no_regexp(error: sqlx::Error) -> Error {
    match error.as_database_error() {
        Some(cause) if cause.code().as_deref() == Some(INVALID_REGEXP) => Error::invalid(cause.message().to_owned()),
        _ => error.into(),
    }
}
