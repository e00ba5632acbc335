//! Tags: where the build goes, where it comes from, and where it was built.

use toji_protocol::{
    id::{BuildId, EventId, Ref, TagId, TargetId},
    method::build::BuildRef,
    value::Value,
};

use super::Facts;
use crate::{Error, Result, build, policy::sql, tag, target};

/// A tag that the data name.
#[derive(Clone, Debug)]
pub(in crate::policy) struct SomeTag {
    pub(in crate::policy) name: String,
    pub(in crate::policy) is_sidetag: bool,
    /// The side tag's owner.
    pub(in crate::policy) owner: Option<i64>,
}

/// A tag that the build was built in, as it was then.
#[derive(Clone, Debug)]
pub(in crate::policy) struct BuildTag {
    pub(in crate::policy) id: TagId,
    pub(in crate::policy) name: String,
    pub(in crate::policy) at: Option<EventId>,
}

impl Facts<'_> {
    /// The tag that a field of the data names; None when it is nil, not there, or names none.
    pub(super) async fn tag(&mut self, field: &'static str) -> Result<Option<SomeTag>> {
        if let Some(tag) = self.tags.get(field) {
            return Ok(tag.clone());
        }
        let tag = match self.typed::<Option<Ref<TagId>>>(field).await?.flatten() {
            Some(named) => sql::tag(self.cx.db().await?, &named).await?,
            None => None,
        };
        self.tags.insert(field, tag.clone());
        Ok(tag)
    }

    /// Whether all these fields name side tags of who acts. To an admin who calls, all are as their own.
    pub(in crate::policy) async fn owns_sidetags(&mut self, fields: &[&'static str]) -> Result<bool> {
        let user = self.user().await?;
        for field in fields {
            let Some(tag) = self.tag(field).await? else { return Ok(false) };
            let is_own = tag.owner.is_some() && tag.owner == user.as_ref().map(|user| user.id.0);
            if !(tag.is_sidetag && (is_own || self.cx.caller.has_perm("admin"))) {
                return Ok(false);
            }
        }
        self.found.insert("is_sidetag_owner", true);
        Ok(true)
    }

    /// The tags that the build is in now.
    pub(super) async fn tags_of_build(&mut self) -> Result<Vec<String>> {
        let Some(named) = self.typed::<BuildRef>("build").await? else { return Ok(Vec::new()) };
        let conn = self.cx.db().await?;
        let build: BuildId = match named {
            BuildRef::Id(id) => id,
            named => build::require(conn, &named).await?,
        };
        sql::tags_of_build(conn, build).await
    }

    pub(super) async fn build_tag_names(&mut self) -> Result<Vec<Option<String>>> {
        Ok(self.build_tags().await?.into_iter().map(|tag| tag.map(|tag| tag.name)).collect())
    }

    /// Every tag that a build tag inherits from, itself not counted.
    pub(super) async fn build_tag_ancestors(&mut self) -> Result<Vec<String>> {
        let mut ancestors = Vec::new();
        for build_tag in self.build_tags().await?.into_iter().flatten() {
            let quirks = self.cx.hub.config.quirks;
            for full in tag::inheritance(self.cx.db().await?, quirks, build_tag.id, build_tag.at).await? {
                if !ancestors.contains(&full.link.name) {
                    ancestors.push(full.link.name);
                }
            }
        }
        Ok(ancestors)
    }

    /// Where it was or will be built: as the data say, by their target, or by the buildroots of its parts.
    async fn build_tags(&mut self) -> Result<Vec<Option<BuildTag>>> {
        if let Some(tags) = &self.build_tags {
            return Ok(tags.clone());
        }
        let tags = self.find_build_tags().await?;
        self.build_tags = Some(tags.clone());
        Ok(tags)
    }

    async fn find_build_tags(&mut self) -> Result<Vec<Option<BuildTag>>> {
        let named = match self.typed::<Ref<TagId>>("build_tag").await? {
            Some(one) => vec![one],
            None => self.typed::<Vec<Ref<TagId>>>("build_tags").await?.unwrap_or_default(),
        };
        if !named.is_empty() {
            return Ok(self.tags_as_they_were(&named).await?.into_iter().map(Some).collect());
        }
        if let Some(Value::String(target)) = self.field("target").await?.cloned()
            && let Some(target) = target::find(self.cx.db().await?, &Ref::<TargetId>::Name(target), None).await?
        {
            return Ok(vec![Some(BuildTag { id: target.build_tag, name: target.build_tag_name, at: None })]);
        }
        let buildroots = self.buildroots().await?;
        let known: Vec<i64> = buildroots.iter().copied().flatten().collect();
        let mut tags: Vec<_> =
            sql::tags_of_buildroots(self.cx.db().await?, &known).await?.into_iter().map(Some).collect();
        if buildroots.contains(&None) {
            tags.push(None);
        }
        Ok(tags)
    }

    /// Tags, also deleted ones: as they were just before that.
    async fn tags_as_they_were(&mut self, named: &[Ref<TagId>]) -> Result<Vec<BuildTag>> {
        let found = sql::tags_as_they_were(self.cx.db().await?, named).await?;
        let is =
            |tag: &BuildTag, named: &Ref<TagId>| named.id() == Some(tag.id) || named.name() == Some(tag.name.as_str());
        match named.iter().find(|named| !found.iter().any(|tag| is(tag, named))) {
            Some(missing) => Err(Error::missing(format!("No such tag: {missing}"))),
            None => Ok(found),
        }
    }
}
