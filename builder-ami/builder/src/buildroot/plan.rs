//! What a buildroot is to be: decided from the build tag and the settings, before anything is made.

use std::path::PathBuf;

use toji_protocol::{
    id::RepoId,
    value::{Map, Value},
};

use crate::config::Config;

/// The comps group that fills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Group {
    /// What builds need.
    Build,
    /// What making a source RPM needs.
    SrpmBuild,
}

impl Group {
    /// Its id in comps.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Group::Build => "build",
            Group::SrpmBuild => "srpm-build",
        }
    }
}

/// What a buildroot is to be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Its name: `TAG-BUILDROOT-REPO`.
    pub name: String,
    /// The repo that fills it.
    pub repo_id: RepoId,
    /// Where that repo is, for this architecture.
    pub baseurl: String,
    /// Tells this repo from one of the same number in another life of the hub.
    pub repo_made: String,
    /// Its architecture.
    pub arch: String,
    /// What it is filled with.
    pub group: Group,
    /// Whether what runs in it sees the network.
    pub network: bool,
    /// The tag's further settings.
    pub extra: Map,
    /// RPM macros, with their percent sign, in the order in which they are set.
    pub macros: Vec<(String, String)>,
    /// The environment of builds.
    pub env: Vec<(String, String)>,
    /// Seconds that rpmbuild may run.
    pub timeout: u64,
    /// Folders of the machine that are seen inside.
    pub binds: Vec<Bind>,
}

/// A folder of the machine that is seen inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    /// Outside.
    pub source: PathBuf,
    /// Inside.
    pub path: PathBuf,
    /// It may be written to.
    pub is_writable: bool,
}

/// RPM's macros of a buildroot. Later ones win: the tag's over the builder's, and the forced ones over both.
pub(super) fn macros(config: &Config, extra: &Map, arch: &str) -> Vec<(String, String)> {
    let pair = |name: &str, value: String| (format!("%{name}"), value);
    let mut macros = vec![
        pair("_rpmfilename", "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm".to_owned()),
        pair("vendor", config.vendor.clone()),
        pair("packager", config.packager.clone()),
        pair("distribution", config.distribution.clone()),
    ];
    macros.extend(prefixed(extra, "rpm.macro.").map(|(name, value)| pair(name.trim_start_matches('%'), value)));
    macros.push(pair("_topdir", "/builddir/build".to_owned()));
    macros.push(pair("_host_cpu", arch.to_owned()));
    macros.push(pair("_host", format!("{arch}-{}", config.host_triple)));
    // What is set twice is set once, where it was set first, to what it was set last.
    let mut merged: Vec<(String, String)> = Vec::new();
    for (name, value) in macros {
        match merged.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => merged.push((name, value)),
        }
    }
    merged
}

/// The environment that a tag gives to its builds.
pub(super) fn environment(extra: &Map) -> Vec<(String, String)> {
    prefixed(extra, "rpm.env.").map(|(name, value)| (name.to_owned(), value)).collect()
}

fn prefixed<'a>(extra: &'a Map, prefix: &'a str) -> impl Iterator<Item = (&'a str, String)> {
    extra.iter().filter_map(move |(key, value)| {
        let name = key.strip_prefix(prefix).filter(|name| !name.is_empty())?;
        Some((name, text(value)?))
    })
}

/// A setting as a text; None for what has no sense as one.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        Value::Double(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(if *yes { "1" } else { "0" }.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn config() -> Config {
        toml::from_str("server='http://h'\nname='b'\nstate_dir='/s'\narches=['x86_64']\nbuildroot='bwrap'").unwrap()
    }

    pub(crate) fn extra(pairs: &[(&str, Value)]) -> Map {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }

    #[test]
    fn tags_cannot_override_what_is_forced() {
        let extra = extra(&[
            ("rpm.macro.dist", ".fc42".into()),
            ("rpm.macro.%vendor", "Us".into()),
            ("rpm.macro._topdir", "/etc".into()),
            ("rpm.macro.", "nothing".into()),
            ("rpm.macro.jobs", 4.into()),
            ("mock.releasever", "42".into()),
        ]);
        let macros = macros(&config(), &extra, "x86_64");
        let get = |name: &str| macros.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect::<Vec<_>>();
        assert_eq!(get("%dist"), [".fc42"]);
        assert_eq!(get("%vendor"), ["Us"]);
        assert_eq!(get("%packager"), ["toji"]);
        assert_eq!(get("%jobs"), ["4"]);
        assert_eq!(get("%_topdir"), ["/builddir/build"]);
        assert_eq!(get("%_host"), ["x86_64-redhat-linux-gnu"]);
        assert_eq!(macros.len(), 9);
    }

    #[test]
    fn environments() {
        let extra = extra(&[("rpm.env.CC", "clang".into()), ("rpm.env.LIST", Value::Array(vec![]))]);
        assert_eq!(environment(&extra), [("CC".to_owned(), "clang".to_owned())]);
    }
}
