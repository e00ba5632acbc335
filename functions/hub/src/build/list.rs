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

use super::{
    kinds,
    sql::{json_value, state},
};
use crate::{Error, Result, content_generator, listing, package, user};

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
    ("promotion_ts", "build.promotion_time"),
    ("promoter_id", "promoter"),
    ("promoter_name", "promoter_user.name"),
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

/// Koji's task id that stands for any.
const ANY_TASK: i64 = -1;

/// What was named by name or id, found.
struct Filters {
    package: Option<i64>,
    owner: Option<i64>,
    promoter: Option<i64>,
    cg: Option<i64>,
    kind: Option<i64>,
}

impl Filters {
    /// None when something that was named is not there: nothing can fit then.
    async fn resolve(conn: &mut PgConnection, asked: &ListBuilds) -> Result<Option<Self>> {
        let mut found = Self { package: None, owner: None, promoter: None, cg: None, kind: None };
        if let Some(named) = &asked.package_id {
            let Some((id, _)) = package::find(conn, named).await? else { return Ok(None) };
            found.package = Some(id.0);
        }
        for (named, place) in [(&asked.user_id, &mut found.owner), (&asked.promoter, &mut found.promoter)] {
            if let Some(named) = named {
                let Some(user) = user::find(conn, named).await? else { return Ok(None) };
                *place = Some(user.id.0);
            }
        }
        if let Some(named) = &asked.cg_id {
            let Some((id, _)) = content_generator::find(conn, named).await? else { return Ok(None) };
            found.cg = Some(id.0);
        }
        if let Some(name) = &asked.kind {
            let kind = kinds::find_kind(conn, name).await?;
            let kind = kind.ok_or_else(|| Error::invalid(format!("unsupported build type: {name}")))?;
            found.kind = Some(kind.0);
        }
        Ok(Some(found))
    }

    fn push(&self, sql: &mut QueryBuilder<Postgres>) {
        let named =
            [("pkg_id", self.package), ("build.owner", self.owner), ("promoter", self.promoter), ("cg_id", self.cg)];
        for (column, id) in named {
            if let Some(id) = id {
                sql.push(format!(" AND {column} = ")).push_bind(id);
            }
        }
        if let Some(kind) = self.kind {
            sql.push(" AND EXISTS (SELECT FROM build_types WHERE build_id = build.id AND btype_id = ")
                .push_bind(kind)
                .push(")");
        }
    }
}

pub(super) async fn list(conn: &mut PgConnection, asked: ListBuilds) -> Result<Listing<ListedBuild>> {
    let opts = asked.query_opts.clone().unwrap_or_default();
    let Some(named) = Filters::resolve(conn, &asked).await? else { return listing::in_memory(Vec::new(), Some(&opts)) };

    let mut sql = QueryBuilder::<Postgres>::new(if opts.count_only { "SELECT count(*)" } else { SELECT });
    sql.push(
        " FROM build JOIN package ON package.id = pkg_id JOIN users ON users.id = build.owner
            JOIN volume ON volume.id = volume_id JOIN events ON events.id = create_event
            LEFT JOIN users promoter_user ON promoter_user.id = promoter WHERE true",
    );
    named.push(&mut sql);
    if let Some(tasks) = asked.task_id {
        let ids: Vec<i64> = tasks.into_vec().iter().map(|id| id.0).collect();
        if ids == [ANY_TASK] {
            sql.push(" AND task_id IS NOT NULL");
        } else {
            sql.push(" AND task_id = ANY(").push_bind(ids).push(")");
        }
    }
    if let Some(prefix) = &asked.prefix {
        sql.push(" AND package.name ILIKE ").push_bind(listing::starts_with(prefix));
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
        sql.push(" AND source ILIKE ").push_bind(listing::like(source));
    }
    if let Some(pattern) = &asked.pattern {
        sql.push(" AND package.name || '-' || version || '-' || release ILIKE ").push_bind(listing::like(pattern));
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
        return listing::counted(sql.build_query_scalar().fetch_one(conn).await?, &opts);
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
