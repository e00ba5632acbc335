//! Making, changing and deleting tags.

use std::collections::BTreeMap;

use toji_protocol::{
    arch,
    id::{PermissionId, Ref, TagId},
    method::tag::{CreateTag, DeleteTag, EditTag, EditTag2},
    value::{Map, Value, from_value},
};

use super::{links, lock, perm_id, require, sql};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    name, repo, sign,
};

/// A list of architectures as it is stored: single blanks between.
///
/// # Errors
/// When one has characters that no architecture has.
pub(crate) fn arches(list: &str) -> Result<String> {
    let words = arch::split_list(list);
    match words.iter().find(|word| !arch::is_valid(word)) {
        Some(bad) => {
            Err(Error::invalid(format!("'{bad}' is no architecture: only letters, digits, _ and - are allowed")))
        }
        None => Ok(words.join(" ")),
    }
}

pub(super) fn encode(value: &Value) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}

/// A setting as it is stored.
fn encode_extra(key: &str, value: &Value) -> Result<String> {
    sign::check_extra(key, value)?;
    encode(value)
}

/// Makes a tag, or brings a deleted one back under its old id. What it is made of is locked already.
///
/// # Errors
/// When there is one of that name, or the name breaks the rules.
pub(super) async fn create(
    cx: &mut Cx,
    name: &str,
    config: &sql::Config,
    extra: &[(String, Option<String>)],
    parent: Option<TagId>,
) -> Result<TagId> {
    let by = cx.caller.user()?.id;
    name::check("tag", name)?;
    let conn = cx.db().await?;
    let tag = sql::take_name(conn, name).await?;
    if super::find(conn, &Ref::Id(tag)).await?.is_some() {
        return Err(Error::invalid(format!("A tag with the name '{name}' already exists")));
    }
    if let Some(parent) = parent {
        lock(conn, &[parent]).await?;
    }
    let event = cx.event().await?;
    let conn = cx.db().await?;
    sql::insert_config(conn, tag, config, event, by).await?;
    sql::insert_extras(conn, tag, extra, event, by).await?;
    if let Some(parent) = parent {
        sql::insert_links(conn, &[links::plain(tag, parent)], event, by).await?;
    }
    repo::tag_changed(cx, tag).await?;
    Ok(tag)
}

impl Handle for CreateTag {
    async fn handle(self, cx: &mut Cx) -> Result<TagId> {
        let conn = cx.db().await?;
        let config = sql::Config {
            // Koji's quirk Q5: none given is stored as empty, and so is not inherited
            arches: Some(arches(self.arches.as_deref().unwrap_or_default())?),
            perm_id: match &self.perm {
                Some(perm) => Some(perm_id(conn, perm).await?),
                None => None,
            },
            locked: self.locked,
            maven_support: self.maven_support,
            maven_include_all: self.maven_include_all,
        };
        let mut extra = Vec::new();
        for (key, value) in self.extra.iter().flat_map(Map::iter) {
            extra.push((key.to_owned(), Some(encode_extra(key, value)?)));
        }
        let parent = match &self.parent {
            Some(parent) => match super::find(conn, parent).await? {
                Some((parent, _)) => Some(parent),
                None => return Err(Error::missing(format!("Parent tag {parent} could not be found"))),
            },
            None => None,
        };
        create(cx, &self.name, &config, &extra, parent).await
    }
}

/// What is to change about a tag; None = stays.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) name: Option<String>,
    pub(super) arches: Option<Option<String>>,
    pub(super) locked: Option<bool>,
    pub(super) perm: Option<Option<Ref<PermissionId>>>,
    pub(super) maven_support: Option<bool>,
    pub(super) maven_include_all: Option<bool>,
    /// Keys to set, or to block.
    pub(super) extra: BTreeMap<String, Option<String>>,
    pub(super) remove_extra: Vec<String>,
}

fn text(name: &str, value: &Value) -> Result<String> {
    let text =
        value.as_str().ok_or_else(|| Error::parameter(format!("{name} must be a text, not {}", value.kind())))?;
    Ok(text.to_owned())
}

fn keys(name: &str, value: &Value) -> Result<Vec<String>> {
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::Array(keys) => keys.iter().map(|key| text(name, key)).collect(),
        one => Ok(vec![text(name, one)?]),
    }
}

impl Changes {
    fn parse(named: &Map) -> Result<Self> {
        let mut changes = Self::default();
        let mut blocked = Vec::new();
        for (key, value) in named.iter() {
            match key {
                // the stock client sends nil for a name that stays
                "name" if value.is_nil() => {}
                "name" => changes.name = Some(text(key, value)?),
                "arches" if value.is_nil() => changes.arches = Some(None),
                "arches" => changes.arches = Some(Some(arches(&text(key, value)?)?)),
                "locked" => changes.locked = Some(value.is_truthy()),
                // both say the same; perm_id wins
                "perm" if named.contains_key("perm_id") => {}
                "perm" | "perm_id" if !value.is_truthy() => changes.perm = Some(None),
                "perm" | "perm_id" => changes.perm = Some(Some(from_value(value.clone())?)),
                "maven_support" => changes.maven_support = Some(value.is_truthy()),
                "maven_include_all" => changes.maven_include_all = Some(value.is_truthy()),
                "extra" => {
                    for (key, value) in value.as_struct().into_iter().flat_map(Map::iter) {
                        changes.extra.insert(key.to_owned(), Some(encode_extra(key, value)?));
                    }
                }
                "remove_extra" => changes.remove_extra = keys(key, value)?,
                "block_extra" => blocked = keys(key, value)?,
                other => return Err(Error::parameter(format!("editTag2 cannot change '{other}'"))),
            }
        }
        for key in blocked {
            if changes.extra.insert(key.clone(), None).is_some() {
                return Err(Error::invalid(format!("Can not both add/update and remove tag-extra: '{key}'")));
            }
        }
        match changes.remove_extra.iter().find(|key| changes.extra.contains_key(*key)) {
            Some(key) => Err(Error::invalid(format!("Can not both add/update and remove tag-extra: '{key}'"))),
            None => Ok(changes),
        }
    }
}

