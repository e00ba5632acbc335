//! A tag's configuration as builds see it.

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, TagId},
    method::tag::{BuildConfig, ConfigInheritance, GetBuildConfig},
    value::{Map, Value},
};

use super::{inheritance, require_at, shown, sql};
use crate::{
    Result,
    call::{Cx, Handle},
};

/// A tag with the arches and extra settings that count: its own, or else the nearest ancestor's. None when it is not there.
///
/// Koji's quirks are kept: `noconfig` leaves out the parent of that link alone, not what lies behind it (Q3), and arches that are
/// empty, as `createTag` leaves them, are not inherited over (Q5).
///
/// # Errors
/// When the walk through ancestors gets out of hand, or the database is away.
pub async fn build_config(conn: &mut PgConnection, tag: TagId, at: Option<EventId>) -> Result<Option<BuildConfig>> {
    let mut ancestors = inheritance(conn, tag, at).await?;
    ancestors.retain(|full| !full.link.noconfig);
    let mut order = vec![tag];
    order.extend(ancestors.iter().map(|full| full.link.parent_id));

    let mut configs: HashMap<TagId, sql::Row> =
        sql::configs(conn, &order, at).await?.into_iter().map(|row| (row.id, row)).collect();
    let mut extras: HashMap<TagId, Vec<sql::Extra>> = HashMap::new();
    for extra in sql::extras(conn, &order, at).await? {
        extras.entry(extra.tag).or_default().push(extra);
    }
    let Some(mut own) = configs.remove(&tag) else { return Ok(None) };

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
        if let (None, Some(arches)) =
            (&own.config.arches, configs.get(ancestor).and_then(|row| row.config.arches.clone()))
        {
            own.config.arches = Some(arches);
            from.arches = Some(source(&configs));
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
        let conn = cx.db().await?;
        let (tag, _) = require_at(conn, &self.tag, self.event).await?;
        build_config(conn, tag, self.event).await
    }
}
