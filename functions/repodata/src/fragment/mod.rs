//! What one package adds to `primary.xml`, `filelists.xml` and `other.xml`: made once, at import, from the RPM's header.
//!
//! The bytes are createrepo_c's (1.2.5; version 0.17.3 differs only in that it does not mark `pretrans` and `posttrans`
//! requirements as `pre`), with these exceptions:
//! - characters that XML cannot carry are left out, where createrepo_c leaves out the whole package;
//! - encoded surrogates and overlong forms count as invalid UTF-8, where createrepo_c passes them on;
//! - a binary package without a source package has an empty `rpm:sourcerpm`, where createrepo_c writes `(none)`.

mod filelists;
mod other;
mod primary;
mod requires;
mod template;

pub(crate) use template::LOCATION as LOCATION_MARK;
pub use template::{BadTemplate, Location, PrimaryTemplate};

use crate::header::RpmHeader;

/// What is known of the file beside its header.
#[derive(Debug, Clone, Copy)]
pub struct FileFacts<'a> {
    /// SHA-256 of the whole file, hex: the package's id within a repository.
    pub sha256: &'a str,
    /// Bytes of the whole file.
    pub size: u64,
}

/// The three fragments of one package, each a whole `<package>` element with its line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragments {
    /// For `primary.xml`, with the file's time and location left open.
    pub primary: PrimaryTemplate,
    /// For `filelists.xml`.
    pub filelists: String,
    /// For `other.xml`.
    pub other: String,
}

/// Renders the fragments of one package.
pub fn render(header: &RpmHeader, facts: FileFacts<'_>) -> Fragments {
    Fragments {
        primary: primary::render(header, facts),
        filelists: filelists::render(header, facts),
        other: other::render(header, facts),
    }
}

/// The opening of a package in `filelists.xml` and `other.xml`.
fn push_identity(out: &mut String, header: &RpmHeader, facts: FileFacts<'_>) {
    out.push_str("<package");
    crate::xml::push_attribute_pair(out, "pkgid", facts.sha256);
    crate::xml::push_attribute_pair(out, "name", &header.name);
    crate::xml::push_attribute_pair(out, "arch", header.repo_arch());
    out.push_str(">\n");
    push_version(out, header);
}

fn push_version(out: &mut String, header: &RpmHeader) {
    out.push_str("  <version");
    crate::xml::push_attribute_pair(out, "epoch", &header.epoch.unwrap_or(0).to_string());
    crate::xml::push_attribute_pair(out, "ver", &header.version);
    crate::xml::push_attribute_pair(out, "rel", &header.release);
    out.push_str("/>\n");
}
