//! `listTasks`.

use sqlx::{PgConnection, Postgres, QueryBuilder, Row, postgres::PgRow};
use toji_protocol::{
    id::{HostId, TaskId, UserId},
    method::{
        Listing, OneOrMany, is_truthy,
        task::{ListTasks, ListedTask},
    },
    state::{TaskState, UserType},
    value::{Value, from_value},
};

use super::{TaskRow, decode_result, show, sql};
use crate::{
    Error, Result,
    build::when,
    call::{Cx, Handle},
    channel, host, listing, user,
};

const COLUMNS: &[(&str, &str)] = &[
    ("id", "task.id"),
    ("state", "task.state"),
    ("create_time", "task.create_time"),
    ("create_ts", "task.create_time"),
    ("start_time", "task.start_time"),
    ("start_ts", "task.start_time"),
    ("completion_time", "task.completion_time"),
    ("completion_ts", "task.completion_time"),
    ("channel_id", "task.channel_id"),
    ("host_id", "task.host_id"),
    ("parent", "task.parent"),
    ("label", "task.label"),
    ("waiting", "task.waiting"),
    ("awaited", "task.awaited"),
    ("owner", "task.owner"),
    ("owner_name", "users.name"),
    ("owner_type", "users.usertype"),
    ("method", "task.method"),
    ("arch", "task.arch"),
    ("priority", "task.priority"),
    ("weight", "task.weight"),
];

/// With `decode`, arguments and results are read for so many tasks at the most.
const DECODED: usize = 10_000;

impl Handle for ListTasks {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<ListedTask>> {
        let query = self.query_opts.unwrap_or_default();
        let opts = self.opts.unwrap_or_default();
        let decode = opts.get("decode").is_some_and(is_truthy);
        let conn = cx.db().await?;
        let mut sql = QueryBuilder::<Postgres>::new(if query.count_only {
            "SELECT count(*)"
        } else {
            "SELECT task.*, users.name AS owner_name, users.usertype AS owner_type"
        });
        sql.push(" FROM task JOIN users ON users.id = task.owner WHERE true");
        for (name, value) in opts {
            condition(conn, &mut sql, &name, value).await?;
        }
        if query.count_only {
            return listing::counted(sql.build_query_scalar().fetch_one(conn).await?, &query);
        }
        sql.push(listing::sql_tail(&query, COLUMNS)?);
        let rows = sql.build().fetch_all(conn).await?;
        if decode && rows.len() > DECODED {
            return Err(Error::invalid(format!(
                "{} tasks are too many to decode; cut the list with limit, or leave decode out",
                rows.len()
            )));
        }
        listing::shape(rows.iter().map(|row| listed(row, decode)).collect::<Result<_>>()?, Some(&query))
    }
}

async fn condition(conn: &mut PgConnection, sql: &mut QueryBuilder<Postgres>, name: &str, value: Value) -> Result<()> {
    match name {
        "decode" => {}
        "parent" => match value {
            Value::Nil => {
                sql.push(" AND task.parent IS NULL");
            }
            value => {
                sql.push(" AND task.parent = ").push_bind(from_value::<TaskId>(value)?.0);
            }
        },
        _ if value.is_nil() => {}
        "owner" => {
            let mut ids = Vec::new();
            for who in from_value::<OneOrMany<toji_protocol::id::Ref<UserId>>>(value)?.into_vec() {
                ids.push(user::require(conn, &who).await?.id.0);
            }
            sql.push(" AND task.owner = ANY(").push_bind(ids).push(")");
        }
        "not_owner" => {
            let id = user::require(conn, &from_value(value)?).await?.id;
            sql.push(" AND task.owner <> ").push_bind(id.0);
        }
        "channel_id" | "channel" => {
            let channel = from_value(value)?;
            let found = channel::find(conn, &channel).await?;
            let found = found.ok_or_else(|| Error::missing(format!("No such channel: {channel}")))?;
            sql.push(" AND task.channel_id = ").push_bind(found.id.0);
        }
        "host_id" | "host" => {
            let host = from_value::<toji_protocol::id::Ref<HostId>>(value)?;
            let found = host::find(conn, &host).await?;
            let found = found.ok_or_else(|| Error::missing(format!("No such host: {host}")))?;
            sql.push(" AND task.host_id = ").push_bind(found.id.0);
        }
        "state" => {
            let states = from_value::<OneOrMany<TaskState>>(value)?.into_vec();
            let numbers: Vec<i16> = states.iter().map(|state| state.number()).collect();
            sql.push(" AND task.state = ANY(").push_bind(numbers).push(")");
        }
        "arch" | "method" | "label" => {
            let texts = from_value::<OneOrMany<String>>(value)?.into_vec();
            sql.push(format!(" AND task.{name} = ANY(")).push_bind(texts).push(")");
        }
        "id" => {
            let ids: Vec<i64> = from_value::<OneOrMany<TaskId>>(value)?.into_vec().iter().map(|id| id.0).collect();
            sql.push(" AND task.id = ANY(").push_bind(ids).push(")");
        }
        _ => match time_condition(name) {
            Some(comparison) => {
                sql.push(format!(" AND task.{comparison} ")).push_bind(when(name, &value)?);
            }
            None => return Err(Error::parameter(format!("listTasks knows no condition '{name}'"))),
        },
    }
    Ok(())
}

fn time_condition(name: &str) -> Option<&'static str> {
    Some(match name {
        "createdBefore" => "create_time <",
        "createdAfter" => "create_time >",
        "startedBefore" => "start_time <",
        "startedAfter" => "start_time >",
        "completeBefore" => "completion_time <",
        "completeAfter" => "completion_time >",
        _ => return None,
    })
}

fn listed(row: &PgRow, decode: bool) -> Result<ListedTask> {
    let task = TaskRow {
        id: TaskId(row.try_get("id")?),
        state: sql::state(row.try_get("state")?)?,
        method: row.try_get("method")?,
        coordinated: row.try_get("coordinated")?,
        request: row.try_get("request")?,
        result: row.try_get("result")?,
        owner: UserId(row.try_get("owner")?),
        channel: row.try_get::<i64, _>("channel_id")?.into(),
        arch: row.try_get("arch")?,
        priority: row.try_get("priority")?,
        weight: row.try_get("weight")?,
        host: row.try_get::<Option<i64>, _>("host_id")?.map(HostId),
        parent: row.try_get::<Option<i64>, _>("parent")?.map(TaskId),
        label: row.try_get("label")?,
        waiting: row.try_get("waiting")?,
        awaited: row.try_get("awaited")?,
        create_time: row.try_get("create_time")?,
        start_time: row.try_get("start_time")?,
        completion_time: row.try_get("completion_time")?,
        attempt: row.try_get("attempt")?,
    };
    let result = match (&task.result, decode) {
        (Some(result), true) => Some(match decode_result(result)? {
            Ok(value) => value,
            Err(fault) => show::fault_value(&fault),
        }),
        (None, true) => Some(Value::Nil),
        (_, false) => None,
    };
    let owner_type: i16 = row.try_get("owner_type")?;
    Ok(ListedTask {
        owner_name: row.try_get("owner_name")?,
        owner_type: UserType::from_number(owner_type.into()).unwrap_or(UserType::Normal),
        result,
        task: show::info(&task, decode)?,
    })
}
