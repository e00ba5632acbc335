//! `listBuilds`.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, QueryBuilder, Row, postgres::PgRow};
use toji_protocol::{
    id::{EventId, PackageId, TaskId, UserId, VolumeId},
    method::{
        Listing,
        build::{ListBuilds, ListedBuild},
    },
    time::Time,
    value::Value,
};

use super::sql::{json_value, state};
use crate::{Error, Result, listing, package, user};

const COLUMNS: &[(&str, &str)] = &[
    ("build_id", "build.id"),
    ("id", "build.id"),
    ("name", "package.name"),
    ("package_name", "package.name"),
    ("package_id", "package.id"),
    ("version", "build.version"),
    ("release", "build.release"),
    ("nvr", "package.name, build.version, build.release"),
    ("epoch", "build.epoch"),
    ("state", "build.state"),
    ("task_id", "build.task_id"),
    ("owner_id", "build.owner"),
    ("owner_name", "users.name"),
    ("volume_id", "build.volume_id"),
    ("volume_name", "volume.name"),
    ("source", "build.source"),
    ("creation_event_id", "build.create_event"),
    ("creation_time", "events.time"),
    ("creation_ts", "events.time"),
    ("start_time", "build.start_time"),
    ("start_ts", "build.start_time"),
    ("completion_time", "build.completion_time"),
    ("completion_ts", "build.completion_time"),
    ("promotion_time", "build.promotion_time"),
    ("draft", "build.draft"),
];

const SELECT: &str =
    "SELECT build.id, pkg_id, package.name AS package_name, version, release, epoch, draft, state, task_id,
    build.owner, users.name AS owner_name, promoter, promoter_user.name AS promoter_name, promotion_time, volume_id,
    volume.name AS volume_name, source, extra, create_event, events.time AS creation_time, start_time, completion_time";

/// Seconds, or a text, as a time.
pub(crate) fn when(name: &str, value: &Value) -> Result<DateTime<Utc>> {
    let time = match value {
        Value::Int(ts) => DateTime::from_timestamp(*ts, 0),
        Value::Double(ts) => Time::from_ts(*ts).map(|time| time.0),
        Value::String(text) | Value::DateTime(text) => parse_time(text),
        _ => None,
    };
    time.ok_or_else(|| {
        Error::parameter(format!("{name}: give seconds since 1970, or a time such as '2026-11-21 08:00:00'"))
    })
}

fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = text.parse::<DateTime<Utc>>() {
        return Some(time);
    }
    let naive = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|format| chrono::NaiveDateTime::parse_from_str(text, format).ok());
    let midnight = || chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    Some(naive.or_else(midnight)?.and_utc())
}

