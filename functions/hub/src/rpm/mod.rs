//! RPMs.

pub mod fragment;
mod headers;
mod sql;

pub use sql::listing as list_of_build;
use sqlx::PgConnection;
use toji_protocol::{
    method::{
        Listing, OneOrMany,
        rpm::{GetRpm, GetRpmHeaders, ListBuildRpms, ListRpms, QueryRpmSigs, Rpm, RpmRef, RpmSig},
    },
    nvr::Nvra,
    value::Map,
};

use crate::{
    Error, Result, build,
    call::{Cx, Handle, Table},
    listing,
};

pub(crate) fn methods(table: &mut Table) {
    table.add::<GetRpm>().add::<ListRpms>().add::<ListBuildRpms>().add::<QueryRpmSigs>().add::<GetRpmHeaders>();
}

/// The RPMs that a name means: internal ones first, then drafts, newest first, then external ones, newest first.
pub async fn find(conn: &mut PgConnection, rpm: &RpmRef) -> Result<Vec<Rpm>> {
    let nvra = match rpm {
        RpmRef::Id(id) | RpmRef::Info { id: Some(id), .. } => return sql::by_id(conn, *id).await,
        RpmRef::Nvra(nvra) => Nvra::parse(nvra).map_err(|error| Error::invalid(error.to_string()))?,
        RpmRef::Info { name: Some(name), version: Some(version), release: Some(release), arch: Some(arch), .. } => {
            Nvra {
                nvr: toji_protocol::nvr::Nvr {
                    name: name.clone(),
                    version: version.clone(),
                    release: release.clone(),
                    epoch: None,
                },
                arch: arch.clone(),
            }
        }
        RpmRef::Info { .. } => {
            return Err(Error::parameter(
                "an RPM is named by id, by NAME-VERSION-RELEASE.ARCH, or by all four of them",
            ));
        }
    };
    sql::by_nvra(conn, &nvra).await
}

fn no_such_rpm(rpm: &RpmRef) -> Error {
    let name = match rpm {
        RpmRef::Id(id) | RpmRef::Info { id: Some(id), .. } => id.to_string(),
        RpmRef::Nvra(nvra) => format!("'{nvra}'"),
        RpmRef::Info { name, version, release, arch, .. } => {
            let part = |part: &Option<String>| part.clone().unwrap_or_default();
            format!("'{}-{}-{}.{}'", part(name), part(version), part(release), part(arch))
        }
    };
    Error::missing(format!("No such rpm: {name}"))
}

impl Handle for GetRpm {
    async fn handle(self, cx: &mut Cx) -> Result<Option<OneOrMany<Rpm>>> {
        let found = find(cx.db().await?, &self.rpminfo).await?;
        if self.multi {
            return Ok(Some(OneOrMany::Many(found)));
        }
        match found.into_iter().next() {
            Some(rpm) => Ok(Some(OneOrMany::One(rpm))),
            None if self.strict => Err(no_such_rpm(&self.rpminfo)),
            None => Ok(None),
        }
    }
}

impl Handle for ListRpms {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<Rpm>> {
        let conn = cx.db().await?;
        let build = match &self.build_id {
            Some(build) => Some(build::require(conn, build).await?.0),
            None => None,
        };
        let filter = sql::Filter {
            build,
            buildroot: self.buildroot_id.map(|id| id.0),
            component_of: self.component_buildroot_id.map(|id| id.0),
            host: self.host_id.map(|id| id.0),
            arches: self.arches.map(OneOrMany::into_vec),
            draft: self.draft,
            is_none: self.image_id.is_some(),
        };
        listing::in_memory(sql::list(conn, &filter).await?, self.query_opts.as_ref())
    }
}

impl Handle for ListBuildRpms {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<Rpm>> {
        let conn = cx.db().await?;
        let build = build::require(conn, &self.build).await?;
        sql::listing(conn, build).await
    }
}

impl Handle for QueryRpmSigs {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<RpmSig>> {
        let conn = cx.db().await?;
        let rpm = match &self.rpm_id {
            Some(rpm) => match find(conn, rpm).await?.first() {
                Some(rpm) => Some(rpm.id),
                None => return Err(no_such_rpm(rpm)),
            },
            None => None,
        };
        if rpm.is_none() && self.sigkey.is_none() {
            return Err(Error::parameter("name an RPM, or a key"));
        }
        listing::in_memory(sql::signatures(conn, rpm, self.sigkey.as_deref()).await?, self.query_opts.as_ref())
    }
}

impl Handle for GetRpmHeaders {
    async fn handle(self, cx: &mut Cx) -> Result<Map> {
        headers::get(cx, self).await
    }
}
