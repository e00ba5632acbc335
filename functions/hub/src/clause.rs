//! Koji's clause queries: rows of a view, whose fields are whitelisted, by triples `[field, op, value]`. Joins are made only for
//! fields that are asked for, and values only ever travel as parameters.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, QueryBuilder, Row, postgres::PgRow};
use toji_protocol::{
    method::{Listing, OneOrMany, QueryOpts},
    time::Time,
    value::{Map, Value},
};

use crate::{Error, Result, build, listing};

/// What can be asked for.
pub(crate) struct View {
    /// The table whose rows are answered.
    pub(crate) table: &'static str,
    /// Further tables, by a name that fields refer to.
    pub(crate) joins: &'static [(&'static str, &'static str)],
    /// The fields.
    pub(crate) fields: &'static [Field],
    /// Those that are answered when none are named.
    pub(crate) default: &'static [&'static str],
}

/// A field of a view.
pub(crate) struct Field {
    name: &'static str,
    sql: &'static str,
    kind: Kind,
    join: Option<&'static str>,
}

/// What a field holds, and so what it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number.
    Int,
    /// A host's id; clients send its name, too.
    Host,
    /// True or false.
    Bool,
    /// A text.
    Text,
    /// A time as a text.
    Time,
    /// A time in seconds.
    Seconds,
    /// A struct.
    Json,
}

/// A field of the view's own table.
pub(crate) const fn own(name: &'static str, sql: &'static str, kind: Kind) -> Field {
    Field { name, sql, kind, join: None }
}

/// A field of a table that is joined for it.
pub(crate) const fn joined(name: &'static str, sql: &'static str, kind: Kind, join: &'static str) -> Field {
    Field { name, sql, kind, join: Some(join) }
}

/// What is asked of a view.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) clauses: Option<Vec<Vec<Value>>>,
    pub(crate) fields: Option<OneOrMany<String>>,
    pub(crate) opts: Option<QueryOpts>,
}

impl View {
    /// Answers a query. Members, and with `asList` values, are in the order of the fields' names.
    ///
    /// # Errors
    /// When a field or an operator is none of the view's, or a value does not suit its field.
    pub(crate) async fn query(&self, conn: &mut PgConnection, asked: Asked) -> Result<Listing<Map>> {
        let opts = asked.opts.unwrap_or_default();
        let mut joins = BTreeSet::new();
        let mut conditions = Vec::new();
        for clause in asked.clauses.iter().flatten() {
            let (field, op, value) = self.clause(clause)?;
            joins.extend(field.join);
            conditions.push((field, op, value));
        }
        for key in opts.order.iter().chain(&opts.group).flat_map(|keys| keys.split(',')) {
            joins.extend(self.field(key.trim().trim_start_matches('-'))?.join);
        }
        let fields = self.chosen(asked.fields, &joins)?;
        joins.extend(fields.iter().filter_map(|field| field.join));

        let mut sql =
            QueryBuilder::<Postgres>::new(if opts.count_only { "SELECT count(*) FROM (SELECT 1" } else { "" });
        if !opts.count_only {
            let columns: Vec<String> = fields.iter().map(|field| field.column()).collect();
            sql.push(format!("SELECT {}", columns.join(", ")));
        }
        sql.push(format!(" FROM {}", self.table));
        // in the view's order: one may stand on another
        for (_, join) in self.joins.iter().filter(|(name, _)| joins.contains(name)) {
            sql.push(format!(" {join}"));
        }
        for (n, (field, op, value)) in conditions.into_iter().enumerate() {
            sql.push(if n == 0 { " WHERE " } else { " AND " });
            condition(&mut sql, field, &op, value)?;
        }
        let sortable: Vec<(&str, &str)> = self.fields.iter().map(|field| (field.name, field.sql)).collect();
        let order = opts.order.clone().filter(|_| !opts.count_only);
        sql.push(listing::sql_tail(&QueryOpts { order, ..opts.clone() }, &sortable)?);
        if opts.count_only {
            let count = sql.push(") AS counted").build_query_scalar().fetch_one(conn).await?;
            return Ok(Listing::Count(count));
        }
        let rows = sql.build().fetch_all(conn).await?;
        let rows = rows.iter().map(|row| member(row, &fields)).collect::<Result<Vec<Map>>>()?;
        listing::shape(rows, Some(&opts))
    }

    fn field(&self, name: &str) -> Result<&Field> {
        let found = self.fields.iter().find(|field| field.name == name);
        found.ok_or_else(|| Error::parameter(format!("Invalid field for query {name}")))
    }

    /// The fields that are named; `*`: all that need no other table than those needed already; `**`: all.
    fn chosen(&self, asked: Option<OneOrMany<String>>, joins: &BTreeSet<&str>) -> Result<Vec<&Field>> {
        let names = asked.map(OneOrMany::into_vec).unwrap_or_default();
        let mut chosen = Vec::new();
        for name in &names {
            match name.as_str() {
                "*" => chosen.extend(self.fields.iter().filter(|f| f.join.is_none_or(|join| joins.contains(join)))),
                "**" => chosen.extend(self.fields),
                name => chosen.push(self.field(name)?),
            }
        }
        if names.is_empty() {
            chosen = self.fields.iter().filter(|field| self.default.contains(&field.name)).collect();
        }
        chosen.sort_by_key(|field| field.name);
        chosen.dedup_by_key(|field| field.name);
        Ok(chosen)
    }

