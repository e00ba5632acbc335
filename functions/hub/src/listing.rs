//! Koji's `queryOpts`: how lists are counted, sorted and cut.

use std::cmp::Ordering;

use serde::Serialize;
use toji_protocol::{
    method::{Listing, QueryOpts},
    value::{Value, to_value},
};

use crate::{Error, Result};

/// The `ORDER BY`, `OFFSET` and `LIMIT` of a query whose columns may be sorted by the given names.
///
/// # Errors
/// When `order` names another column.
pub fn sql_tail(opts: &QueryOpts, columns: &[(&str, &str)]) -> Result<String> {
    let mut tail = String::new();
    if let Some(order) = order(opts) {
        let mut keys = Vec::new();
        for word in order.split(',') {
            let (name, direction) = match word.trim().strip_prefix('-') {
                Some(name) => (name, "DESC"),
                None => (word.trim(), "ASC"),
            };
            let (_, column) = columns
                .iter()
                .find(|(known, _)| *known == name)
                .ok_or_else(|| Error::invalid(format!("Invalid order: '{name}' is no column of this list")))?;
            keys.push(format!("{column} {direction}"));
        }
        tail = format!(" ORDER BY {}", keys.join(", "));
    }
    if let Some(offset) = positive("offset", opts.offset)? {
        tail += &format!(" OFFSET {offset}");
    }
    if let Some(limit) = positive("limit", opts.limit)? {
        tail += &format!(" LIMIT {limit}");
    }
    Ok(tail)
}

/// What to sort by; an empty text is nothing.
fn order(opts: &QueryOpts) -> Option<&str> {
    opts.order.as_deref().filter(|order| !order.is_empty())
}

/// As in Koji, 0 is the same as nothing.
fn positive(name: &str, number: Option<i64>) -> Result<Option<i64>> {
    match number {
        Some(number) if number < 0 => Err(Error::parameter(format!("{name} must not be negative"))),
        number => Ok(number.filter(|number| *number > 0)),
    }
}

/// Rows that are sorted and cut already, in the form that was asked for.
pub fn shape<T: Serialize>(rows: Vec<T>, opts: Option<&QueryOpts>) -> Result<Listing<T>> {
    match opts {
        Some(opts) if opts.as_list => Ok(Listing::Lists(rows.iter().map(members).collect::<Result<_>>()?)),
        _ => Ok(Listing::Rows(rows)),
    }
}

/// How many of some rows an offset and a limit leave.
///
/// # Errors
/// When one of them is negative.
pub fn counted<T>(rows: i64, opts: &QueryOpts) -> Result<Listing<T>> {
    let left = rows - positive("offset", opts.offset)?.unwrap_or(0);
    Ok(Listing::Count(left.max(0).min(positive("limit", opts.limit)?.unwrap_or(i64::MAX))))
}

/// Counts, sorts and cuts rows that are few enough to be all in memory.
pub fn in_memory<T: Serialize>(mut rows: Vec<T>, opts: Option<&QueryOpts>) -> Result<Listing<T>> {
    let Some(opts) = opts else { return Ok(Listing::Rows(rows)) };
    if opts.count_only {
        return counted(rows.len() as i64, opts);
    }
    if let Some(order) = order(opts) {
        rows = sort(rows, order)?;
    }
    let offset = positive("offset", opts.offset)?.unwrap_or(0) as usize;
    let limit = positive("limit", opts.limit)?.map_or(usize::MAX, |limit| limit as usize);
    let rows = rows.into_iter().skip(offset).take(limit).collect();
    shape(rows, Some(opts))
}

fn sort<T: Serialize>(rows: Vec<T>, order: &str) -> Result<Vec<T>> {
    let mut keyed = Vec::with_capacity(rows.len());
    for row in rows {
        keyed.push((to_value(&row)?, row));
    }
    for word in order.split(',').rev() {
        let (name, is_down) = match word.trim().strip_prefix('-') {
            Some(name) => (name, true),
            None => (word.trim(), false),
        };
        if keyed.first().is_some_and(|(value, _)| value.get(name).is_none()) {
            return Err(Error::invalid(format!("Invalid order: '{name}' is no column of this list")));
        }
        keyed.sort_by(|(a, _), (b, _)| {
            let order = compare(a.get(name), b.get(name));
            if is_down { order.reverse() } else { order }
        });
    }
    Ok(keyed.into_iter().map(|(_, row)| row).collect())
}

/// As Postgres sorts: nil last.
pub(crate) fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(Value::Int(a)), Some(Value::Int(b))) => a.cmp(b),
        (Some(Value::Double(a)), Some(Value::Double(b))) => a.total_cmp(b),
        (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
        (Some(Value::Bool(a)), Some(Value::Bool(b))) => a.cmp(b),
        (Some(Value::Nil) | None, Some(Value::Nil) | None) => Ordering::Equal,
        (Some(Value::Nil) | None, _) => Ordering::Greater,
        (_, Some(Value::Nil) | None) => Ordering::Less,
        _ => Ordering::Equal,
    }
}

