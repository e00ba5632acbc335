//! Which architectures a package is built for.

use toji_protocol::arch::canonical;

/// What a source RPM says of architectures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceArches {
    /// `BuildArch`.
    pub build: Vec<String>,
    /// `ExclusiveArch`.
    pub exclusive: Vec<String>,
    /// `ExcludeArch`.
    pub exclude: Vec<String>,
}

/// The architectures to build for. Koji's rule: the tag's and the package's extra ones; `BuildArch` takes their place;
/// `ExclusiveArch` keeps, `ExcludeArch` removes; `noarch` comes back if it is named and not excluded; a scratch build's own list takes
/// the place of all that; what the tag does not build for goes. Empty: it cannot be built here.
pub fn choose(
    tag: &[String],
    extra: &[String],
    source: &SourceArches,
    arch_override: Option<&[String]>,
) -> Vec<String> {
    let names = |list: &[String], arch: &str| list.iter().any(|known| known == arch);
    let mut chosen: Vec<String> = match arch_override {
        Some(given) => given.to_vec(),
        None => {
            let mut chosen: Vec<String> =
                if source.build.is_empty() { tag.iter().chain(extra).cloned().collect() } else { source.build.clone() };
            if !source.exclusive.is_empty() {
                chosen.retain(|arch| names(&source.exclusive, arch));
            }
            chosen.retain(|arch| !names(&source.exclude, arch));
            let wants_noarch = names(&source.build, "noarch") || names(&source.exclusive, "noarch");
            if wants_noarch && !names(&source.exclude, "noarch") {
                chosen.push("noarch".to_owned());
            }
            chosen
        }
    };
    let mut seen = Vec::new();
    chosen.retain(|arch| {
        let is_built = arch == "noarch" || tag.iter().any(|known| canonical(known) == canonical(arch));
        let is_new = !names(&seen, arch);
        seen.push(arch.clone());
        is_built && is_new
    });
    chosen
}