pub(super) async fn list(conn: &mut PgConnection, asked: ListBuilds) -> Result<Listing<ListedBuild>> {
    let opts = asked.query_opts.clone().unwrap_or_default();
    if asked.kind.as_deref().is_some_and(|kind| kind != "rpm") || asked.cg_id.is_some() || asked.type_info.is_some() {
        return listing::in_memory(Vec::new(), Some(&opts));
    }
    let package = match &asked.package_id {
        Some(package) => match package::find(conn, package).await? {
            Some((id, _)) => Some(id),
            None => return listing::in_memory(Vec::new(), Some(&opts)),
        },
        None => None,
    };
    let owner = match &asked.user_id {
        Some(owner) => Some(user::require(conn, owner).await?.id),
        None => None,
    };
    let promoter = match &asked.promoter {
        Some(promoter) => Some(user::require(conn, promoter).await?.id),
        None => None,
    };

    let mut sql = QueryBuilder::<Postgres>::new(if opts.count_only { "SELECT count(*)" } else { SELECT });
    sql.push(
        " FROM build JOIN package ON package.id = pkg_id JOIN users ON users.id = build.owner
            JOIN volume ON volume.id = volume_id JOIN events ON events.id = create_event
            LEFT JOIN users promoter_user ON promoter_user.id = promoter WHERE true",
    );
    if let Some(id) = package {
        sql.push(" AND pkg_id = ").push_bind(id.0);
    }
    if let Some(id) = owner {
        sql.push(" AND build.owner = ").push_bind(id.0);
    }
    if let Some(id) = promoter {
        sql.push(" AND promoter = ").push_bind(id.0);
    }
    if let Some(tasks) = asked.task_id {
        let ids: Vec<i64> = tasks.into_vec().iter().map(|id| id.0).collect();
        sql.push(" AND task_id = ANY(").push_bind(ids).push(")");
    }
    if let Some(prefix) = &asked.prefix {
        sql.push(" AND package.name LIKE ").push_bind(listing::starts_with(prefix));
    }
    if let Some(states) = asked.state {
        let numbers: Vec<i16> = states.into_vec().iter().map(|state| state.number()).collect();
        sql.push(" AND state = ANY(").push_bind(numbers).push(")");
    }
    match &asked.volume_id {
        Some(toji_protocol::id::Ref::Id(id)) => {
            sql.push(" AND volume_id = ").push_bind(id.0);
        }
        Some(other) => {
            sql.push(" AND volume.name = ").push_bind(other.name().unwrap_or_default().to_owned());
        }
        None => {}
    }
    if let Some(source) = &asked.source {
        sql.push(" AND source LIKE ").push_bind(listing::like(source));
    }
    if let Some(pattern) = &asked.pattern {
        sql.push(" AND package.name || '-' || version || '-' || release LIKE ").push_bind(listing::like(pattern));
    }
    if let Some(draft) = asked.draft {
        sql.push(" AND draft = ").push_bind(draft);
    }
    for (name, column, operator, value) in [
        ("createdBefore", "events.time", "<", &asked.created_before),
        ("createdAfter", "events.time", ">", &asked.created_after),
        ("completeBefore", "completion_time", "<", &asked.complete_before),
        ("completeAfter", "completion_time", ">", &asked.complete_after),
        ("promotedBefore", "promotion_time", "<", &asked.promoted_before),
        ("promotedAfter", "promotion_time", ">", &asked.promoted_after),
    ] {
        if let Some(value) = value {
            sql.push(format!(" AND {column} {operator} ")).push_bind(when(name, value)?);
        }
    }
    if opts.count_only {
        return Ok(Listing::Count(sql.build_query_scalar().fetch_one(conn).await?));
    }
    sql.push(listing::sql_tail(&opts, COLUMNS)?);
    let rows = sql.build().fetch_all(conn).await?;
    listing::shape(rows.iter().map(listed).collect::<Result<_>>()?, Some(&opts))
}

fn listed(row: &PgRow) -> Result<ListedBuild> {
    let (name, version, release): (String, String, String) =
        (row.try_get("package_name")?, row.try_get("version")?, row.try_get("release")?);
    let creation: DateTime<Utc> = row.try_get("creation_time")?;
    let completion: Option<DateTime<Utc>> = row.try_get("completion_time")?;
    let start: Option<DateTime<Utc>> = row.try_get("start_time")?;
    let promotion: Option<DateTime<Utc>> = row.try_get("promotion_time")?;
    let extra: Option<serde_json::Value> = row.try_get("extra")?;
    let ts = |time: Option<DateTime<Utc>>| time.map(|time| Time(time).ts());
    Ok(ListedBuild {
        build_id: row.try_get::<i64, _>("id")?.into(),
        completion_time: completion.map(Time),
        completion_ts: ts(completion),
        creation_event_id: EventId(row.try_get("create_event")?),
        creation_time: Time(creation),
        creation_ts: Time(creation).ts(),
        draft: row.try_get("draft")?,
        epoch: row.try_get("epoch")?,
        extra: extra.map(json_value).transpose()?,
        nvr: format!("{name}-{version}-{release}"),
        name: name.clone(),
        owner_id: UserId(row.try_get("owner")?),
        owner_name: row.try_get("owner_name")?,
        package_id: PackageId(row.try_get("pkg_id")?),
        package_name: name,
        promoter_id: row.try_get::<Option<i64>, _>("promoter")?.map(UserId),
        promoter_name: row.try_get("promoter_name")?,
        promotion_time: promotion.map(Time),
        promotion_ts: ts(promotion),
        release,
        source: row.try_get("source")?,
        start_time: start.map(Time),
        start_ts: ts(start),
        state: state(row.try_get("state")?)?,
        task_id: row.try_get::<Option<i64>, _>("task_id")?.map(TaskId),
        version,
        volume_id: VolumeId(row.try_get("volume_id")?),
        volume_name: row.try_get("volume_name")?,
    })
}
