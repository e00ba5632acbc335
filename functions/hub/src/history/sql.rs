//! The statement that reads a versioned table.
//!
//! Names of tables and columns are ours, from `tables`; all that a caller gave is bound.

use sqlx::{PgConnection, Postgres, QueryBuilder};
use toji_protocol::{
    method::{Listing, Named},
    value::Value,
};

use super::{
    tables::{Subject, VersionedTable},
    wanted::{About, Wanted},
};
use crate::{Error, Result, listing};

/// The id and name of something.
pub(super) async fn find(
    conn: &mut PgConnection,
    subject: Subject,
    id: Option<i64>,
    name: Option<&str>,
) -> Result<Option<(i64, String)>> {
    let mut sql = QueryBuilder::<Postgres>::new(format!("SELECT id, name FROM {} WHERE id = ", subject.table()));
    sql.push_bind(id).push(" OR name = ").push_bind(name);
    Ok(sql.build_query_as().fetch_optional(conn).await?)
}

/// What every table shows: the expression, and its name.
const COMMON: [(&str, &str); 9] = [
    ("t.active", "active"),
    ("t.create_event", "create_event"),
    ("t.revoke_event", "revoke_event"),
    ("t.creator_id", "creator_id"),
    ("t.revoker_id", "revoker_id"),
    ("creator.name", "creator_name"),
    ("revoker.name", "revoker_name"),
    ("extract(epoch FROM made.time)::float8", "create_ts"),
    ("extract(epoch FROM revoked.time)::float8", "revoke_ts"),
];

/// What is shown of a build, beside its id.
const OF_BUILD: [(&str, &str); 5] = [
    ("package.name", "name"),
    ("build.version", "version"),
    ("build.release", "release"),
    ("build.epoch", "epoch"),
    ("build.state", "build.state"),
];

