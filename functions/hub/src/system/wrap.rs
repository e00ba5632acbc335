//! Calls that run another method, and count or cut what it answers.

use toji_protocol::{
    method::{
        Named, is_truthy,
        system::{Count, CountAndFilterResults, FilterResults},
    },
    value::{Map, Value, from_value},
};

use crate::{
    Error, Result,
    call::{self, Cx, Handle},
    listing,
};

/// What `filterOpts` may say.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct FilterOpts {
    offset: Option<i64>,
    limit: Option<i64>,
    order: Option<String>,
    /// Whether nil sorts above all else, as in the database, which is the default, or below.
    none_greatest: Option<Value>,
}

/// Runs a method for its answer alone.
async fn answer(cx: &mut Cx, method: &str, positional: Vec<Value>, named: Named) -> Result<Value> {
    if matches!(method, "count" | "filterResults" | "countAndFilterResults") {
        return Err(Error::invalid(format!("{method} cannot be run within another call of its kind")));
    }
    call::read(cx, method, positional, named).await
}

impl Handle for Count {
    async fn handle(self, cx: &mut Cx) -> Result<i64> {
        Ok(match answer(cx, &self.method_name, self.args, self.kw).await? {
            Value::Nil => 0,
            Value::Array(items) => items.len() as i64,
            Value::Struct(members) => members.len() as i64,
            _ => 1,
        })
    }
}

impl Handle for FilterResults {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Vec<Value>>> {
        Ok(filtered(cx, self.method_name, self.args, self.kw).await?.1)
    }
}

impl Handle for CountAndFilterResults {
    async fn handle(self, cx: &mut Cx) -> Result<(i64, Option<Vec<Value>>)> {
        filtered(cx, self.method_name, self.args, self.kw).await
    }
}

/// How many there are, and those of them that were asked for.
async fn filtered(
    cx: &mut Cx,
    method: String,
    positional: Vec<Value>,
    mut named: Map,
) -> Result<(i64, Option<Vec<Value>>)> {
    let opts: FilterOpts = match named.remove("filterOpts") {
        None | Some(Value::Nil) => FilterOpts::default(),
        Some(opts) => from_value(opts)?,
    };
    let rows = match answer(cx, &method, positional, named).await {
        Ok(Value::Nil) => return Ok((0, None)),
        Ok(Value::Array(rows)) => rows,
        Ok(_) => return Err(Error::invalid(format!("{method}() did not return a list"))),
        Err(error) if error.is_rule() => {
            return Err(Error::invalid(format!("method {method} raised an exception ({error})")));
        }
        Err(error) => return Err(error),
    };
    let count = rows.len() as i64;
    Ok((count, Some(cut(sorted(rows, &opts)?, &opts)?)))
}

fn sorted(mut rows: Vec<Value>, opts: &FilterOpts) -> Result<Vec<Value>> {
    let Some(order) = opts.order.as_deref().filter(|order| !order.is_empty()) else { return Ok(rows) };
    let (name, is_down) = match order.strip_prefix('-') {
        Some(name) => (name, true),
        None => (order, false),
    };
    if rows.iter().any(|row| row.get(name).is_none()) {
        return Err(Error::invalid(format!("Invalid order: '{name}' is no member of what is listed")));
    }
    let none_greatest = opts.none_greatest.as_ref().is_none_or(is_truthy);
    rows.sort_by(|a, b| {
        let (a, b) = (a.get(name), b.get(name));
        let nil = |value: Option<&Value>| value.is_none_or(Value::is_nil);
        let order = match (nil(a), nil(b)) {
            (true, false) | (false, true) if !none_greatest => nil(b).cmp(&nil(a)),
            _ => listing::compare(a, b),
        };
        if is_down { order.reverse() } else { order }
    });
    Ok(rows)
}

fn cut(rows: Vec<Value>, opts: &FilterOpts) -> Result<Vec<Value>> {
    let number = |name: &str, number: Option<i64>| match number.map(usize::try_from) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(Error::parameter(format!("{name} must not be negative"))),
    };
    let offset = number("offset", opts.offset)?.unwrap_or(0);
    let limit = number("limit", opts.limit)?.unwrap_or(usize::MAX);
    Ok(rows.into_iter().skip(offset).take(limit).collect())
}