/// The architecture that a noarch build's task is for: `noarch`, any host, unless the source or the tag rules some of the tag's
/// architectures out; then the first that is allowed. None when none is.
pub fn noarch_host(tag: &[String], source: &SourceArches, allowed: Option<&[String]>) -> Option<String> {
    let fits = |arch: &&String| {
        let base = canonical(arch);
        let named = |list: &[String]| list.iter().any(|known| known == *arch || canonical(known) == base);
        let exclusive: Vec<String> = source.exclusive.iter().filter(|arch| *arch != "noarch").cloned().collect();
        (exclusive.is_empty() || named(&exclusive)) && !named(&source.exclude) && allowed.is_none_or(named)
    };
    let fitting: Vec<&String> = tag.iter().filter(fits).collect();
    if fitting.len() == tag.len() {
        return Some("noarch".to_owned());
    }
    fitting.first().map(|arch| canonical(arch).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &str) -> Vec<String> {
        toji_protocol::arch::split_list(words)
    }

    fn source(build: &str, exclusive: &str, exclude: &str) -> SourceArches {
        SourceArches { build: list(build), exclusive: list(exclusive), exclude: list(exclude) }
    }

    /// Tag's arches | package's extra ones | BuildArch | ExclusiveArch | ExcludeArch | override → what is built.
    const VECTORS: [(&str, &str, &str, &str, &str, &str, &str); 26] = [
        // nothing is said: the tag's
        ("x86_64 aarch64", "", "", "", "", "", "x86_64 aarch64"),
        ("x86_64", "", "", "", "", "", "x86_64"),
        // extra ones, as far as the tag builds for their kind of machine
        ("i686 x86_64", "i586", "", "", "", "", "i686 x86_64 i586"),
        ("x86_64", "s390x", "", "", "", "", "x86_64"),
        ("x86_64", "x86_64", "", "", "", "", "x86_64"),
        // BuildArch takes their place
        ("x86_64 aarch64", "", "noarch", "", "", "", "noarch"),
        ("x86_64 i686", "", "i686", "", "", "", "i686"),
        ("x86_64", "i686", "noarch", "", "", "", "noarch"),
        ("x86_64", "", "s390x", "", "", "", ""),
        ("x86_64", "", "noarch x86_64", "", "", "", "noarch x86_64"),
        // ExclusiveArch keeps
        ("x86_64 aarch64", "", "", "x86_64", "", "", "x86_64"),
        ("x86_64 aarch64", "", "", "s390x", "", "", ""),
        ("i686 x86_64", "i586", "", "i586", "", "", "i586"),
        // i386 does not mean i686 there
        ("i686 x86_64", "", "", "i386 x86_64", "", "", "x86_64"),
        // noarch comes back if it is named and not excluded
        ("x86_64 aarch64", "", "noarch", "x86_64", "", "", "noarch"),
        ("x86_64 aarch64", "", "", "x86_64 noarch", "", "", "x86_64 noarch"),
        ("x86_64 aarch64", "", "noarch", "noarch", "", "", "noarch"),
        ("x86_64 aarch64", "", "noarch", "", "noarch", "", ""),
        ("x86_64 aarch64", "", "", "noarch", "noarch", "", ""),
        // ExcludeArch removes
        ("i686 x86_64 aarch64", "", "", "", "i686", "", "x86_64 aarch64"),
        ("x86_64", "", "", "", "x86_64", "", ""),
        ("x86_64 aarch64", "", "", "x86_64 aarch64", "aarch64", "", "x86_64"),
        // a scratch build's own list takes the place of all that, but for the tag's kinds of machines
        ("x86_64 aarch64", "", "", "", "", "aarch64", "aarch64"),
        ("x86_64", "", "", "s390x", "x86_64", "x86_64 ppc64le", "x86_64"),
        ("i686", "", "", "", "", "i386 i386", "i386"),
        ("x86_64", "", "noarch", "", "", "s390x", ""),
    ];

    #[test]
    fn every_rule_has_a_vector() {
        for (tag, extra, build, exclusive, exclude, given, chosen) in VECTORS {
            let given = list(given);
            let given = Some(given.as_slice()).filter(|given| !given.is_empty());
            let found = choose(&list(tag), &list(extra), &source(build, exclusive, exclude), given);
            assert_eq!(found, list(chosen), "{tag} | {extra} | {build} | {exclusive} | {exclude} | {given:?}");
        }
    }

    /// Tag's arches | ExclusiveArch | ExcludeArch | noarch_arches → where a noarch build may run.
    const PLACES: [(&str, &str, &str, &str, Option<&str>); 12] = [
        ("x86_64 aarch64", "", "", "", Some("noarch")),
        ("x86_64 aarch64", "noarch", "", "", Some("noarch")),
        ("x86_64 aarch64", "x86_64 aarch64 s390x noarch", "", "", Some("noarch")),
        ("x86_64 aarch64", "aarch64 noarch", "", "", Some("aarch64")),
        ("x86_64 aarch64", "", "s390x", "", Some("noarch")),
        ("x86_64 aarch64", "", "x86_64", "", Some("aarch64")),
        ("i686 x86_64", "", "x86_64", "", Some("i386")),
        ("x86_64 aarch64", "", "", "aarch64", Some("aarch64")),
        ("x86_64 aarch64", "", "", "x86_64 aarch64", Some("noarch")),
        ("x86_64 aarch64", "", "aarch64", "aarch64", None),
        ("x86_64", "", "", "s390x", None),
        ("x86_64", "s390x noarch", "", "", None),
    ];

    #[test]
    fn places_of_noarch() {
        for (tag, exclusive, exclude, allowed, place) in PLACES {
            let allowed = list(allowed);
            let allowed = Some(allowed.as_slice()).filter(|allowed| !allowed.is_empty());
            let found = noarch_host(&list(tag), &source("noarch", exclusive, exclude), allowed);
            assert_eq!(found.as_deref(), place, "{tag} | {exclusive} | {exclude} | {allowed:?}");
        }
    }

    #[test]
    fn vectors() {
        let tag = list("i686 x86_64 aarch64");
        let chosen = |source: &SourceArches| choose(&tag, &[], source, None);
        assert_eq!(chosen(&source("", "", "")), ["i686", "x86_64", "aarch64"]);
        assert_eq!(chosen(&source("noarch", "", "")), ["noarch"]);
        assert_eq!(chosen(&source("", "x86_64 s390x", "")), ["x86_64"]);
        assert_eq!(chosen(&source("", "", "i686 aarch64")), ["x86_64"]);
        assert_eq!(chosen(&source("noarch", "x86_64 noarch", "")), ["noarch"]);
        assert_eq!(chosen(&source("noarch", "", "noarch")), Vec::<String>::new());
        assert!(chosen(&source("", "s390x", "")).is_empty());
        assert_eq!(choose(&tag, &list("s390x i486"), &source("", "", ""), None), ["i686", "x86_64", "aarch64", "i486"]);
        assert_eq!(choose(&tag, &[], &source("", "s390x", ""), Some(&list("x86_64 ppc64le"))), ["x86_64"]);
    }

    #[test]
    fn noarch_placement() {
        let tag = list("x86_64 aarch64");
        assert_eq!(noarch_host(&tag, &source("noarch", "", ""), None).as_deref(), Some("noarch"));
        assert_eq!(noarch_host(&tag, &source("noarch", "", "x86_64"), None).as_deref(), Some("aarch64"));
        assert_eq!(noarch_host(&tag, &source("noarch", "x86_64 noarch", ""), None).as_deref(), Some("x86_64"));
        assert_eq!(noarch_host(&tag, &source("noarch", "", ""), Some(&list("aarch64"))).as_deref(), Some("aarch64"));
        assert_eq!(noarch_host(&tag, &source("noarch", "s390x", ""), None), None);
    }
}
