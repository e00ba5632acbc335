//! `repomd.xml`: the one file of a repository with a fixed name.

use std::fmt::Write;

use super::RepoFile;
use crate::xml::{push_attribute_pair, push_element};

/// Renders `repomd.xml`. Each file comes with the absolute URL of the folder that it is in, or `None` for the repository's
/// own `repodata/`. `timestamp` is in seconds since 1970; what the revision means is the caller's business.
///
/// No other place can be given, because dnf 4.14 aborts on `../` and on an absolute URL in the href of a data file (it
/// takes both in a package's), and does not find what a relative `xml:base` points to.
pub fn repomd(revision: &str, timestamp: u64, files: &[(&RepoFile, Option<&str>)]) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" \
         xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n",
    );
    push_element(&mut out, 2, "revision", revision);
    for (file, base) in files {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(out, "  <data type=\"{}\">", file.kind.name());
        let _ = writeln!(out, "    <checksum type=\"sha256\">{}</checksum>", file.checksum);
        if let Some(checksum) = &file.open_checksum {
            let _ = writeln!(out, "    <open-checksum type=\"sha256\">{checksum}</open-checksum>");
        }
        out.push_str("    <location");
        if let Some(base) = base {
            push_attribute_pair(&mut out, "xml:base", &format!("{}/", base.trim_end_matches('/')));
        }
        let folder = if base.is_some() { "" } else { "repodata/" };
        push_attribute_pair(&mut out, "href", &format!("{folder}{}", file.file_name()));
        out.push_str("/>\n");
        for (name, number) in [("timestamp", timestamp), ("size", file.size), ("open-size", file.open_size)] {
            let _ = writeln!(out, "    <{name}>{number}</{name}>");
        }
        out.push_str("  </data>\n");
    }
    out.push_str("</repomd>\n");
    out
}
