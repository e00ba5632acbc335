//! What is in a repo: the newest build of each package in the tag and its ancestors, at the repo's event.

use std::collections::{BTreeMap, HashSet};

use futures::TryStreamExt;
use sqlx::PgConnection;
use toji_protocol::{
    arch,
    id::{EventId, RpmId, TagId},
    method::{Named, group::TagGroup, is_truthy, repo::RepoOpts},
    nvr::{Nvr, Nvra, is_debuginfo},
    object_key,
};
use toji_repodata::{
    comps::{Group, GroupPackage, GroupRequirement, PackageType},
    merge::Identity,
};

use super::sql;
use crate::{Result, content, package, tag::Quirks};

/// An RPM of a repo.
#[derive(Clone, Debug)]
pub struct RepoRpm {
    /// Its id.
    pub id: RpmId,
    /// What a merge looks at.
    pub identity: Identity,
    /// Where the file is: its S3 key.
    pub key: String,
    /// When the file was made, in seconds.
    pub mtime: u64,
}

/// The architectures that a tag's repos are made for: those of the tag itself, not inherited ones.
pub fn arches(own: Option<&str>, opts: &RepoOpts) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for arch in arch::split_list(own.unwrap_or_default()) {
        let base = arch::canonical(&arch).to_owned();
        if base != "src" && base != "noarch" && !found.contains(&base) {
            found.push(base);
        }
    }
    if opts.separate_src {
        found.push("src".to_owned());
    }
    found
}

/// The repo, of the given architectures, that an RPM goes into.
fn repos_of(rpm_arch: &str, name: &str, arches: &[String], opts: &RepoOpts) -> Vec<String> {
    if is_debuginfo(name) && !opts.debuginfo {
        return Vec::new();
    }
    let binary = || arches.iter().filter(|arch| *arch != "src").cloned().collect();
    match rpm_arch {
        "noarch" => binary(),
        "src" | "nosrc" if opts.separate_src => vec!["src".to_owned()],
        "src" | "nosrc" if opts.src => binary(),
        "src" | "nosrc" => Vec::new(),
        other => {
            let base = arch::canonical(other).to_owned();
            if arches.contains(&base) { vec![base] } else { Vec::new() }
        }
    }
}

/// The RPMs of each architecture's repo.
pub async fn rpms(
    conn: &mut PgConnection,
    quirks: Quirks,
    tag: TagId,
    event: EventId,
    extra: &Named,
    arches: &[String],
    opts: &RepoOpts,
) -> Result<BTreeMap<String, Vec<RepoRpm>>> {
    let latest = if extra.get("repo_include_all").is_some_and(is_truthy) { None } else { Some(1) };
    let query = content::Query { event: Some(event), inherit: true, latest, ..content::Query::default() };
    let builds: Vec<i64> =
        content::build_ids(&mut *conn, quirks, tag, &query).await?.into_iter().map(|id| id.0).collect();
    let mut found: BTreeMap<String, Vec<RepoRpm>> = arches.iter().map(|arch| (arch.clone(), Vec::new())).collect();
    let mut rpms = std::pin::pin!(sql::rpms(conn, &builds, opts.src || opts.separate_src));
    while let Some(row) = rpms.try_next().await? {
        let repos = repos_of(&row.arch, &row.name, arches, opts);
        if repos.is_empty() {
            continue;
        }
        let rpm = rpm(row);
        for repo in repos {
            found.entry(repo).or_default().push(rpm.clone());
        }
    }
    for rpms in found.values_mut() {
        // the same RPMs make the same repo
        rpms.sort_unstable_by_key(|rpm| rpm.id);
    }
    Ok(found)
}

fn rpm(row: sql::ListedRpm) -> RepoRpm {
    let build = Nvr { name: row.package, version: row.build_version, release: row.build_release, epoch: None };
    let nvr = Nvr { name: row.name, version: row.version, release: row.release, epoch: None };
    let nvra = Nvra { nvr, arch: row.arch };
    let key = object_key::rpm(&build, &nvra);
    let Nvra { nvr, arch } = nvra;
    let identity = Identity {
        name: nvr.name,
        epoch: row.epoch.and_then(|epoch| u32::try_from(epoch).ok()).unwrap_or(0),
        version: nvr.version,
        release: nvr.release,
        arch,
        sourcerpm: Some(format!("{build}.src.rpm")),
    };
    RepoRpm { id: RpmId(row.id), identity, key, mtime: row.mtime as u64 }
}

/// Source packages that are blocked in the tag: no external repo brings them in.
pub async fn blocked(conn: &mut PgConnection, quirks: Quirks, tag: TagId, event: EventId) -> Result<HashSet<String>> {
    let listed = package::list_for_tag(conn, quirks, tag, Some(event)).await?;
    Ok(listed.into_iter().filter(|package| package.blocked).map(|package| package.package_name).collect())
}

/// The tag's groups as comps has them.
pub fn comps(groups: &[TagGroup]) -> String {
    let name_of = |id| groups.iter().find(|group| group.group_id == id).map(|group| group.name.clone());
    let groups: Vec<Group> = groups
        .iter()
        .filter(|group| group.exported.unwrap_or(true))
        .map(|group| Group {
            id: group.name.clone(),
            name: group.display_name.clone(),
            description: group.description.clone().unwrap_or_default(),
            default: group.is_default.unwrap_or(false),
            uservisible: group.uservisible.unwrap_or(true),
            biarchonly: group.biarchonly.unwrap_or(false),
            langonly: group.langonly.clone(),
            packages: group.packagelist.iter().flatten().map(comps_package).collect(),
            requirements: group
                .grouplist
                .iter()
                .flatten()
                .filter_map(|req| Some(GroupRequirement { id: name_of(req.req_id)?, kind: kind(&req.kind) }))
                .collect(),
        })
        .collect();
    // dnf 4 does not follow what a group requires: its packages are written into it
    toji_repodata::comps::render(&toji_repodata::comps::expand(&groups))
}

fn comps_package(package: &toji_protocol::method::group::GroupPackage) -> GroupPackage {
    GroupPackage {
        name: package.package.clone(),
        kind: kind(&package.kind),
        requires: package.requires.clone(),
        basearchonly: package.basearchonly.unwrap_or(false),
    }
}

fn kind(name: &str) -> PackageType {
    match name {
        "default" => PackageType::Default,
        "optional" => PackageType::Optional,
        "conditional" => PackageType::Conditional,
        _ => PackageType::Mandatory,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_arches() {
        let opts = RepoOpts::default();
        assert_eq!(arches(Some("x86_64 i686 noarch src i386"), &opts), ["x86_64", "i386"]);
        assert_eq!(arches(None, &RepoOpts { separate_src: true, ..opts }), ["src"]);
    }

    #[test]
    fn where_rpms_go() {
        let arches = ["x86_64".to_owned(), "i386".to_owned()];
        let opts = RepoOpts::default();
        assert_eq!(repos_of("noarch", "a", &arches, &opts), arches);
        assert_eq!(repos_of("i686", "a", &arches, &opts), ["i386"]);
        assert!(repos_of("aarch64", "a", &arches, &opts).is_empty());
        assert!(repos_of("x86_64", "a-debuginfo", &arches, &opts).is_empty());
        assert!(repos_of("src", "a", &arches, &opts).is_empty());
        assert_eq!(repos_of("src", "a", &arches, &RepoOpts { src: true, ..opts }), arches);
    }
}
