//! An RPM that is to become part of a build: its header, and what belongs together.

use toji_protocol::{
    id::{BuildId, BuildrootId},
    method::build::Build,
    nvr::{Nvr, Nvra, target_release},
    object_key,
};
use toji_repodata::header::RpmHeader;

use super::{header, refuse};
use crate::{Hub, Result, build, task::output::TaskOutput};

/// A build that RPMs are imported into.
#[derive(Clone, Debug)]
pub struct Home {
    /// The build.
    pub build: BuildId,
    /// Its name, which its folder has.
    pub nvr: Nvr,
    /// The name that its RPMs know it by: a draft's mark is not in it.
    pub source: Nvr,
    /// Whether it is a draft.
    pub is_draft: bool,
}

impl Home {
    /// A build that is there.
    pub fn of(build: &Build) -> Self {
        let nvr = build::nvr(build);
        let target = target_release(&nvr.release).filter(|_| build.draft).map(str::to_owned);
        let source = Nvr { release: target.unwrap_or_else(|| nvr.release.clone()), ..nvr.clone() };
        Self { build: build.id, nvr, source, is_draft: build.draft }
    }
}

/// An RPM that is to become part of a build.
pub(crate) struct Incoming {
    pub(crate) file: TaskOutput,
    pub(crate) buildroot: Option<BuildrootId>,
    pub(crate) header: Box<RpmHeader>,
    pub(crate) nvra: Nvra,
    /// What a content generator says of it.
    pub(crate) extra: Option<serde_json::Value>,
}

impl Incoming {
    /// Reads an RPM's header, and checks it against itself and the file's name.
    ///
    /// # Errors
    /// When it is no RPM, or not the one that it is called.
    pub(crate) async fn read(hub: &Hub, file: &TaskOutput, buildroot: Option<BuildrootId>) -> Result<Self> {
        let header = header::read(hub, &file.key, file.size).await?;
        let name = &file.name;
        header.verify_digests().map_err(|error| refuse(format!("{name}: {error}")))?;
        let nvr = Nvr {
            name: header.name.clone(),
            version: header.version.clone(),
            release: header.release.clone(),
            epoch: None,
        };
        let nvra = Nvra { nvr, arch: header.repo_arch().to_owned() };
        if nvra.file_name() != *name {
            return Err(refuse(format!("bad filename: {name} (expected {nvra}.rpm)")));
        }
        if header.sigmd5.is_none() {
            return Err(refuse(format!("{name} has no SIGMD5 in its signature header; build it with rpm 4")));
        }
        Ok(Self { file: file.clone(), buildroot, header: Box::new(header), nvra, extra: None })
    }

    /// Where it is to lie.
    pub(crate) fn key(&self, home: &Home) -> String {
        object_key::rpm(&home.nvr, &self.nvra)
    }

    /// What belongs to a build: its own source RPM, and RPMs that name it.
    ///
    /// # Errors
    /// When it belongs to another.
    pub(crate) fn check_source(&self, home: &Home) -> Result<()> {
        let build = &home.source;
        if self.header.is_source {
            if self.nvra.nvr.to_string() != build.to_string() {
                return Err(refuse(format!("the source RPM is {}, but the build is {build}", self.nvra.nvr)));
            }
            return Ok(());
        }
        let source = self.header.sourcerpm.as_deref().unwrap_or_default();
        if source != format!("{build}.src.rpm") && source != format!("{build}.nosrc.rpm") {
            return Err(refuse(format!("{} was made of {source}, but the build is {build}", self.nvra)));
        }
        Ok(())
    }
}
