//! Builds as calls name them.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use toji_protocol::{id::BuildId, method::build::BuildRef, nvr::Nvr};

use super::sql;
use crate::{Error, Result};

/// What a call names a build by.
pub(super) enum Named {
    Id(BuildId),
    Nvr(Nvr),
}

/// # Errors
/// When it names no build.
pub(super) fn parse(build: &BuildRef) -> Result<Named> {
    match build {
        BuildRef::Id(id) | BuildRef::Info { id: Some(id), .. } | BuildRef::Info { build_id: Some(id), .. } => {
            Ok(Named::Id(*id))
        }
        BuildRef::Nvr(nvr) => Nvr::parse(nvr).map(Named::Nvr).map_err(|error| Error::invalid(error.to_string())),
        BuildRef::Info { name: Some(name), version: Some(version), release: Some(release), .. } => {
            Ok(Named::Nvr(Nvr { name: name.clone(), version: version.clone(), release: release.clone(), epoch: None }))
        }
        BuildRef::Info { .. } => {
            Err(Error::parameter("a build is named by id, by NAME-VERSION-RELEASE, or by name, version and release"))
        }
    }
}

/// The ids of many builds, in their order, in two statements.
///
/// # Errors
/// Koji's fault when one is not there.
pub async fn require_all(conn: &mut PgConnection, builds: &[BuildRef]) -> Result<Vec<BuildId>> {
    let named: Vec<Named> = builds.iter().map(parse).collect::<Result<_>>()?;
    let (mut ids, mut nvrs) = (Vec::new(), Vec::new());
    for named in &named {
        match named {
            Named::Id(id) => ids.push(*id),
            Named::Nvr(nvr) => nvrs.push(nvr),
        }
    }
    let ids: HashSet<BuildId> = sql::all_that_exist(conn, &ids).await?;
    let nvrs: HashMap<String, BuildId> = sql::all_by_nvr(conn, &nvrs).await?;
    let find = |named: &Named| match named {
        Named::Id(id) => ids.get(id).copied(),
        Named::Nvr(nvr) => nvrs.get(&nvr.to_string()).copied(),
    };
    let missing = |build: &BuildRef| Error::missing(format!("No such build: {build}"));
    builds.iter().zip(&named).map(|(build, named)| find(named).ok_or_else(|| missing(build))).collect()
}
