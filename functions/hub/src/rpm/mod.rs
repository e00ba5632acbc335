//! RPMs: what is known of them, what their files say of themselves, and their signatures.

mod changelog;
mod deps;
mod file;
mod files;
pub mod fragment;
mod headers;
pub(crate) mod signature;
mod sql;

pub use sql::listing as list_of_build;
use sql::source as find_source;
use sqlx::PgConnection;
use toji_protocol::{
    id::RpmId,
    method::{
        Listing, OneOrMany,
        build::BuildRef,
        rpm::{
            AddRpmSig, ChangelogEntry, DeleteRpmSig, FoundRpmFile, GetChangelogEntries, GetRpm, GetRpmChecksums,
            GetRpmDeps, GetRpmFile, GetRpmHeaders, ListBuildRpms, ListRpmFiles, ListRpms, QueryRpmSigs, RenameRpmSig,
            Rpm, RpmDep, RpmFileInfo, RpmRef, RpmSig, WriteSignedRpm,
        },
    },
    nvr::{Nvr, Nvra},
    value::Map,
};

use crate::{
    Error, Result, build,
    call::{Cx, Handle, Table},
    listing,
};

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<GetRpm>()
        .add::<ListRpms>()
        .add::<ListBuildRpms>()
        .add::<GetRpmHeaders>()
        .add::<GetRpmDeps>()
        .add::<ListRpmFiles>()
        .add::<GetRpmFile>()
        .add::<GetChangelogEntries>()
        .add::<GetRpmChecksums>()
        .add::<QueryRpmSigs>()
        .add::<AddRpmSig>()
        .add::<DeleteRpmSig>()
        .add::<RenameRpmSig>()
        .add::<WriteSignedRpm>();
}

/// An RPM's signatures: keys, which may be empty, and digests of the headers.
///
/// # Errors
/// When the database is away.
pub(crate) async fn signatures(conn: &mut PgConnection, rpm: RpmId) -> Result<Vec<(String, String)>> {
    signature::of(conn, rpm).await
}

/// The RPMs that a name means: internal ones first, then drafts, newest first, then external ones, newest first.
pub async fn find(conn: &mut PgConnection, rpm: &RpmRef) -> Result<Vec<Rpm>> {
    let (nvra, location) = match rpm {
        RpmRef::Id(id) | RpmRef::Info { id: Some(id), .. } => return sql::by_id(conn, *id).await,
        RpmRef::Nvra(text) => match text.parse::<RpmId>() {
            Ok(id) => return sql::by_id(conn, id).await,
            Err(_) => {
                let nvra = Nvra::parse(text).map_err(|error| Error::invalid(error.to_string()))?;
                (nvra, text.split_once('@').map(|(_, location)| location))
            }
        },
        RpmRef::Info { name: Some(name), version: Some(version), release: Some(release), arch: Some(arch), .. } => {
            let (name, version, release) = (name.clone(), version.clone(), release.clone());
            (Nvra { nvr: Nvr { name, version, release, epoch: None }, arch: arch.clone() }, rpm.location())
        }
        RpmRef::Info { .. } => {
            return Err(Error::parameter(
                "an RPM is named by id, by NAME-VERSION-RELEASE.ARCH, or by all four of them",
            ));
        }
    };
    let mut found = sql::by_nvra(conn, &nvra).await?;
    found.retain(|rpm| location.is_none_or(|location| rpm.external_repo_name == location));
    Ok(found)
}

fn no_such_rpm(rpm: &RpmRef) -> Error {
    Error::missing(format!("No such rpm: {rpm}"))
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
            Some(build) => build::find(conn, build).await?,
            None => None,
        };
        let filter = sql::Filter {
            build: build.map(|id| id.0),
            buildroot: self.buildroot_id.map(|id| id.0),
            component_of: self.component_buildroot_id.map(|id| id.0),
            host: self.host_id.map(|id| id.0),
            arches: self.arches.map(OneOrMany::into_vec),
            draft: self.draft,
            is_none: self.image_id.is_some() || self.build_id.is_some() && build.is_none(),
        };
        listing::in_memory(sql::list(conn, &filter).await?, self.query_opts.as_ref())
    }
}

impl Handle for ListBuildRpms {
    async fn handle(self, cx: &mut Cx) -> Result<Vec<Rpm>> {
        let conn = cx.db().await?;
        match build::find(conn, &self.build).await? {
            Some(build) => sql::listing(conn, build).await,
            // an id may be of nothing, a name may not
            None if matches!(self.build, BuildRef::Id(_)) => Ok(Vec::new()),
            None => Err(Error::missing(format!("No such build: {}", self.build))),
        }
    }
}

macro_rules! handled_by {
    ($($method:ty => $answer:ty, $function:path);* $(;)?) => {$(
        impl Handle for $method {
            async fn handle(self, cx: &mut Cx) -> Result<$answer> {
                $function(cx, self).await
            }
        }
    )*};
}

handled_by! {
    GetRpmHeaders => Map, headers::get;
    GetRpmDeps => Listing<RpmDep>, deps::get;
    ListRpmFiles => Listing<RpmFileInfo>, files::list;
    GetRpmFile => FoundRpmFile, files::get;
    GetChangelogEntries => Listing<ChangelogEntry>, changelog::get;
    GetRpmChecksums => Map, signature::checksums;
    QueryRpmSigs => Listing<RpmSig>, signature::query;
    AddRpmSig => (), signature::add;
    DeleteRpmSig => (), signature::delete;
    RenameRpmSig => (), signature::rename;
    WriteSignedRpm => (), signature::write;
}
