//! Which of a package's requirements a resolver has to see.

use std::{cmp::Ordering, collections::HashMap, collections::HashSet};

use crate::{
    evr::compare_versions,
    header::{Dependency, RpmHeader},
};

/// Requirements after reduction.
pub(super) struct Needs<'a> {
    pub(super) requires: Vec<&'a Dependency>,
    /// Requirements that may go unmet; they come before the package's own recommendations.
    pub(super) recommends: Vec<&'a Dependency>,
}

/// Whether primary.xml lists the path, so that it can be required without filelists.xml.
pub(super) fn is_primary(path: &str) -> bool {
    path.starts_with("/etc/") || path == "/usr/lib/sendmail" || path.contains("bin/")
}

/// Drops what the package provides or owns itself, what rpm itself must be able to do, and repetitions; keeps of all
/// versions of glibc's symbols only the highest, last.
pub(super) fn reduce(header: &RpmHeader) -> Needs<'_> {
    let provided: HashSet<_> = header.provides.iter().map(identity).collect();
    let owned: HashSet<&str> =
        header.files.iter().map(|file| file.path.as_str()).filter(|path| is_primary(path)).collect();
    // Only the latest requirement of a name is remembered: a, b, a with other versions between are all kept.
    let mut latest: HashMap<&str, (u32, &str, bool)> = HashMap::new();
    let mut glibc: Option<&Dependency> = None;
    let mut needs = Needs { requires: Vec::new(), recommends: Vec::new() };

    for required in &header.requires {
        let name = required.name.as_str();
        let key = (required.comparison_bits(), required.version.as_str(), required.is_pre());
        if name.starts_with("rpmlib(")
            || owned.contains(name)
            || provided.contains(&identity(required))
            || latest.get(name) == Some(&key)
        {
            continue;
        }
        if required.is_missing_ok() {
            needs.recommends.push(required);
        } else if name.starts_with("libc.so.6") {
            if glibc.is_none_or(|highest| compare_glibc(name, &highest.name) == Ordering::Greater) {
                glibc = Some(required);
            }
        } else {
            latest.insert(name, key);
            needs.requires.push(required);
        }
    }
    needs.requires.extend(glibc);
    needs
}

fn identity(dependency: &Dependency) -> (&str, u32, &str) {
    (&dependency.name, dependency.comparison_bits(), &dependency.version)
}

/// Orders names like `libc.so.6(GLIBC_2.34)(64bit)` by the number in the first parentheses. A name with parentheses is
/// above one without, and one with something in them above one with nothing.
fn compare_glibc(left: &str, right: &str) -> Ordering {
    match (symbol_version(left), symbol_version(right)) {
        (Some(left), Some(right)) => {
            let number = |text: &str| text.trim_start_matches(|c: char| !c.is_ascii_digit()).to_owned();
            (!left.is_empty()).cmp(&!right.is_empty()).then_with(|| compare_versions(&number(left), &number(right)))
        }
        (left, right) => left.is_some().cmp(&right.is_some()),
    }
}

fn symbol_version(name: &str) -> Option<&str> {
    let (_, rest) = name.split_once('(')?;
    rest.split_once(')').map(|(version, _)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glibc_symbols_are_ordered_by_their_number() {
        let name = |rest: &str| format!("libc.so.6{rest}");
        let higher = |left: &str, right: &str| compare_glibc(&name(left), &name(right)) == Ordering::Greater;
        for (left, right) in [
            ("(GLIBC_2.34)(64bit)", "(GLIBC_2.4)(64bit)"),
            ("(A_2.9)", "(B_1.10)"),
            ("(GLIBC_2.34)", "(GLIBC_ABI_DT_RELR)"),
            ("(GLIBC_2.38)", "(GLIBC_ABI_GNU2_TLS)"),
            ("(ABC)", "()(64bit)"),
            ("()", ""),
            (".1(A_3)", "(A_2)"),
        ] {
            assert!(higher(left, right), "{left} {right}");
            assert!(!higher(right, left), "{right} {left}");
        }
        for (left, right) in [("(A_2.3)", "(A_2.3)(64bit)"), ("_3", "_4"), ("(A_2.3", "(A_2.4"), ("(ABC)", "(ABD)")] {
            assert!(!higher(left, right) && !higher(right, left), "{left} {right}");
        }
    }
}
