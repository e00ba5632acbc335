//! `pkgorigins`: which repository each package of a merged repository comes from. Builders need it to say where what
//! they installed came from.

use std::collections::HashSet;

/// Gathers the lines, each `name-version-release.arch`, a tab and a base URL: mergerepo_c's format, without epochs.
#[derive(Debug, Default)]
pub struct Origins {
    seen: HashSet<String>,
    text: String,
}

impl Origins {
    /// Notes a package by its name, version, release and arch. Of two packages that differ in nothing of these, the
    /// first stands.
    pub fn add(&mut self, (name, version, release, arch): (&str, &str, &str, &str), base_url: &str) {
        let package = format!("{name}-{version}-{release}.{arch}");
        if self.seen.contains(&package) {
            return;
        }
        let base_url = base_url.trim_end_matches('/');
        self.text.push_str(&format!("{package}\t{base_url}/\n"));
        self.seen.insert(package);
    }

    /// The file's text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_origin_stands() {
        let mut origins = Origins::default();
        origins.add(("foo", "1", "2", "noarch"), "https://a/x");
        origins.add(("foo", "1", "2", "noarch"), "https://b/");
        origins.add(("bar", "1", "2", "x86_64"), "https://b/");
        assert_eq!(origins.as_str(), "foo-1-2.noarch\thttps://a/x/\nbar-1-2.x86_64\thttps://b/\n");
    }
}