/// A condition, and the names of its two halves: stock clients print only the halves that are true.
struct Halves {
    made: (String, &'static str),
    revoked: (String, &'static str),
}

/// A table's rows, oldest first unless an order is asked for.
pub(super) async fn rows(conn: &mut PgConnection, table: &VersionedTable, wanted: &Wanted) -> Result<Listing<Named>> {
    let opts = &wanted.opts;
    let halves = halves(wanted);
    let mut shown: Vec<(String, String)> =
        COMMON.iter().map(|(expression, name)| ((*expression).to_owned(), (*name).to_owned())).collect();
    for (at, pointer) in table.pointers.iter().enumerate() {
        shown.push((format!("t.{}", pointer.column), pointer.column.to_owned()));
        shown.push((format!("named{at}.name"), pointer.shown.to_owned()));
    }
    shown.extend(table.columns.iter().map(|column| (format!("t.{column}"), (*column).to_owned())));
    if table.is_of_builds() {
        shown.extend(OF_BUILD.iter().map(|(expression, name)| ((*expression).to_owned(), (*name).to_owned())));
    }
    for half in halves.iter().flat_map(|halves| [&halves.made, &halves.revoked]) {
        shown.push((half.0.clone(), half.1.to_owned()));
    }

    let columns: Vec<String> = shown.iter().map(|(expression, name)| format!("{expression} AS \"{name}\"")).collect();
    let what = if opts.count_only { "count(*)" } else { "to_jsonb(history)" };
    let mut sql = QueryBuilder::<Postgres>::new(format!("SELECT {what} FROM (SELECT {}", columns.join(", ")));
    sql.push(joins(table));
    sql.push(" WHERE true");
    conditions(&mut sql, table, wanted, &halves);
    if opts.order.is_none() {
        sql.push(" ORDER BY t.create_event");
    }
    let quoted: Vec<(&str, String)> = shown.iter().map(|(_, name)| (name.as_str(), format!("\"{name}\""))).collect();
    let sortable: Vec<(&str, &str)> = quoted.iter().map(|(name, quoted)| (*name, quoted.as_str())).collect();
    sql.push(listing::sql_tail(opts, &sortable)?);
    sql.push(") AS history");
    if opts.count_only {
        return Ok(Listing::Count(sql.build_query_scalar().fetch_one(conn).await?));
    }
    let found: Vec<serde_json::Value> = sql.build_query_scalar().fetch_all(conn).await?;
    let rows: Vec<Named> = found.into_iter().map(row).collect::<Result<_>>()?;
    if opts.as_list {
        let list = |mut row: Named| shown.iter().map(|(_, name)| row.remove(name).unwrap_or_default()).collect();
        return Ok(Listing::Lists(rows.into_iter().map(list).collect()));
    }
    Ok(Listing::Rows(rows))
}

fn joins(table: &VersionedTable) -> String {
    let mut joins = format!(
        " FROM {} t JOIN events made ON made.id = t.create_event LEFT JOIN events revoked ON revoked.id = t.revoke_event
          JOIN users creator ON creator.id = t.creator_id LEFT JOIN users revoker ON revoker.id = t.revoker_id",
        table.name
    );
    for (at, pointer) in table.pointers.iter().enumerate() {
        let (column, names) = (pointer.column, pointer.subject.table());
        joins += &format!(" LEFT JOIN {names} named{at} ON named{at}.id = t.{column}");
    }
    if table.is_of_builds() {
        joins += " JOIN build ON build.id = t.build_id JOIN package ON package.id = build.pkg_id";
    }
    joins
}

/// Numbers and times are our own by now, so that they need no binding.
fn halves(wanted: &Wanted) -> Vec<Halves> {
    let both = |made: String, revoked: String, made_as, revoked_as| Halves {
        made: (made, made_as),
        revoked: (revoked, revoked_as),
    };
    let time =
        |time: chrono::DateTime<chrono::Utc>| format!("to_timestamp({}::float8 / 1000000)", time.timestamp_micros());
    let mut halves = Vec::new();
    if let Some(editor) = wanted.editor {
        let (made, revoked) = (format!("t.creator_id = {editor}"), format!("t.revoker_id = {editor}"));
        halves.push(both(made, revoked, "_created_by", "_revoked_by"));
    }
    if let Some(after) = wanted.after.map(time) {
        let (made, revoked) = (format!("made.time > {after}"), format!("revoked.time > {after}"));
        halves.push(both(made, revoked, "_created_after", "_revoked_after"));
    }
    if let Some(before) = wanted.before.map(time) {
        let (made, revoked) = (format!("made.time < {before}"), format!("revoked.time < {before}"));
        halves.push(both(made, revoked, "_created_before", "_revoked_before"));
    }
    if let Some(event) = wanted.after_event {
        let (made, revoked) = (format!("t.create_event > {event}"), format!("t.revoke_event > {event}"));
        halves.push(both(made, revoked, "_created_after_event", "_revoked_after_event"));
    }
    if let Some(event) = wanted.before_event {
        let (made, revoked) = (format!("t.create_event < {event}"), format!("t.revoke_event < {event}"));
        halves.push(both(made, revoked, "_created_before_event", "_revoked_before_event"));
    }
    halves
}

fn conditions(sql: &mut QueryBuilder<Postgres>, table: &VersionedTable, wanted: &Wanted, halves: &[Halves]) {
    for half in halves {
        sql.push(format!(" AND ({} OR {})", half.made.0, half.revoked.0));
    }
    match wanted.active {
        Some(true) => sql.push(" AND t.active"),
        Some(false) => sql.push(" AND t.active IS NULL"),
        None => sql,
    };
    for about in &wanted.about {
        match about {
            About::Id(Subject::Build, id) => {
                sql.push(" AND t.build_id = ").push_bind(*id);
            }
            About::Id(subject, id) => points_at(sql, table, *subject, *id),
            About::Package(id, _) if table.is_of_builds() => {
                sql.push(" AND build.pkg_id = ").push_bind(*id);
            }
            About::Package(_, name) if table.columns.contains(&"package") => {
                sql.push(" AND t.package = ").push_bind(name.clone());
            }
            About::Package(id, _) => points_at(sql, table, Subject::Package, Some(*id)),
            About::ExtraKey(key) => {
                sql.push(" AND t.key = ").push_bind(key.clone());
            }
        }
    }
}

/// One of the columns that can, points at it.
fn points_at(sql: &mut QueryBuilder<Postgres>, table: &VersionedTable, subject: Subject, id: Option<i64>) {
    sql.push(" AND (false");
    for pointer in table.pointers.iter().filter(|pointer| pointer.subject == subject) {
        sql.push(format!(" OR t.{} = ", pointer.column)).push_bind(id);
    }
    sql.push(")");
}

/// A row as JSON, as a struct. JSON does not tell 5.0 from 5; what is no whole number by its meaning, stays none.
fn row(json: serde_json::Value) -> Result<Named> {
    const NOT_WHOLE: [&str; 3] = ["create_ts", "revoke_ts", "capacity"];
    let mut row: Named = serde_json::from_value(json).map_err(Error::internal)?;
    for name in NOT_WHOLE {
        if let Some(Value::Int(number)) = row.get(name) {
            let number = *number as f64;
            row.insert(name, Value::Double(number));
        }
    }
    Ok(row)
}
