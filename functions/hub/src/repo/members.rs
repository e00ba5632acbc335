//! The packages of an architecture's repo, local and external, divided into chunks; and what they add to its files.

use std::{collections::HashMap, ops::Range};

use toji_repodata::{
    chunk::{ChunkHasher, Slot, divide},
    external::OwnedLocation,
    fragment::{Fragments, Location},
    repo::{ChunkWriter, Compression, Frame, Origins, RepoPackage},
};

use super::{contents::RepoRpm, external::External, frames::Chunk, sql};
use crate::{Error, Hub, Result, rpm::fragment};

/// What changes when packages come to be rendered in another way.
const FORMAT: &str = "1";
/// A change of one build is paid for by so many packages; a chunk's frame costs some bytes and a little compression.
const CHUNK: usize = 128;
/// Where packages are, seen from a repo's architecture folder; the front door takes the front part off.
const TOPLINK: &str = "toplink";

/// The packages of a repo, by their places in it.
pub(super) struct Members<'a> {
    hub: &'a Hub,
    members: Vec<(Slot, Member)>,
    local: &'a [RepoRpm],
    external: &'a [External],
}

/// A package, by its place in what it comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Member {
    Local(usize),
    External { repo: usize, package: usize },
}

impl<'a> Members<'a> {
    /// Puts local packages and those of external repos that are `kept` in order.
    pub(super) fn new(hub: &'a Hub, local: &'a [RepoRpm], external: &'a [External], kept: &[Vec<bool>]) -> Self {
        let mut members: Vec<_> = (0..local.len())
            .map(|place| (Slot::of(local[place].identity.source_name()), Member::Local(place)))
            .collect();
        for (repo, kept) in kept.iter().enumerate() {
            let packages = external[repo].snapshot.packages();
            members.extend(kept.iter().enumerate().filter(|(_, kept)| **kept).map(|(package, _)| {
                (Slot::of(packages[package].identity.source_name()), Member::External { repo, package })
            }));
        }
        members.sort_unstable();
        Self { hub, members, local, external }
    }

    /// The chunks, each told by all that its frames are made of.
    pub(super) fn chunks(&self, compression: Compression) -> Vec<Chunk> {
        let slots: Vec<Slot> = self.members.iter().map(|(slot, _)| *slot).collect();
        let base = self.hub.config.repo_base_url.as_deref().unwrap_or_default();
        let format = format!("{FORMAT} {compression:?} {base}");
        let chunk = |members: Range<usize>| {
            let mut id = ChunkHasher::new(&format);
            for (_, member) in &self.members[members.clone()] {
                match *member {
                    Member::Local(place) => {
                        let rpm = &self.local[place];
                        id.part(&rpm.id.0.to_be_bytes());
                        id.part(&rpm.mtime.to_be_bytes());
                        id.part(rpm.key.as_bytes());
                    }
                    Member::External { repo, package } => {
                        let repo = &self.external[repo];
                        let package = &repo.snapshot.packages()[package];
                        let location = package.location(&repo.url);
                        let Location { base, href } = location.borrow();
                        id.part(package.pkgid.as_bytes());
                        id.part(base.unwrap_or_default().as_bytes());
                        id.part(href.as_bytes());
                    }
                }
            }
            Chunk { id: id.finish(), members }
        };
        divide(&slots, CHUNK).into_iter().map(chunk).collect()
    }

    /// Where the external packages come from.
    pub(super) fn origins(&self) -> Origins {
        let mut origins = Origins::default();
        let mut external: Vec<Member> = self.members.iter().map(|(_, member)| *member).collect();
        external.sort_unstable();
        for member in external {
            if let Member::External { repo, package } = member {
                let repo = &self.external[repo];
                let id = &repo.snapshot.packages()[package].identity;
                origins.add((&id.name, &id.version, &id.release, &id.arch), &repo.url);
            }
        }
        origins
    }

    /// All that it takes to render some of them.
    ///
    /// # Errors
    /// When the database or S3 is away, or a package has no metadata.
    pub(super) async fn load(&self, range: Range<usize>) -> Result<Loaded> {
        let members = &self.members[range];
        let mut ids = Vec::new();
        let mut places: Vec<Vec<usize>> = vec![Vec::new(); self.external.len()];
        for (_, member) in members {
            match *member {
                Member::Local(place) => ids.push(self.local[place].id.0),
                Member::External { repo, package } => places[repo].push(package),
            }
        }
        let mut local = sql::fragments(&self.hub.pool, &ids).await?;
        let mut external = Vec::with_capacity(places.len());
        for (repo, places) in self.external.iter().zip(&places) {
            external.push(if places.is_empty() { HashMap::new() } else { repo.fragments(self.hub, places).await? });
        }
        let lost = |what: String| Error::internal(anyhow::anyhow!("{what} has no metadata"));
        let mut packages = Vec::with_capacity(members.len());
        for (_, member) in members {
            packages.push(match *member {
                Member::Local(place) => {
                    let rpm = &self.local[place];
                    let stored = local.remove(&rpm.id.0).ok_or_else(|| lost(rpm.key.clone()))?;
                    Package { source: Source::Stored(stored), location: self.location(rpm), file_time: rpm.mtime }
                }
                Member::External { repo, package } => {
                    let from = &self.external[repo];
                    let listed = &from.snapshot.packages()[package];
                    let fragments =
                        external[repo].remove(&package).ok_or_else(|| lost(listed.identity.name.clone()))?;
                    // its file's time is in its fragment
                    Package { source: Source::Read(fragments), location: listed.location(&from.url), file_time: 0 }
                }
            });
        }
        Ok(Loaded { packages })
    }

    fn location(&self, rpm: &RepoRpm) -> OwnedLocation {
        match &self.hub.config.repo_base_url {
            Some(base) => OwnedLocation::new(base, None, &rpm.key),
            None => OwnedLocation::relative(format!("{TOPLINK}/{}", rpm.key)),
        }
    }
}

/// Packages that are ready to be rendered.
pub(super) struct Loaded {
    packages: Vec<Package>,
}

struct Package {
    source: Source,
    location: OwnedLocation,
    file_time: u64,
}

enum Source {
    /// As the database has it.
    Stored(Vec<u8>),
    Read(Fragments),
}

impl Loaded {
    /// Their frames: primary, filelists, other. Takes a while.
    ///
    /// # Errors
    /// When what is stored is damaged.
    pub(super) fn compress(self, compression: Compression) -> Result<[Frame; 3]> {
        let mut chunk = ChunkWriter::default();
        for Package { source, location, file_time } in self.packages {
            let fragments = match source {
                Source::Stored(stored) => fragment::decode(&stored)?,
                Source::Read(fragments) => fragments,
            };
            let Fragments { primary, filelists, other } = &fragments;
            chunk.package(RepoPackage { primary, filelists, other, location: location.borrow(), file_time });
        }
        chunk.finish(compression).map_err(Error::internal)
    }
}
