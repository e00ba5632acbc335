//! Name, version, release: how they are split and joined. The rules are Koji's (vectors in the tests).

use std::fmt;

use thiserror::Error;

use crate::id::BuildId;

/// Why a name could not be split.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NvrError {
    /// Not three parts joined by hyphens.
    #[error("invalid format: {0}; a build is named NAME-VERSION-RELEASE")]
    Build(String),
    /// Not NAME-VERSION-RELEASE.ARCH.
    #[error("invalid format: {0}; an RPM is named NAME-VERSION-RELEASE.ARCH")]
    Rpm(String),
}

/// A build's name: name-version-release, perhaps with an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nvr {
    /// The package's name; may contain hyphens.
    pub name: String,
    /// No hyphen.
    pub version: String,
    /// No hyphen.
    pub release: String,
    /// As written in front of the name (`1:foo-…`); None when absent.
    pub epoch: Option<String>,
}

impl Nvr {
    /// Splits at the last two hyphens. An epoch is only known in front of the name.
    ///
    /// # Errors
    /// When there are fewer than two hyphens, or the version or release is empty.
    pub fn parse(text: &str) -> Result<Self, NvrError> {
        let bad = || NvrError::Build(text.to_owned());
        let (rest, release) = text.rsplit_once('-').ok_or_else(bad)?;
        let (name, version) = rest.rsplit_once('-').ok_or_else(bad)?;
        if version.is_empty() || release.is_empty() {
            return Err(bad());
        }
        let (epoch, name) = match name.split_once(':') {
            Some((epoch, name)) => (Some(epoch.to_owned()), name),
            None => (None, name),
        };
        Ok(Self { name: name.to_owned(), version: version.to_owned(), release: release.to_owned(), epoch })
    }
}

impl fmt::Display for Nvr {
    /// Without the epoch, as builds are named.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.name, self.version, self.release)
    }
}

/// An RPM's name: name-version-release.arch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nvra {
    /// All but the architecture.
    pub nvr: Nvr,
    /// The architecture; `src` for a source RPM.
    pub arch: String,
}

impl Nvra {
    /// Drops a `@location` and a `.rpm` from the end, then splits at the last dot.
    ///
    /// # Errors
    /// When there is no dot, or what stands before it is no [`Nvr`].
    pub fn parse(text: &str) -> Result<Self, NvrError> {
        let bad = || NvrError::Rpm(text.to_owned());
        let plain = text.split_once('@').map_or(text, |(nvra, _location)| nvra);
        let plain = plain.strip_suffix(".rpm").unwrap_or(plain);
        let (nvr, arch) = plain.rsplit_once('.').ok_or_else(bad)?;
        if arch.is_empty() {
            return Err(bad());
        }
        Ok(Self { nvr: Nvr::parse(nvr).map_err(|_| bad())?, arch: arch.to_owned() })
    }

    /// It is a source RPM that carries its sources (`nosrc` does not).
    pub fn is_source(&self) -> bool {
        self.arch == "src"
    }

    /// The file name that such an RPM must have.
    pub fn file_name(&self) -> String {
        format!("{self}.rpm")
    }
}

impl fmt::Display for Nvra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.nvr, self.arch)
    }
}

/// It holds debug data: such RPMs stay out of ordinary repos.
pub fn is_debuginfo(name: &str) -> bool {
    name.ends_with("-debuginfo") || name.ends_with("-debugsource") || name.contains("-debuginfo-")
}

/// The release `by` steps after `release`, where it has a form that can be counted on: `N`, `N.suffix`, or `a.b.N`.
pub fn next_release(release: &str, by: i64) -> Option<String> {
    let count = |number: &str| {
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let next = number.parse::<i64>().ok().filter(|_| is_number)?.checked_add(by)?;
        Some(next.to_string())
    };
    match release.split('.').collect::<Vec<_>>()[..] {
        [number] => count(number),
        [number, suffix] => Some(format!("{}.{suffix}", count(number)?)),
        [first, second, number] => Some(format!("{first}.{second}.{}", count(number)?)),
        _ => None,
    }
}

/// The release of a draft: the one that it is to have in the end, marked with the build's id, so that many may want the same.
pub fn draft_release(target: &str, build: BuildId) -> String {
    format!("{target}{DRAFT}{build}")
}

/// The release that a draft's release stands for; None when it is no draft's.
pub fn target_release(release: &str) -> Option<&str> {
    release.split_once(DRAFT).map(|(target, _)| target)
}

/// What stands between a draft's target release and its id.
const DRAFT: &str = ",draft_";

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> (Option<String>, String, String, String) {
        let nvr = Nvr::parse(text).unwrap();
        (nvr.epoch, nvr.name, nvr.version, nvr.release)
    }

    fn quad(epoch: Option<&str>, n: &str, v: &str, r: &str) -> (Option<String>, String, String, String) {
        (epoch.map(str::to_owned), n.to_owned(), v.to_owned(), r.to_owned())
    }

    #[test]
    fn splits_as_koji_does() {
        assert_eq!(split("1:foo-bar-1.0-2.fc40"), quad(Some("1"), "foo-bar", "1.0", "2.fc40"));
        assert_eq!(split("foo-1:1.0-2"), quad(None, "foo", "1:1.0", "2"));
        assert_eq!(split("-1-1"), quad(None, "", "1", "1"));
        assert_eq!(split("a--b-1"), quad(None, "a-", "b", "1"));
        for bad in ["foo-1", "foo-1-", "foo--1", "foo", ""] {
            assert!(Nvr::parse(bad).is_err(), "{bad} was split");
        }
    }

    #[test]
    fn rpm_names() {
        let rpm = Nvra::parse("foo-1-2.fc40.x86_64.rpm@koji").unwrap();
        assert_eq!((rpm.arch.as_str(), rpm.nvr.release.as_str()), ("x86_64", "2.fc40"));
        assert_eq!(Nvra::parse("foo-1-2.fc40").unwrap().arch, "fc40");
        assert!(Nvra::parse("foo-1-2.src.rpm").unwrap().is_source());
        assert!(!Nvra::parse("foo-1-2.nosrc.rpm").unwrap().is_source());
        assert!(Nvra::parse("foo").is_err());
    }

    #[test]
    fn debug_packages() {
        assert!(is_debuginfo("foo-debuginfo") && is_debuginfo("foo-debugsource") && is_debuginfo("a-debuginfo-common"));
        assert!(!is_debuginfo("foo-debug") && !is_debuginfo("debuginfod"));
    }

    #[test]
    fn counts_releases() {
        let next = |release| next_release(release, 1);
        assert_eq!(next("1").as_deref(), Some("2"));
        assert_eq!(next("9.fc40").as_deref(), Some("10.fc40"));
        assert_eq!(next("a.b.3").as_deref(), Some("a.b.4"));
        assert_eq!(next("1.fc40.3").as_deref(), Some("1.fc40.4"));
        assert_eq!(next_release("20261121.n.3", 4).as_deref(), Some("20261121.n.7"));
        for odd in ["alpha", "1.fc40.x", "a.1", "1.2.3.4", "", "+1", "9223372036854775807"] {
            assert_eq!(next(odd), None, "{odd}");
        }
    }

    #[test]
    fn drafts() {
        let draft = draft_release("2.fc40", BuildId(17));
        assert_eq!(draft, "2.fc40,draft_17");
        assert_eq!(target_release(&draft), Some("2.fc40"));
        assert_eq!(target_release("2.fc40"), None);
        assert_eq!(Nvr::parse("foo-1-2.fc40,draft_17").unwrap().release, draft);
    }
}
