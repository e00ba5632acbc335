//! Where an RPM's file lies, and its header by range reads: never the whole file.

use sqlx::PgConnection;
use toji_protocol::{
    method::{
        build::Build,
        rpm::{Rpm, RpmRef},
    },
    nvr::{Nvr, Nvra},
    object_key,
    state::BuildState,
};
use toji_repodata::header::RpmHeader;

use super::find;
use crate::{Error, Result, build, call::Cx, import};

/// An RPM whose file should be in S3.
pub(super) struct RpmFile {
    pub(super) rpm: Rpm,
    pub(super) build: Build,
}

/// Why there is no file of it.
pub(super) enum NoFile {
    /// No such RPM is known.
    Unknown,
    /// It is somebody else's.
    External(Box<Rpm>),
    /// Its build was deleted.
    Deleted(Box<Build>),
    /// The file is not kept, or is gone.
    Gone,
}

/// A file, or why there is none.
pub(super) type Located<T> = std::result::Result<T, NoFile>;

impl RpmFile {
    pub(super) fn nvra(&self) -> Nvra {
        let rpm = &self.rpm;
        let (name, version, release) = (rpm.name.clone(), rpm.version.clone(), rpm.release.clone());
        Nvra { nvr: Nvr { name, version, release, epoch: None }, arch: rpm.arch.clone() }
    }

    pub(super) fn key(&self) -> String {
        object_key::rpm(&build::nvr(&self.build), &self.nvra())
    }

    pub(super) fn signature_key(&self, sigkey: &str) -> String {
        object_key::rpm_signature(&build::nvr(&self.build), &self.nvra(), sigkey)
    }

    pub(super) fn signed_key(&self, sigkey: &str) -> String {
        object_key::signed_rpm(&build::nvr(&self.build), &self.nvra(), sigkey)
    }
}

/// Finds the RPM that is meant, and its build.
///
/// # Errors
/// When the name is none, or the database is away. That there is no file is an answer.
pub(super) async fn locate(conn: &mut PgConnection, rpm: &RpmRef) -> Result<Located<RpmFile>> {
    let Some(rpm) = find(conn, rpm).await?.into_iter().next() else { return Ok(Err(NoFile::Unknown)) };
    let Some(id) = rpm.build_id else { return Ok(Err(NoFile::External(Box::new(rpm)))) };
    let build = build::get(conn, id).await?;
    if build.state == BuildState::Deleted {
        return Ok(Err(NoFile::Deleted(Box::new(build))));
    }
    if rpm.metadata_only {
        return Ok(Err(NoFile::Gone));
    }
    Ok(Ok(RpmFile { rpm, build }))
}

/// The RPM that is meant, and its header. No connection is held meanwhile.
///
/// # Errors
/// When the file is no RPM, or S3 or the database is away.
pub(super) async fn open(cx: &mut Cx, rpm: &RpmRef) -> Result<Located<(RpmFile, RpmHeader)>> {
    let file = match locate(cx.db().await?, rpm).await? {
        Ok(file) => file,
        Err(none) => return Ok(Err(none)),
    };
    cx.release();
    match read(cx, &file.key()).await? {
        Some(header) => Ok(Ok((file, header))),
        None => Ok(Err(NoFile::Gone)),
    }
}

/// The header of the RPM at a key; None when nothing is there.
///
/// # Errors
/// When it is no RPM, or S3 is away.
pub(super) async fn read(cx: &Cx, key: &str) -> Result<Option<RpmHeader>> {
    match cx.hub.store.head(key).await? {
        Some(object) => import::read_header(&cx.hub, key, object.size).await.map(Some),
        None => Ok(None),
    }
}

/// What a fault says of a header that contradicts itself.
pub(super) fn damaged(error: toji_repodata::header::HeaderError) -> Error {
    Error::invalid(error.to_string())
}