/// Changes a tag.
///
/// # Errors
/// When there is no such tag, its new name is taken, or a key is to be removed that it has not.
pub(super) async fn change(cx: &mut Cx, tag_info: &Ref<TagId>, changes: Changes) -> Result<()> {
    let by = cx.caller.user()?.id;
    let conn = cx.db().await?;
    let (tag, old_name) = require(conn, tag_info).await?;
    lock(conn, &[tag]).await?;
    let Some(old) = super::own_config(conn, tag, None).await? else {
        return Err(super::missing(tag_info));
    };
    let config = sql::Config {
        arches: changes.arches.unwrap_or_else(|| old.config.arches.clone()),
        perm_id: match changes.perm {
            Some(Some(perm)) => Some(perm_id(conn, &perm).await?),
            Some(None) => None,
            None => old.config.perm_id,
        },
        locked: changes.locked.unwrap_or(old.config.locked),
        maven_support: changes.maven_support.unwrap_or(old.config.maven_support),
        maven_include_all: changes.maven_include_all.unwrap_or(old.config.maven_include_all),
    };
    let current: BTreeMap<String, Option<String>> =
        sql::extras(conn, &[tag], None).await?.into_iter().map(|extra| (extra.key, extra.value)).collect();
    let unknown: Vec<&str> =
        changes.remove_extra.iter().filter(|key| !current.contains_key(*key)).map(String::as_str).collect();
    if !unknown.is_empty() {
        return Err(Error::invalid(format!("Tag: {old_name} doesn't have extra: {}", unknown.join(", "))));
    }
    let new: Vec<(String, Option<String>)> =
        changes.extra.into_iter().filter(|(key, value)| current.get(key) != Some(value)).collect();
    let mut gone = changes.remove_extra;
    gone.extend(new.iter().map(|(key, _)| key.clone()));

    let new_name = changes.name.filter(|name| *name != old_name);
    if let Some(name) = &new_name {
        name::check("tag", name)?;
        // names are not versioned: a look at a past event shows the new one
        if let Some(other) = sql::rename(conn, tag, name).await? {
            return Err(Error::invalid(format!("Name {name} already taken by tag {other}")));
        }
    }
    let is_config_new = config != old.config;
    if is_config_new || !gone.is_empty() {
        let event = cx.event().await?;
        let conn = cx.db().await?;
        if is_config_new {
            sql::revoke_config(conn, tag, event, by).await?;
            sql::insert_config(conn, tag, &config, event, by).await?;
        }
        sql::revoke_extras(conn, tag, &gone, event, by).await?;
        sql::insert_extras(conn, tag, &new, event, by).await?;
        repo::tag_changed(cx, tag).await?;
    }
    Ok(())
}

impl Handle for EditTag2 {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        change(cx, &self.tag_info, Changes::parse(&self.changes)?).await
    }
}

impl Handle for EditTag {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let mut extra = BTreeMap::new();
        for (key, value) in self.extra.iter().flat_map(Map::iter) {
            extra.insert(key.to_owned(), Some(encode_extra(key, value)?));
        }
        let changes = Changes {
            name: self.name.filter(|name| !name.is_empty()),
            arches: Some(self.arches.as_deref().map(arches).transpose()?),
            locked: Some(self.locked),
            perm: Some(self.permission_id),
            extra,
            ..Changes::default()
        };
        change(cx, &self.tag_info, changes).await
    }
}

impl Handle for DeleteTag {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let (tag, _) = require(conn, &self.tag_info).await?;
        lock(conn, &[tag]).await?;
        let event = cx.event().await?;
        let conn = cx.db().await?;
        let children = sql::children(conn, tag).await?;
        sql::revoke_everywhere(conn, tag, event, by).await?;
        let changed: Vec<TagId> = children.into_iter().chain([tag]).collect();
        repo::tags_changed(cx, &changed).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(members: &[(&str, Value)]) -> Map {
        members.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }

    #[test]
    fn arches_are_checked_and_tidied() {
        assert_eq!(arches(" x86_64,  aarch64 ").unwrap(), "x86_64 aarch64");
        assert_eq!(arches("").unwrap(), "");
        assert!(arches("x86_64 $(id)").is_err());
    }

    #[test]
    fn contradictions_are_refused() {
        let list = |key: &str| Value::Array(vec![key.into()]);
        let extra = Value::Struct(named(&[("a", 1_i64.into())]));
        for bad in [
            named(&[("colour", "red".into())]),
            named(&[("extra", extra.clone()), ("block_extra", list("a"))]),
            named(&[("extra", extra.clone()), ("remove_extra", list("a"))]),
            named(&[("name", 5_i64.into())]),
        ] {
            assert!(Changes::parse(&bad).is_err(), "{bad:?}");
        }
        let good = Changes::parse(&named(&[("perm_id", Value::Nil), ("arches", Value::Nil)])).unwrap();
        assert!(matches!((good.perm, good.arches), (Some(None), Some(None))));
        let both = Changes::parse(&named(&[("perm", "admin".into()), ("perm_id", Value::Nil)])).unwrap();
        assert!(matches!(both.perm, Some(None)), "perm_id wins");
    }
}
