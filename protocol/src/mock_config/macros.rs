//! RPM's macros and the environment of builds.

use crate::value::{Map, Value};

/// What packages say of who made them.
#[derive(Clone, Copy, Debug)]
pub struct Makers<'a> {
    /// `%vendor`
    pub vendor: &'a str,
    /// `%packager`
    pub packager: &'a str,
    /// `%distribution`
    pub distribution: &'a str,
    /// What follows the architecture in `%_host`.
    pub host_triple: &'a str,
}

/// RPM's macros of a buildroot. Later ones win: the tag's over the builder's, and the forced ones over both.
pub fn macros(makers: &Makers<'_>, extra: &Map, arch: &str) -> Vec<(String, String)> {
    let pair = |name: &str, value: String| (format!("%{name}"), value);
    let mut macros = vec![
        pair("_rpmfilename", "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm".to_owned()),
        pair("vendor", makers.vendor.to_owned()),
        pair("packager", makers.packager.to_owned()),
        pair("distribution", makers.distribution.to_owned()),
    ];
    macros.extend(prefixed(extra, "rpm.macro.").map(|(name, value)| pair(name.trim_start_matches('%'), value)));
    macros.push(pair("_topdir", "/builddir/build".to_owned()));
    macros.push(pair("_host_cpu", arch.to_owned()));
    macros.push(pair("_host", format!("{arch}-{}", makers.host_triple)));
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
pub fn environment(extra: &Map) -> Vec<(String, String)> {
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
mod tests {
    use super::*;

    const MAKERS: Makers<'_> =
        Makers { vendor: "toji", packager: "toji", distribution: "toji", host_triple: "redhat-linux-gnu" };

    fn extra(pairs: &[(&str, Value)]) -> Map {
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
        let macros = macros(&MAKERS, &extra, "x86_64");
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
