//! What is in an archive: `listArchiveFiles`, `getArchiveFile`. Zip files tell it at their end; tarballs are read through.

mod tar;
mod zip;

use toji_protocol::{
    id::ArchiveId,
    method::{
        Listing,
        archive::{ArchivedFile, GetArchiveFile, ListArchiveFiles},
    },
    object_key,
};

use super::list;
use crate::{
    Error, Result, build,
    call::{Cx, Handle},
    listing,
};

/// An archive's file in S3.
struct Place {
    archive: ArchiveId,
    key: String,
    size: u64,
}

/// The files within an archive, in its order; none when nothing is kept of it but facts.
async fn files(cx: &mut Cx, id: ArchiveId, strict: bool) -> Result<Vec<ArchivedFile>> {
    let conn = cx.db().await?;
    let archive = list::get(conn, id).await?.ok_or_else(|| Error::missing(format!("No such archive: {id}")))?;
    let build = build::get(conn, archive.build_id).await?;
    let subdir = list::subdir(conn, id).await?;
    cx.release();
    let key = object_key::archive(&build::nvr(&build), &archive.btype, &subdir, &archive.filename);
    let place = Place { archive: id, key, size: archive.size.unsigned_abs() };
    let found = match archive.compression_type.as_deref() {
        Some("zip" | "tar") if archive.metadata_only => Ok(Some(Vec::new())),
        Some("zip") => zip::list(&cx.hub, &place).await,
        Some("tar") => tar::list(&cx.hub, &place).await,
        _ => Ok(None),
    };
    match found? {
        Some(files) => Ok(files),
        None if strict => Err(Error::invalid(format!("Unsupported archive type: {}", archive.type_name))),
        None => Ok(Vec::new()),
    }
}

fn damaged(place: &Place, why: &str) -> Error {
    Error::invalid(format!("archive {} cannot be looked into: {why}", place.archive))
}

impl Handle for ListArchiveFiles {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<ArchivedFile>> {
        listing::in_memory(files(cx, self.archive_id, self.strict).await?, self.query_opts.as_ref())
    }
}

impl Handle for GetArchiveFile {
    async fn handle(self, cx: &mut Cx) -> Result<Option<ArchivedFile>> {
        let files = files(cx, self.archive_id, self.strict).await?;
        match files.into_iter().find(|file| file.name == self.filename) {
            None if self.strict => {
                Err(Error::missing(format!("No such file: {} in archive#{}", self.filename, self.archive_id)))
            }
            found => Ok(found),
        }
    }
}
