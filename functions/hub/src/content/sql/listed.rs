//! Statements that read what is in tags. Each has one good plan, whatever the tags: they are driven by ids, not by filters.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{BuildId, EventId, PackageId, TagId, TaskId, UserId, VolumeId},
    method::content::TaggedBuild,
    state::BuildState,
    time::Time,
    value::Value,
};

use crate::{Error, Result, package::Entries};

/// A build in a tag, as far as it takes to choose.
#[derive(Clone, Debug)]
pub(in crate::content) struct Listed {
    pub(in crate::content) tag: TagId,
    pub(in crate::content) event: EventId,
    pub(in crate::content) build: BuildId,
    pub(in crate::content) package: PackageId,
    pub(in crate::content) state: BuildState,
    pub(in crate::content) owner: UserId,
    pub(in crate::content) draft: bool,
    volume: VolumeId,
}

struct Row {
    tag_id: i64,
    create_event: i64,
    build_id: i64,
    pkg_id: i64,
    state: i16,
    owner: i64,
    draft: bool,
    volume_id: i64,
}

fn state(build: i64, number: i16) -> Result<BuildState> {
    BuildState::from_number(number.into())
        .ok_or_else(|| Error::internal(anyhow::anyhow!("build {build} has the state {number}")))
}

impl TryFrom<Row> for Listed {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            tag: TagId(row.tag_id),
            event: EventId(row.create_event),
            build: BuildId(row.build_id),
            package: PackageId(row.pkg_id),
            state: state(row.build_id, row.state)?,
            owner: UserId(row.owner),
            draft: row.draft,
            volume: VolumeId(row.volume_id),
        })
    }
}

/// The builds in tags, in no order.
pub(in crate::content) async fn builds(
    conn: &mut PgConnection,
    tags: &[TagId],
    package: Option<PackageId>,
    at: Option<EventId>,
) -> Result<Vec<Listed>> {
    let tags: Vec<i64> = tags.iter().map(|tag| tag.0).collect();
    let package = package.map(|package| package.0);
    // OFFSET 0 has each build looked up by its id: a join would read all builds there are when a tag has few
    let rows = match at {
        None => {
            sqlx::query_as!(
                Row,
                "SELECT l.tag_id, l.create_event, l.build_id, b.pkg_id, b.state, b.owner, b.draft, b.volume_id
                 FROM tag_listing l CROSS JOIN LATERAL (
                     SELECT pkg_id, state, owner, draft, volume_id FROM build
                     WHERE id = l.build_id AND ($2::bigint IS NULL OR pkg_id = $2) OFFSET 0) b
                 WHERE l.tag_id = ANY($1) AND l.active",
                &tags,
                package
            )
            .fetch_all(conn)
            .await?
        }
        Some(at) => {
            sqlx::query_as!(
                Row,
                "SELECT l.tag_id, l.create_event, l.build_id, b.pkg_id, b.state, b.owner, b.draft, b.volume_id
                 FROM tag_listing l CROSS JOIN LATERAL (
                     SELECT pkg_id, state, owner, draft, volume_id FROM build
                     WHERE id = l.build_id AND ($2::bigint IS NULL OR pkg_id = $2) OFFSET 0) b
                 WHERE l.tag_id = ANY($1) AND l.create_event <= $3 AND (l.revoke_event IS NULL OR l.revoke_event > $3)",
                &tags,
                package,
                at.0
            )
            .fetch_all(conn)
            .await?
        }
    };
    rows.into_iter().map(Listed::try_from).collect()
}

/// Gives builds the state, owner and volume that they had at an event.
pub(in crate::content) async fn as_they_were(
    conn: &mut PgConnection,
    builds: &mut [Listed],
    at: EventId,
) -> Result<()> {
    let ids: Vec<i64> = builds.iter().map(|build| build.build.0).collect();
    let rows = sqlx::query!(
        "SELECT build_id, state, owner, volume_id FROM build_config
         WHERE build_id = ANY($1) AND create_event <= $2 AND (revoke_event IS NULL OR revoke_event > $2)",
        &ids,
        at.0
    )
    .fetch_all(conn)
    .await?;
    let mut then = HashMap::new();
    for row in rows {
        then.insert(row.build_id, (state(row.build_id, row.state)?, UserId(row.owner), VolumeId(row.volume_id)));
    }
    for build in builds {
        if let Some(config) = then.get(&build.build.0) {
            (build.state, build.owner, build.volume) = *config;
        }
    }
    Ok(())
}

struct Details {
    version: String,
    release: String,
    epoch: Option<i64>,
    task_id: Option<i64>,
    promoter: Option<i64>,
    promotion_time: Option<DateTime<Utc>>,
    extra: Option<serde_json::Value>,
    create_event: i64,
    creation_time: DateTime<Utc>,
    start_time: Option<DateTime<Utc>>,
    completion_time: Option<DateTime<Utc>>,
}

