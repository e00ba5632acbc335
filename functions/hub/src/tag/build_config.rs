//! A tag's configuration as builds see it.

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, TagId},
    method::tag::{BuildConfig, ConfigInheritance, GetBuildConfig},
    value::{Map, Value},
};

use super::{Quirks, require_at, shown, sql, walk, walk::Direction};
use crate::{
    Result,
    call::{Cx, Handle},
};

/// A tag with the arches and extra settings that count: its own, or else the nearest ancestor's. None when it is not there.
///
/// # Errors
/// When the walk through ancestors gets out of hand, or the database is away.
pub async fn build_config(
    conn: &mut PgConnection,
    quirks: Quirks,
    tag: TagId,
    at: Option<EventId>,
) -> Result<Option<BuildConfig>> {
    let mut order = vec![tag];
    let ancestors = walk(conn, quirks, tag, at, Direction::Up).await?;
    order.extend(ancestors.iter().filter(|met| !met.noconfig).map(|met| met.full.link.parent_id));

    let mut configs: HashMap<TagId, sql::Row> =
        sql::configs(conn, &order, at).await?.into_iter().map(|row| (row.id, row)).collect();
    let mut extras: HashMap<TagId, Vec<sql::Extra>> = HashMap::new();
    for extra in sql::extras(conn, &order, at).await? {
        extras.entry(extra.tag).or_default().push(extra);
    }
    let Some(mut own) = configs.remove(&tag) else { return Ok(None) };
    // Q5
    let has_arches = |row: &sql::Row| match &row.config.arches {
        Some(arches) => quirks.are_kept() || !arches.is_empty(),
        None => false,
    };
    let mut needs_arches = !has_arches(&own);

    let mut from = ConfigInheritance::default();
    let mut effective: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    let mut sources = Map::new();
    for (place, ancestor) in order.iter().enumerate() {
        let source = |configs: &HashMap<TagId, sql::Row>| {
            let name = configs.get(ancestor).map(|row| row.name.clone());
            let mut source = Map::new();
            source.insert("id", ancestor.0);
            source.insert("name", name);
            Value::Struct(source)
        };
        if let Some(row) = configs.get(ancestor).filter(|row| needs_arches && has_arches(row)) {
            own.config.arches.clone_from(&row.config.arches);
            from.arches = Some(source(&configs));
            needs_arches = false;
        }
        for extra in extras.get(ancestor).into_iter().flatten() {
            if effective.contains_key(extra.key.as_str()) {
                continue;
            }
            effective.insert(&extra.key, extra.value.as_deref());
            if place > 0 && extra.value.is_some() {
                sources.insert(extra.key.clone(), source(&configs));
            }
        }
    }
    from.extra = sources;
    let mut extra = Map::new();
    for (key, value) in effective {
        // a blocked key has hidden what is further away, and is not shown itself
        if let Some(value) = value {
            extra.insert(key, super::decode(value)?);
        }
    }
    Ok(Some(BuildConfig { tag: shown(own, extra), config_inheritance: from }))
}

impl Handle for GetBuildConfig {
    async fn handle(self, cx: &mut Cx) -> Result<Option<BuildConfig>> {
        let quirks = cx.hub.config.quirks;
        let conn = cx.db().await?;
        let (tag, _) = require_at(conn, &self.tag, self.event).await?;
        build_config(conn, quirks, tag, self.event).await
    }
}
