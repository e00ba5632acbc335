//! Archives: files of builds that are no RPMs. `kind`: what kind of file one is, by its name; `contents`: what is in it.

mod contents;
pub(crate) mod kind;
mod list;

use toji_protocol::{
    method::{
        Listing,
        archive::{
            AddArchiveType, Archive, GetArchive, GetArchiveFile, GetArchiveType, GetArchiveTypes, GetImageArchive,
            GetMavenArchive, GetWinArchive, ListArchiveFiles, ListArchives,
        },
    },
    value::Value,
};

use crate::{
    Error, Result, build,
    call::{Cx, Handle, Table},
    listing,
};

pub(crate) fn methods(table: &mut Table) {
    table
        .add::<ListArchives>()
        .add::<GetArchive>()
        .add::<GetMavenArchive>()
        .add::<GetWinArchive>()
        .add::<GetImageArchive>()
        .add::<ListArchiveFiles>()
        .add::<GetArchiveFile>()
        .add::<GetArchiveTypes>()
        .add::<GetArchiveType>()
        .add::<AddArchiveType>();
}

pub(crate) use list::{Filter, list};

impl Handle for ListArchives {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<Archive>> {
        let conn = cx.db().await?;
        let mut filter = Filter {
            build: self.build_id.map(|id| id.0),
            buildroot: self.buildroot_id.map(|id| id.0),
            component_of: self.component_buildroot_id.map(|id| id.0),
            host: self.host_id.map(|id| id.0),
            kind: None,
            filename: self.filename.as_deref(),
            size: self.size,
            checksum: self.checksum.as_deref(),
            checksum_type: self.checksum_type.map(|kind| i16::try_from(kind).unwrap_or(-1)),
            part_of: self.image_id.map(|id| id.0),
            id: self.archive_id.map(|id| id.0),
            is_none: false,
        };
        match self.kind.as_deref() {
            None => {}
            // such archives have facts of their own in Koji, and none has them here
            Some("maven" | "win" | "image") => filter.is_none = true,
            Some(kind) => {
                let found = build::kinds::find_kind(conn, kind).await?;
                let found = found.ok_or_else(|| Error::invalid(format!("unsupported archive type: {kind}")))?;
                if self.type_info.is_some_and(|info| !info.is_empty()) {
                    return Err(Error::invalid(format!("typeInfo queries not supported for type {kind}")));
                }
                filter.kind = Some(found.0);
            }
        }
        let found = list(conn, &filter).await?;
        if self.strict && found.is_empty() {
            return Err(Error::missing("No archives found."));
        }
        listing::in_memory(found, self.query_opts.as_ref())
    }
}

impl Handle for GetArchive {
    async fn handle(self, cx: &mut Cx) -> Result<Option<Archive>> {
        let found = list::get(cx.db().await?, self.archive_id).await?;
        match found {
            None if self.strict => Err(Error::missing(format!("No such archive: {}", self.archive_id))),
            found => Ok(found),
        }
    }
}

macro_rules! no_such_facts {
    ($($method:ty => $kind:literal),*) => {$(
        impl Handle for $method {
            async fn handle(self, _cx: &mut Cx) -> Result<Option<Value>> {
                if self.strict {
                    return Err(Error::missing(format!(concat!("No such ", $kind, " archive: {}"), self.archive_id)));
                }
                Ok(None)
            }
        }
    )*};
}

no_such_facts!(GetMavenArchive => "Maven", GetWinArchive => "Windows", GetImageArchive => "image");
