//! A package in `primary.xml`: what a resolver needs.

use super::{
    FileFacts, PrimaryTemplate, push_version,
    requires::{self, is_primary},
    template::{LOCATION, TIME},
};
use crate::{
    header::{Dependency, RpmHeader},
    xml::{push_attribute_pair, push_element},
};

pub(super) fn render(header: &RpmHeader, facts: FileFacts<'_>) -> PrimaryTemplate {
    let mut out = String::with_capacity(4096);
    out.push_str("<package type=\"rpm\">\n");
    push_element(&mut out, 2, "name", &header.name);
    push_element(&mut out, 2, "arch", header.repo_arch());
    push_version(&mut out, header);
    out.push_str("  <checksum type=\"sha256\" pkgid=\"YES\">");
    crate::xml::push_text(&mut out, facts.sha256);
    out.push_str("</checksum>\n");
    push_element(&mut out, 2, "summary", &header.summary);
    push_element(&mut out, 2, "description", &header.description);
    push_element(&mut out, 2, "packager", &header.packager);
    push_element(&mut out, 2, "url", &header.url);
    out.push_str(&format!("  <time file=\"{TIME}\" build=\"{}\"/>\n", header.buildtime));
    let (installed, archive) = (header.size_installed, header.size_archive);
    out.push_str(&format!("  <size package=\"{}\" installed=\"{installed}\" archive=\"{archive}\"/>\n", facts.size));
    out.push_str(&format!("  <location{LOCATION}/>\n  <format>\n"));
    push_element(&mut out, 4, "rpm:license", &header.license);
    push_element(&mut out, 4, "rpm:vendor", &header.vendor);
    push_element(&mut out, 4, "rpm:group", &header.group);
    push_element(&mut out, 4, "rpm:buildhost", &header.buildhost);
    let sourcerpm = if header.is_source { None } else { header.sourcerpm.as_deref() };
    push_element(&mut out, 4, "rpm:sourcerpm", sourcerpm.unwrap_or_default());
    let (start, end) = (header.header_start, header.header_end);
    out.push_str(&format!("    <rpm:header-range start=\"{start}\" end=\"{end}\"/>\n"));

    let needs = requires::reduce(header);
    push_dependencies(&mut out, "rpm:provides", header.provides.iter().map(|provided| (provided, false)));
    push_dependencies(&mut out, "rpm:requires", needs.requires.iter().map(|required| (*required, required.is_pre())));
    push_dependencies(&mut out, "rpm:conflicts", header.conflicts.iter().map(without_pre));
    push_dependencies(&mut out, "rpm:obsoletes", header.obsoletes.iter().map(without_pre));
    push_dependencies(&mut out, "rpm:suggests", header.suggests.iter().map(without_pre));
    push_dependencies(&mut out, "rpm:enhances", header.enhances.iter().map(without_pre));
    let recommends = needs.recommends.iter().copied().chain(&header.recommends);
    push_dependencies(&mut out, "rpm:recommends", recommends.map(without_pre));
    push_dependencies(&mut out, "rpm:supplements", header.supplements.iter().map(without_pre));
    for file in header.files.iter().filter(|file| is_primary(&file.path)) {
        super::filelists::push_file(&mut out, 4, file);
    }
    out.push_str("  </format>\n</package>\n");
    PrimaryTemplate::from_rendered(out)
}

fn without_pre(dependency: &Dependency) -> (&Dependency, bool) {
    (dependency, false)
}

fn push_dependencies<'a>(out: &mut String, kind: &str, dependencies: impl Iterator<Item = (&'a Dependency, bool)>) {
    let mut any = false;
    for (dependency, pre) in dependencies {
        let Some(evr) = Evr::parse(&dependency.version) else {
            continue;
        };
        if dependency.name.is_empty() {
            continue;
        }
        if !any {
            out.push_str(&format!("    <{kind}>\n"));
            any = true;
        }
        push_entry(out, dependency, &evr, pre);
    }
    if any {
        out.push_str(&format!("    </{kind}>\n"));
    }
}

fn push_entry(out: &mut String, dependency: &Dependency, evr: &Evr<'_>, pre: bool) {
    out.push_str("      <rpm:entry");
    push_attribute_pair(out, "name", &dependency.name);
    if let Some(comparison) = dependency.comparison() {
        push_attribute_pair(out, "flags", comparison);
        for (name, value) in [("epoch", evr.epoch), ("ver", evr.version), ("rel", evr.release)] {
            if !value.is_empty() {
                push_attribute_pair(out, name, value);
            }
        }
    }
    if pre {
        push_attribute_pair(out, "pre", "1");
    }
    out.push_str("/>\n");
}

/// A dependency's version, split as createrepo_c splits it: at the first colon and the first hyphen after it.
struct Evr<'a> {
    epoch: &'a str,
    version: &'a str,
    release: &'a str,
}

impl<'a> Evr<'a> {
    /// `None` where what should be the epoch is no number: createrepo_c drops such a dependency.
    fn parse(text: &'a str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self { epoch: "", version: "", release: "" });
        }
        let (epoch, rest) = match text.split_once(':') {
            Some(("", rest)) => ("0", rest),
            Some((epoch, rest)) if is_number(epoch) => (epoch, rest),
            Some(_) => return None,
            None => ("0", text),
        };
        let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
        Some(Self { epoch, version, release })
    }
}

/// A number as C's `strtol` takes it.
fn is_number(text: &str) -> bool {
    let digits = text.trim_ascii_start();
    let digits = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