async fn details(conn: &mut PgConnection, builds: &[Listed], extra: bool) -> Result<HashMap<BuildId, Details>> {
    let ids: Vec<i64> = builds.iter().map(|build| build.build.0).collect();
    let rows = sqlx::query!(
        "SELECT b.id, version, release, epoch, task_id, promoter, promotion_time, CASE WHEN $2 THEN extra END AS extra,
             create_event, events.time AS creation_time, start_time, completion_time
         FROM build b JOIN events ON events.id = create_event WHERE b.id = ANY($1)",
        &ids,
        extra
    )
    .fetch_all(conn)
    .await?;
    let details = rows.into_iter().map(|row| {
        let details = Details {
            version: row.version,
            release: row.release,
            epoch: row.epoch,
            task_id: row.task_id,
            promoter: row.promoter,
            promotion_time: row.promotion_time,
            extra: row.extra,
            create_event: row.create_event,
            creation_time: row.creation_time,
            start_time: row.start_time,
            completion_time: row.completion_time,
        };
        (BuildId(row.id), details)
    });
    Ok(details.collect())
}

/// Names of users, volumes and tags.
#[derive(Default)]
struct Names {
    users: HashMap<i64, String>,
    volumes: HashMap<i64, String>,
    tags: HashMap<i64, String>,
}

async fn names(conn: &mut PgConnection, builds: &[Listed], details: &HashMap<BuildId, Details>) -> Result<Names> {
    let mut users: Vec<i64> = builds.iter().map(|build| build.owner.0).collect();
    users.extend(details.values().filter_map(|details| details.promoter));
    let mut volumes: Vec<i64> = builds.iter().map(|build| build.volume.0).collect();
    let mut tags: Vec<i64> = builds.iter().map(|build| build.tag.0).collect();
    for ids in [&mut users, &mut volumes, &mut tags] {
        ids.sort_unstable();
        ids.dedup();
    }
    let rows = sqlx::query!(
        r#"SELECT 0 AS "kind!", id AS "id!", name AS "name!" FROM users WHERE id = ANY($1)
           UNION ALL SELECT 1, id, name FROM volume WHERE id = ANY($2)
           UNION ALL SELECT 2, id, name FROM tag WHERE id = ANY($3)"#,
        &users,
        &volumes,
        &tags
    )
    .fetch_all(conn)
    .await?;
    let mut names = Names::default();
    for row in rows {
        let of_kind = match row.kind {
            0 => &mut names.users,
            1 => &mut names.volumes,
            _ => &mut names.tags,
        };
        of_kind.insert(row.id, row.name);
    }
    Ok(names)
}

/// All that is told of builds that were chosen, in their order.
pub(in crate::content) async fn told(
    conn: &mut PgConnection,
    chosen: &[Listed],
    entries: &Entries,
    extra: bool,
) -> Result<Vec<TaggedBuild>> {
    if chosen.is_empty() {
        return Ok(Vec::new());
    }
    let details = details(conn, chosen, extra).await?;
    let names = names(conn, chosen, &details).await?;
    let name = |names: &HashMap<i64, String>, id: i64| names.get(&id).cloned().unwrap_or_default();
    let mut told = Vec::with_capacity(chosen.len());
    for build in chosen {
        // deleted in this moment
        let Some(details) = details.get(&build.build) else { continue };
        let package_name = entries.name(build.package).unwrap_or_default();
        told.push(TaggedBuild {
            build_id: build.build,
            completion_time: details.completion_time.map(Time),
            create_event: build.event,
            creation_event_id: EventId(details.create_event),
            creation_time: Time(details.creation_time),
            draft: build.draft,
            epoch: details.epoch,
            extra: if extra { Some(json(details.extra.as_ref())?) } else { None },
            id: build.build,
            nvr: format!("{package_name}-{}-{}", details.version, details.release),
            name: package_name.to_owned(),
            owner_id: build.owner,
            owner_name: name(&names.users, build.owner.0),
            package_id: build.package,
            package_name: package_name.to_owned(),
            promoter_id: details.promoter.map(UserId),
            promoter_name: details.promoter.map(|promoter| name(&names.users, promoter)),
            promotion_time: details.promotion_time.map(Time),
            release: details.release.clone(),
            start_time: details.start_time.map(Time),
            state: build.state,
            tag_id: build.tag,
            tag_name: name(&names.tags, build.tag.0),
            task_id: details.task_id.map(TaskId),
            version: details.version.clone(),
            volume_id: build.volume,
            volume_name: name(&names.volumes, build.volume.0),
        });
    }
    Ok(told)
}

/// Asked for, `extra` is told although it is nil.
fn json(json: Option<&serde_json::Value>) -> Result<Value> {
    match json {
        Some(json) => serde_json::from_value(json.clone()).map_err(Error::internal),
        None => Ok(Value::Nil),
    }
}
