//! Which external packages stand beside the local ones in a repository: Koji's three merge modes.
//!
//! Checked against `mergerepo_c --koji`, from which it differs in one thing: local packages all stay. There an older
//! local build loses to a newer one, so that a tag's `repo_include_all` had no effect as soon as it had an external
//! repository. Here what is local has been chosen already.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
};

use serde::{Deserialize, Serialize};

use crate::evr::compare_versions;

/// How packages of several repositories are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MergeMode {
    /// One source package of each name: the local one, else the newest one of the first repository that has the name.
    /// Another repository's package made of the very same source package (its file name) stays too. Blocked sources go.
    Koji,
    /// Everything whose source is not blocked, all versions.
    Simple,
    /// Everything; of packages equal in name, epoch, version, release and arch the first.
    Bare,
}

/// What a merge looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Name.
    pub name: String,
    /// Epoch, 0 if none.
    pub epoch: u32,
    /// Version.
    pub version: String,
    /// Release.
    pub release: String,
    /// Arch, `src` or `nosrc` for a source package.
    pub arch: String,
    /// File name of its source package.
    pub sourcerpm: Option<String>,
}

impl Identity {
    /// The source package's name, version and release. A package that names no source counts as its own.
    fn source(&self) -> (&str, &str, &str) {
        let parse = |file: &'_ str| -> Option<(usize, usize, usize)> {
            let nvr = file.strip_suffix(".rpm")?.rsplit_once('.')?.0;
            let release = nvr.rfind('-')?;
            let version = nvr[..release].rfind('-')?;
            Some((version, release, nvr.len()))
        };
        match self.sourcerpm.as_deref().and_then(|file| parse(file).map(|at| (file, at))) {
            Some((file, (version, release, end))) => {
                (&file[..version], &file[version + 1..release], &file[release + 1..end])
            }
            None => (&self.name, &self.version, &self.release),
        }
    }

    /// The source package's name: what blocking and Koji's mode go by.
    pub fn source_name(&self) -> &str {
        self.source().0
    }

    fn nevra(&self) -> (&str, u32, &str, &str, &str) {
        (&self.name, self.epoch, &self.version, &self.release, &self.arch)
    }
}

/// Decides for each package of each external repository (in order of priority) whether it stays. The answer has the
/// shape of `external`. `arch` is the repository's (`x86_64`); `blocked` holds source package names.
pub fn select<'a>(
    mode: MergeMode,
    arch: &str,
    blocked: &HashSet<String>,
    local: impl IntoIterator<Item = &'a Identity>,
    external: &[Vec<&'a Identity>],
) -> Vec<Vec<bool>> {
    let mut sources: HashMap<&str, (&str, &str)> = HashMap::new();
    let mut taken = HashSet::new();
    for package in local {
        let (name, version, release) = package.source();
        remember_newest(&mut sources, name, (version, release));
        taken.insert(package.nevra());
    }
    let mut kept = Vec::with_capacity(external.len());
    for packages in external {
        let fits = |package: &Identity| {
            is_compatible(arch, &package.arch) && (mode == MergeMode::Bare || !blocked.contains(package.source_name()))
        };
        if mode == MergeMode::Koji {
            choose_sources(&mut sources, packages.iter().copied().filter(|package| fits(package)));
        }
        let keep = |package: &'a Identity| {
            let (name, version, release) = package.source();
            fits(package)
                && (mode != MergeMode::Koji || sources.get(name) == Some(&(version, release)))
                && (mode == MergeMode::Simple || taken.insert(package.nevra()))
        };
        kept.push(packages.iter().copied().map(keep).collect());
    }
    kept
}

/// Adds the sources of one repository: of names not known from an earlier repository, the newest.
fn choose_sources<'a>(
    sources: &mut HashMap<&'a str, (&'a str, &'a str)>,
    packages: impl Iterator<Item = &'a Identity>,
) {
    let mut own = HashMap::new();
    for package in packages {
        let (name, version, release) = package.source();
        if !sources.contains_key(name) {
            remember_newest(&mut own, name, (version, release));
        }
    }
    sources.extend(own);
}

/// A source package's file name has no epoch, so that versions are compared without.
fn remember_newest<'a>(
    sources: &mut HashMap<&'a str, (&'a str, &'a str)>,
    name: &'a str,
    candidate: (&'a str, &'a str),
) {
    let known = sources.entry(name).or_insert(candidate);
    let order = compare_versions(candidate.0, known.0).then_with(|| compare_versions(candidate.1, known.1));
    if order == Ordering::Greater {
        *known = candidate;
    }
}

/// Whether a package of `package_arch` belongs into a repository for `arch`. Source packages belong only into one for
/// `src`. The lists are those of createrepo_c's `--arch-expand`, which Koji uses: an x86_64 repository takes i686 too.
pub fn is_compatible(arch: &str, package_arch: &str) -> bool {
    const I386: [&str; 7] = ["i386", "i486", "i586", "i686", "athlon", "geode", "noarch"];
    if package_arch == arch || package_arch == "noarch" {
        return true;
    }
    match arch {
        "i386" => I386.contains(&package_arch),
        "x86_64" => I386.contains(&package_arch) || matches!(package_arch, "amd64" | "ia32e"),
        "armhfp" => matches!(package_arch, "armv7hl" | "armv7hnl"),
        "arm" => matches!(package_arch, "armv6l" | "armv7l"),
        "ppc64" => matches!(package_arch, "ppc" | "ppc64iseries" | "ppc64pseries"),
        "s390x" => package_arch == "s390",
        "sparc64" => package_arch == "sparc64v",
        "alpha" => package_arch.starts_with("alpha"),
        "src" => package_arch == "nosrc",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, sourcerpm: Option<&str>) -> Identity {
        Identity {
            name: name.into(),
            epoch: 0,
            version: version.into(),
            release: "1".into(),
            arch: "x86_64".into(),
            sourcerpm: sourcerpm.map(str::to_owned),
        }
    }

    #[test]
    fn the_source_is_read_off_its_file_name() {
        let source = |file| package("n", "v", file).source().0.to_owned();
        assert_eq!(source(Some("a-b-1.0-2.fc42.src.rpm")), "a-b");
        assert_eq!(source(Some("a-1.0-2.nosrc.rpm")), "a");
        for unreadable in [None, Some(""), Some("(none)"), Some("a.src.rpm"), Some("-.rpm"), Some("é.rpm")] {
            assert_eq!(source(unreadable), "n", "{unreadable:?}");
        }
    }

    #[test]
    fn local_packages_win_by_source_name_and_all_stay() {
        let local = [package("foo", "1", Some("foo-1-1.src.rpm")), package("foo", "2", Some("foo-2-1.src.rpm"))];
        let external = [
            package("foo-libs", "9", Some("foo-9-1.src.rpm")),
            package("foo-extra", "2", Some("foo-2-1.src.rpm")),
            package("bar", "1", Some("bar-1-1.src.rpm")),
        ];
        let kept = select(MergeMode::Koji, "x86_64", &HashSet::new(), &local, &[external.iter().collect::<Vec<_>>()]);
        assert_eq!(kept, [[false, true, true]]);
    }

    #[test]
    fn source_packages_belong_only_into_a_source_repository() {
        assert!(!is_compatible("x86_64", "src"));
        assert!(is_compatible("src", "src") && is_compatible("src", "nosrc"));
        assert!(is_compatible("x86_64", "i686") && !is_compatible("i686", "i586") && !is_compatible("i686", "x86_64"));
        assert!(is_compatible("aarch64", "noarch") && !is_compatible("aarch64", "x86_64"));
    }
}
