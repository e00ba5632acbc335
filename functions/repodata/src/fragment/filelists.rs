//! A package in `filelists.xml`: all of its files.

use super::{FileFacts, push_identity};
use crate::{
    header::{File, FileKind, RpmHeader},
    xml::push_text,
};

pub(super) fn render(header: &RpmHeader, facts: FileFacts<'_>) -> String {
    let mut out = String::with_capacity(256 + header.files.len() * 64);
    push_identity(&mut out, header, facts);
    for file in &header.files {
        push_file(&mut out, 2, file);
    }
    out.push_str("</package>\n");
    out
}

pub(super) fn push_file(out: &mut String, indent: usize, file: &File) {
    out.extend(std::iter::repeat_n(' ', indent));
    out.push_str(match file.kind {
        FileKind::File => "<file>",
        FileKind::Dir => "<file type=\"dir\">",
        FileKind::Ghost => "<file type=\"ghost\">",
    });
    push_text(out, &file.path);
    out.push_str("</file>\n");
}