    fn clause<'a>(&self, clause: &'a [Value]) -> Result<(&Field, String, &'a Value)> {
        let (name, op, value) = match clause {
            [Value::String(name), value @ Value::Array(_)] => (name, "IN".to_owned(), value),
            [Value::String(name), value] => (name, "=".to_owned(), value),
            [Value::String(name), Value::String(op), value] => (name, op.to_uppercase(), value),
            _ => return Err(Error::parameter("Invalid clause: each is [field, value] or [field, operator, value]")),
        };
        Ok((self.field(name)?, op, value))
    }
}

impl Field {
    fn column(&self) -> String {
        match self.kind {
            Kind::Int | Kind::Host => format!("({})::bigint", self.sql),
            Kind::Seconds | Kind::Time | Kind::Bool | Kind::Text | Kind::Json => self.sql.to_owned(),
        }
    }

    fn read(&self, row: &PgRow, at: usize) -> Result<Value> {
        Ok(match self.kind {
            Kind::Int | Kind::Host => row.try_get::<Option<i64>, _>(at)?.into(),
            Kind::Bool => row.try_get::<Option<bool>, _>(at)?.into(),
            Kind::Text => row.try_get::<Option<String>, _>(at)?.into(),
            Kind::Time => row.try_get::<Option<DateTime<Utc>>, _>(at)?.map(|time| Time(time).to_string()).into(),
            Kind::Seconds => row.try_get::<Option<DateTime<Utc>>, _>(at)?.map(|time| Time(time).ts()).into(),
            Kind::Json => match row.try_get::<Option<serde_json::Value>, _>(at)? {
                Some(json) => serde_json::from_value(json).map_err(Error::internal)?,
                None => Value::Nil,
            },
        })
    }
}

fn member(row: &PgRow, fields: &[&Field]) -> Result<Map> {
    let value = |(at, field): (usize, &&Field)| Ok((field.name.to_owned(), field.read(row, at)?));
    fields.iter().enumerate().map(value).collect()
}

fn condition(sql: &mut QueryBuilder<Postgres>, field: &Field, op: &str, value: &Value) -> Result<()> {
    sql.push(field.sql);
    match (op, value) {
        ("IS" | "IS NOT", Value::Nil) => {
            sql.push(format!(" {op} NULL"));
        }
        ("IS" | "IS NOT", Value::Bool(is_true)) if field.kind == Kind::Bool => {
            sql.push(format!(" {op} {is_true}"));
        }
        ("IN", Value::Array(values)) => {
            sql.push(" = ANY(");
            push_all(sql, field, values)?;
            sql.push(")");
        }
        ("=" | "!=" | ">" | "<" | ">=" | "<=", value) => {
            sql.push(format!(" {op} "));
            push_one(sql, field, value)?;
        }
        ("@>" | "<@", value) if field.kind == Kind::Json => {
            sql.push(format!(" {op} "));
            push_one(sql, field, value)?;
        }
        ("IS" | "IS NOT" | "IN" | "@>" | "<@", value) => return Err(unsuited(field, value)),
        _ => return Err(Error::parameter(format!("Invalid operator: {op}"))),
    }
    Ok(())
}

fn unsuited(field: &Field, value: &Value) -> Error {
    Error::parameter(format!("Invalid value for {}: {} does not go with it", field.name, value.kind()))
}

fn push_one(sql: &mut QueryBuilder<Postgres>, field: &Field, value: &Value) -> Result<()> {
    match (field.kind, value) {
        // as in SQL, nothing equals it
        (_, Value::Nil) => sql.push("NULL"),
        (Kind::Host, Value::String(name)) if name.parse::<i64>().is_err() => {
            sql.push("(SELECT id FROM host WHERE name = ").push_bind(name.clone()).push(")")
        }
        (Kind::Int | Kind::Host, value) => sql.push_bind(int(field, value)?),
        (Kind::Bool, Value::Bool(value)) => sql.push_bind(*value),
        (Kind::Text, Value::String(text)) => sql.push_bind(text.clone()),
        (Kind::Time | Kind::Seconds, value) => sql.push_bind(build::when(field.name, value)?),
        (Kind::Json, value) => sql.push_bind(json(field, value)?),
        _ => return Err(unsuited(field, value)),
    };
    Ok(())
}

fn push_all(sql: &mut QueryBuilder<Postgres>, field: &Field, values: &[Value]) -> Result<()> {
    let known = values.iter().filter(|value| !value.is_nil());
    match field.kind {
        Kind::Int | Kind::Host => sql.push_bind(known.map(|value| int(field, value)).collect::<Result<Vec<_>>>()?),
        Kind::Text => {
            let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| unsuited(field, value));
            sql.push_bind(known.map(text).collect::<Result<Vec<String>>>()?)
        }
        Kind::Time | Kind::Seconds => {
            sql.push_bind(known.map(|value| build::when(field.name, value)).collect::<Result<Vec<_>>>()?)
        }
        Kind::Bool | Kind::Json => return Err(Error::parameter(format!("Invalid operator: IN for {}", field.name))),
    };
    Ok(())
}

fn int(field: &Field, value: &Value) -> Result<i64> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::String(text) => text.trim().parse().map_err(|_| unsuited(field, value)),
        _ => Err(unsuited(field, value)),
    }
}

/// A struct, or its JSON in a text, as Koji's own clients send it.
fn json(field: &Field, value: &Value) -> Result<serde_json::Value> {
    match value {
        Value::String(text) => serde_json::from_str(text)
            .map_err(|error| Error::parameter(format!("Invalid value for {}: {error}", field.name))),
        value => serde_json::to_value(value).map_err(Error::internal),
    }
}
