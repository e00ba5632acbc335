//! What tests look at: the data that the caller of a policy gives, and what follows from them. Each fact is fetched when the first
//! test asks for it, once, with one or two statements.

mod build;
mod tag;
mod task;
mod user;

use std::{collections::BTreeMap, sync::Arc};

pub(super) use tag::{BuildTag, SomeTag};
pub(super) use task::data_of_request;
use toji_protocol::{
    id::{PackageId, UserId},
    method::build::Build,
    value::{Map, Value, from_value},
};

use super::tests::{List, Property, Text};
use crate::{Error, Result, call::Cx};

/// The data of one decision, and what was found out for it.
pub(super) struct Facts<'a> {
    pub(super) cx: &'a mut Cx,
    data: Map,
    /// A task that is about to be made: its method and arguments, until a test asks what follows from them.
    task: Option<(&'a str, &'a [Value])>,
    user: Option<Option<user::Person>>,
    permissions: Option<Vec<String>>,
    groups: Option<Vec<(UserId, String)>>,
    build: Option<Arc<Build>>,
    package: Option<(Option<PackageId>, String)>,
    buildroots: Option<Vec<Option<i64>>>,
    build_tags: Option<Vec<Option<tag::BuildTag>>>,
    tags: BTreeMap<&'static str, Option<tag::SomeTag>>,
    found: Map,
}

impl<'a> Facts<'a> {
    pub(super) fn new(cx: &'a mut Cx, data: Map) -> Self {
        Self {
            cx,
            data,
            task: None,
            user: None,
            permissions: None,
            groups: None,
            build: None,
            package: None,
            buildroots: None,
            build_tags: None,
            tags: BTreeMap::new(),
            found: Map::new(),
        }
    }

    /// The same, with what follows from a task's arguments (`source`, `target`, `tag`, `build_tag`, `scratch`) found out when it is
    /// asked for: most policies never do, and tasks are made all the time.
    pub(super) fn of_task(cx: &'a mut Cx, data: Map, method: &'a str, request: &'a [Value]) -> Self {
        Self { task: Some((method, request)), ..Self::new(cx, data) }
    }

    /// A field of the data; None when there is none of that name.
    pub(super) async fn field(&mut self, name: &str) -> Result<Option<&Value>> {
        if task::FIELDS.contains(&name)
            && let Some((method, request)) = self.task.take()
        {
            for (name, value) in data_of_request(self.cx, method, request).await? {
                self.data.insert(name, value);
            }
        }
        Ok(self.data.get(name))
    }

    /// A field of the data, read as a type.
    async fn typed<T: serde::de::DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>> {
        match self.field(name).await? {
            Some(value) => match from_value(value.clone()) {
                Ok(value) => Ok(Some(value)),
                Err(error) => Err(Error::parameter(format!("policy: the data's '{name}': {error}"))),
            },
            None => Ok(None),
        }
    }

    /// One text that follows from the data; None when nothing does.
    pub(super) async fn text(&mut self, text: Text) -> Result<Option<String>> {
        let (name, found) = match text {
            Text::Package => ("package", Some(self.package().await?.1)),
            Text::Version => ("version", Some(self.version().await?)),
            Text::Release => ("release", Some(self.release().await?)),
            Text::Volume => ("volume", self.volume().await?),
            Text::Tag => ("tag", self.tag("tag").await?.map(|tag| tag.name)),
            Text::FromTag => ("fromtag", self.tag("fromtag").await?.map(|tag| tag.name)),
            Text::User => ("user", self.user().await?.map(|user| user.name)),
            Text::Source => ("source", self.source().await?),
        };
        self.found.insert(name, found.clone());
        Ok(found)
    }

    /// Texts that follow from the data. None among them stands for what has none: an RPM without a buildroot has no build tag.
    pub(super) async fn list(&mut self, list: List) -> Result<Vec<Option<String>>> {
        let some = |texts: Vec<String>| texts.into_iter().map(Some).collect();
        let (name, found) = match list {
            List::ContentGenerators => ("content_generators", self.content_generators().await?),
            List::TagsOfBuild => ("tags", some(self.tags_of_build().await?)),
            List::BuildTags => ("build_tags", self.build_tag_names().await?),
            List::BuildTagAncestors => ("build_tag_ancestors", some(self.build_tag_ancestors().await?)),
            List::BuildTypes => ("build_types", some(self.build_types().await?)),
            List::Groups => ("groups", some(self.groups().await?.into_iter().map(|(_, name)| name).collect())),
            List::Permissions => ("permissions", some(self.permissions().await?)),
        };
        self.found.insert(name, found.iter().cloned().map(Value::from).collect::<Vec<_>>());
        Ok(found)
    }

    /// A yes or no that follows from the data.
    pub(super) async fn property(&mut self, property: Property) -> Result<bool> {
        let (name, found) = match property {
            Property::NewPackage => ("is_new_package", self.package().await?.0.is_none()),
            Property::Imported => ("imported", self.is_imported().await?),
            Property::BuildOwner => ("is_build_owner", self.is_build_owner().await?),
            Property::Draft => ("is_draft", self.is_draft().await?),
            Property::Sidetag => ("is_sidetag", self.tag("tag").await?.is_some_and(|tag| tag.is_sidetag)),
        };
        self.found.insert(name, found);
        Ok(found)
    }

    /// The data that were given, and what was found out from them.
    pub(super) fn seen(self) -> (Map, Map) {
        (self.data, self.found)
    }
}