/// Puts the values of lists, which are in the order of their names, at other places: what Koji makes without its database has an order
/// of its own.
pub fn at_places<T>(listing: &mut Listing<T>, places: &[usize]) {
    if let Listing::Lists(rows) = listing {
        for row in rows {
            *row = places.iter().filter_map(|place| row.get(*place).cloned()).collect();
        }
    }
}

/// A row's values, in the order of their names, as in Koji.
fn members<T: Serialize>(row: &T) -> Result<Vec<Value>> {
    match to_value(row)? {
        Value::Struct(map) => {
            let mut members: Vec<(String, Value)> = map.into_iter().collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Ok(members.into_iter().map(|(_, value)| value).collect())
        }
        value => Ok(vec![value]),
    }
}

/// A shell pattern (`*`, `?`) as a LIKE pattern.
pub fn like(glob: &str) -> String {
    let mut like = String::with_capacity(glob.len());
    for c in glob.chars() {
        match c {
            '*' => like.push('%'),
            '?' => like.push('_'),
            '%' | '_' | '\\' => like.extend(['\\', c]),
            c => like.push(c),
        }
    }
    like
}

/// What begins with `prefix`, as a LIKE pattern.
pub fn starts_with(prefix: &str) -> String {
    let mut like: String =
        prefix.chars().flat_map(|c| matches!(c, '%' | '_' | '\\').then_some('\\').into_iter().chain([c])).collect();
    like.push('%');
    like
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Clone, Debug, PartialEq)]
    struct Row {
        id: i64,
        name: Option<String>,
    }

    fn rows() -> Vec<Row> {
        [(1, Some("b")), (2, None), (3, Some("a"))].map(|(id, name)| Row { id, name: name.map(str::to_owned) }).to_vec()
    }

    fn ids(listing: Listing<Row>) -> Vec<i64> {
        listing.into_rows().iter().map(|row| row.id).collect()
    }

    #[test]
    fn sorts_and_cuts() {
        let opts = |order: &str| QueryOpts { order: Some(order.to_owned()), ..QueryOpts::default() };
        assert_eq!(ids(in_memory(rows(), Some(&opts("-id"))).unwrap()), [3, 2, 1]);
        assert_eq!(ids(in_memory(rows(), Some(&opts("name"))).unwrap()), [3, 1, 2]);
        let cut = QueryOpts { offset: Some(1), limit: Some(1), ..opts("id") };
        assert_eq!(ids(in_memory(rows(), Some(&cut)).unwrap()), [2]);
        assert!(in_memory(rows(), Some(&opts("nosuch"))).is_err());
        assert!(in_memory(rows(), Some(&QueryOpts { limit: Some(-1), ..QueryOpts::default() })).is_err());
    }

    #[test]
    fn zero_is_nothing() {
        let opts = QueryOpts { limit: Some(0), offset: Some(0), order: Some(String::new()), ..QueryOpts::default() };
        assert_eq!(ids(in_memory(rows(), Some(&opts)).unwrap()), [1, 2, 3]);
        assert_eq!(sql_tail(&opts, &[]).unwrap(), "");
    }

    #[test]
    fn lists_have_their_values_in_the_order_of_names() {
        #[derive(Serialize)]
        struct Row {
            b: i64,
            a: i64,
        }
        let opts = QueryOpts { as_list: true, ..QueryOpts::default() };
        let Listing::Lists(lists) = in_memory(vec![Row { b: 2, a: 1 }], Some(&opts)).unwrap() else { panic!() };
        assert_eq!(lists, [[Value::Int(1), Value::Int(2)]]);
    }

    #[test]
    fn counts() {
        let opts = QueryOpts { count_only: true, limit: Some(2), ..QueryOpts::default() };
        assert!(matches!(in_memory(rows(), Some(&opts)).unwrap(), Listing::Count(2)));
    }

    #[test]
    fn tails() {
        let columns = [("id", "task.id")];
        let opts = QueryOpts { order: Some("-id".to_owned()), limit: Some(5), ..QueryOpts::default() };
        assert_eq!(sql_tail(&opts, &columns).unwrap(), " ORDER BY task.id DESC LIMIT 5");
        let hostile = QueryOpts { order: Some("id; DROP TABLE task".to_owned()), ..QueryOpts::default() };
        assert!(sql_tail(&hostile, &columns).is_err());
    }

    #[test]
    fn patterns() {
        assert_eq!(like("a_b*?%"), "a\\_b%_\\%");
        assert_eq!(starts_with("lib_"), "lib\\_%");
    }
}
