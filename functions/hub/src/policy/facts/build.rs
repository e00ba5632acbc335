//! The build, its package, and what it was made of and in.

use std::sync::Arc;

use toji_protocol::{
    id::{PackageId, Ref, VolumeId},
    method::build::{Build, BuildRef},
    value::Value,
};

use super::{Facts, data_of_request};
use crate::{Error, Result, build, package, policy::sql, task, volume};

fn lacking(what: &str) -> Error {
    Error::invalid(format!("policy: a test asks for {what}, and the data name none"))
}

impl Facts<'_> {
    /// `build` of the data; None when they name none.
    async fn build_if_named(&mut self) -> Result<Option<Arc<Build>>> {
        if self.build.is_none()
            && let Some(named) = self.typed::<BuildRef>("build").await?
        {
            let conn = self.cx.db().await?;
            let id = match named {
                BuildRef::Id(id) => id,
                named => build::require(conn, &named).await?,
            };
            self.build = Some(Arc::new(build::get(conn, id).await?));
        }
        Ok(self.build.clone())
    }

    async fn build(&mut self) -> Result<Arc<Build>> {
        self.build_if_named().await?.ok_or_else(|| lacking("a build"))
    }

    /// The package: its name, and its id unless it is yet to be made.
    pub(super) async fn package(&mut self) -> Result<(Option<PackageId>, String)> {
        if let Some(package) = &self.package {
            return Ok(package.clone());
        }
        let package = match self.typed::<Ref<PackageId>>("package").await? {
            Some(named) => match (package::find(self.cx.db().await?, &named).await?, named.name()) {
                (Some((id, name)), _) => (Some(id), name),
                (None, Some(new)) => (None, new.to_owned()),
                (None, None) => return Err(Error::missing(format!("No such package: {named}"))),
            },
            None => {
                let build = self.build_if_named().await?.ok_or_else(|| lacking("a package"))?;
                (Some(build.package_id), build.name.clone())
            }
        };
        self.package = Some(package.clone());
        Ok(package)
    }

    pub(super) async fn version(&mut self) -> Result<String> {
        match self.typed::<String>("version").await? {
            Some(version) => Ok(version),
            None => Ok(self.build_if_named().await?.ok_or_else(|| lacking("a version"))?.version.clone()),
        }
    }

    pub(super) async fn release(&mut self) -> Result<String> {
        match self.typed::<String>("release").await? {
            Some(release) => Ok(release),
            None => Ok(self.build_if_named().await?.ok_or_else(|| lacking("a release"))?.release.clone()),
        }
    }

    pub(super) async fn volume(&mut self) -> Result<Option<String>> {
        match self.typed::<Ref<VolumeId>>("volume").await? {
            Some(named) => Ok(volume::find(self.cx.db().await?, &named).await?.map(|volume| volume.name)),
            None => Ok(self.build_if_named().await?.map(|build| build.volume_name.clone())),
        }
    }

    /// What it is built from: as the data say, as the build says, or as the task says that makes the build.
    pub(super) async fn source(&mut self) -> Result<Option<String>> {
        if let Some(source) = self.typed::<Option<String>>("source").await? {
            return Ok(source);
        }
        let Some(build) = self.build_if_named().await? else { return Ok(None) };
        let (None, Some(id)) = (&build.source, build.task_id) else { return Ok(build.source.clone()) };
        let row = task::require(self.cx, id).await?;
        let data = data_of_request(self.cx, &row.method, &task::decode_request(&row.request)?).await?;
        Ok(data.get("source").and_then(Value::as_str).map(str::to_owned))
    }

    /// Koji takes a build without types for none; ours are all of RPMs until something else is imported.
    pub(super) async fn build_types(&mut self) -> Result<Vec<String>> {
        if let Some(types) = self.typed::<Vec<String>>("btypes").await? {
            return Ok(types);
        }
        Ok(self.build_if_named().await?.map(|_| "rpm".to_owned()).into_iter().collect())
    }

    pub(super) async fn is_draft(&mut self) -> Result<bool> {
        if let Some(draft) = self.field("draft").await? {
            return Ok(draft.is_truthy());
        }
        Ok(self.build_if_named().await?.is_some_and(|build| build.draft))
    }

    /// Whether who acts owns the build, in person or through a group.
    pub(super) async fn is_build_owner(&mut self) -> Result<bool> {
        let owner = self.build().await?.owner_id;
        let Some(user) = self.user().await? else { return Ok(false) };
        Ok(owner == user.id || self.groups().await?.iter().any(|(group, _)| *group == owner))
    }

    /// Whether a part of the build was made in no buildroot.
    pub(super) async fn is_imported(&mut self) -> Result<bool> {
        let build = self.build().await?.id;
        let buildroots = match self.field("buildroots").await? {
            // these need not be the build's own
            Some(_) => sql::buildroots(self.cx.db().await?, build).await?,
            None => self.buildroots().await?,
        };
        Ok(buildroots.contains(&None))
    }

    /// The buildroots of all parts, each once; None for a part that has none.
    pub(super) async fn buildroots(&mut self) -> Result<Vec<Option<i64>>> {
        if let Some(buildroots) = &self.buildroots {
            return Ok(buildroots.clone());
        }
        let buildroots = match self.typed::<Vec<Option<i64>>>("buildroots").await? {
            Some(given) => given,
            None => match self.build_if_named().await? {
                Some(build) => sql::buildroots(self.cx.db().await?, build.id).await?,
                None => Vec::new(),
            },
        };
        self.buildroots = Some(buildroots.clone());
        Ok(buildroots)
    }

    /// The content generators that made the parts; None for a part that the build system made itself.
    pub(super) async fn content_generators(&mut self) -> Result<Vec<Option<String>>> {
        if let Some(named) = self.typed::<Vec<String>>("cg_list").await? {
            return Ok(named.into_iter().map(Some).collect());
        }
        let buildroots = self.buildroots().await?;
        Ok(buildroots.into_iter().map(|_| None).collect())
    }
}
