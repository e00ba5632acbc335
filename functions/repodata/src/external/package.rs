//! The packages of an external repository.

use std::io::BufRead;

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};

use super::{ExternalError, pieces::Pieces};
use crate::{
    fragment::{LOCATION_MARK, Location, PrimaryTemplate},
    merge::Identity,
};

/// One package as `primary.xml` has it.
#[derive(Debug, Clone)]
pub struct ExternalPackage {
    /// What a merge looks at.
    pub identity: Identity,
    /// Checksum of the file, hex: what links it to its other fragments.
    pub pkgid: String,
    /// Path or URL of the file.
    pub href: String,
    /// `xml:base`, if it has one.
    pub base: Option<String>,
    /// Its primary fragment as it stands there, less the location.
    pub primary: PrimaryTemplate,
}

/// Where an external package is, from anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedLocation {
    base: Option<String>,
    href: String,
}

impl OwnedLocation {
    /// Of a package that its repository, which has this base URL, says to be at `href` below `base`: an `xml:base` and the package's own
    /// path, as mergerepo_c writes it. (dnf escapes what needs it in both, and also takes an absolute `href`, which stays so.)
    pub fn new(repo_url: &str, base: Option<&str>, href: &str) -> Self {
        if is_absolute(href) {
            return Self { base: None, href: href.to_owned() };
        }
        let base = match base {
            Some(base) if is_absolute(base) => with_slash(base),
            Some(base) => with_slash(&format!("{}{base}", with_slash(repo_url))),
            None => with_slash(repo_url),
        };
        Self { base: Some(base), href: href.to_owned() }
    }

    /// Below the base URL of the repository that it is written for.
    pub fn relative(href: String) -> Self {
        Self { base: None, href }
    }

    /// For rendering.
    pub fn borrow(&self) -> Location<'_> {
        Location { base: self.base.as_deref(), href: &self.href }
    }
}

impl ExternalPackage {
    /// The package's absolute location, given its repository's base URL.
    pub fn location(&self, repo_url: &str) -> OwnedLocation {
        OwnedLocation::new(repo_url, self.base.as_deref(), &self.href)
    }
}

fn is_absolute(url: &str) -> bool {
    url.contains("://")
}

fn with_slash(url: &str) -> String {
    format!("{}/", url.trim_end_matches('/'))
}

/// Reads the packages of a `primary.xml`.
pub struct PrimaryReader<R> {
    pieces: Pieces<R>,
}

impl<R: BufRead> PrimaryReader<R> {
    /// `reader` gives plain XML.
    pub fn new(reader: R) -> Self {
        Self { pieces: Pieces::new(reader, "metadata") }
    }
}

impl<R: BufRead> Iterator for PrimaryReader<R> {
    type Item = Result<ExternalPackage, ExternalError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.pieces.next().transpose()?.and_then(|piece| parse_primary(&piece)))
    }
}

/// Reads the fragments of a `filelists.xml` or `other.xml`: package id and whole `<package>` element.
pub struct FragmentReader<R> {
    pieces: Pieces<R>,
}

impl<R: BufRead> FragmentReader<R> {
    /// `reader` gives plain XML.
    pub fn filelists(reader: R) -> Self {
        Self { pieces: Pieces::new(reader, "filelists") }
    }

    /// `reader` gives plain XML.
    pub fn other(reader: R) -> Self {
        Self { pieces: Pieces::new(reader, "otherdata") }
    }
}

impl<R: BufRead> Iterator for FragmentReader<R> {
    type Item = Result<(String, String), ExternalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.pieces.next().transpose()?;
        Some(piece.and_then(|piece| Ok((package_id(&piece)?, piece))))
    }
}

/// Walks the whole element, so that a broken one never reaches a repository of ours.
fn package_id(piece: &str) -> Result<String, ExternalError> {
    let mut reader = Reader::from_str(piece);
    let mut id = None;
    loop {
        match reader.read_event()? {
            Event::Start(start) | Event::Empty(start) if start.name().as_ref() == "package" => {
                id = attribute(&start, "pkgid")?;
            }
            Event::Eof => return id.ok_or_else(|| ExternalError::Incomplete("a package has no pkgid".into())),
            _ => {}
        }
    }
}

#[derive(Default)]
struct Draft {
    name: String,
    arch: String,
    pkgid: String,
    sourcerpm: String,
    version: Option<(u32, String, String)>,
    location: Option<(Option<String>, String)>,
    /// Where the location element is in the piece.
    span: (usize, usize),
}

fn parse_primary(piece: &str) -> Result<ExternalPackage, ExternalError> {
    let mut reader = Reader::from_str(piece);
    let mut draft = Draft::default();
    // Names of the open elements below <package>.
    let mut path: Vec<String> = Vec::new();
    let mut opened_at = 0;
    loop {
        let before = reader.buffer_position() as usize;
        let event = reader.read_event()?;
        let after = reader.buffer_position() as usize;
        match event {
            Event::Start(start) => {
                draft.take_attributes(&start, &path)?;
                opened_at = before;
                path.push(AsRef::<str>::as_ref(&start.name()).to_owned());
            }
            Event::Empty(start) => {
                draft.take_attributes(&start, &path)?;
                if is_location(&start, &path) {
                    draft.span = (before, after);
                }
            }
            Event::End(end) => {
                path.pop();
                if path.len() == 1 && end.name().as_ref() == "location" {
                    draft.span = (opened_at, after);
                }
            }
            Event::Eof => return draft.finish(piece),
            event => {
                if let Some(field) = draft.text_field(&path) {
                    push_event_text(field, &event)?;
                }
            }
        }
    }
}

fn is_location(start: &BytesStart<'_>, path: &[String]) -> bool {
    path.len() == 1 && start.name().as_ref() == "location"
}

impl Draft {
    fn take_attributes(&mut self, start: &BytesStart<'_>, path: &[String]) -> Result<(), ExternalError> {
        if is_location(start, path) {
            if let Some(href) = attribute(start, "href")? {
                self.location = Some((attribute(start, "xml:base")?, href));
            }
        } else if path.len() == 1 && start.name().as_ref() == "version" {
            let epoch = match attribute(start, "epoch")?.as_deref() {
                None | Some("") => 0,
                Some(epoch) => {
                    epoch.parse().map_err(|_| ExternalError::Xml(format!("a package has the epoch {epoch}")))?
                }
            };
            if let (Some(version), Some(release)) = (attribute(start, "ver")?, attribute(start, "rel")?) {
                self.version = Some((epoch, version, release));
            }
        }
        Ok(())
    }

    fn text_field(&mut self, path: &[String]) -> Option<&mut String> {
        match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["package", "name"] => Some(&mut self.name),
            ["package", "arch"] => Some(&mut self.arch),
            ["package", "checksum"] => Some(&mut self.pkgid),
            ["package", "format", "rpm:sourcerpm"] => Some(&mut self.sourcerpm),
            _ => None,
        }
    }

    fn finish(self, piece: &str) -> Result<ExternalPackage, ExternalError> {
        let lacks = |what| ExternalError::Incomplete(format!("package {} has no {what}", self.name));
        for (what, field) in [("name", &self.name), ("arch", &self.arch), ("checksum", &self.pkgid)] {
            if field.is_empty() {
                return Err(lacks(what));
            }
        }
        let (epoch, version, release) = self.version.clone().ok_or_else(|| lacks("version"))?;
        let (base, href) = self.location.clone().ok_or_else(|| lacks("location"))?;
        let (start, end) = self.span;
        let primary = format!("{}<location{LOCATION_MARK}/>{}", &piece[..start], &piece[end..]);
        Ok(ExternalPackage {
            identity: Identity {
                name: self.name,
                epoch,
                version,
                release,
                arch: self.arch,
                sourcerpm: Some(self.sourcerpm).filter(|file| !file.is_empty()),
            },
            pkgid: self.pkgid.trim().to_owned(),
            href,
            base,
            primary: PrimaryTemplate::from_rendered(primary),
        })
    }
}

/// The value of an attribute, its references resolved.
pub(super) fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, ExternalError> {
    match start.try_get_attribute(name)? {
        Some(attribute) => Ok(Some(attribute.normalized_value(XmlVersion::Explicit1_0)?.into_owned())),
        None => Ok(None),
    }
}

/// Appends what an event inside an element stands for.
pub(super) fn push_event_text(out: &mut String, event: &Event<'_>) -> Result<(), ExternalError> {
    match event {
        Event::Text(text) => out.push_str(&text.xml10_content()),
        Event::CData(text) => out.push_str(&text.xml10_content()),
        Event::GeneralRef(reference) => match reference.resolve_char_ref()? {
            Some(character) => out.push(character),
            None => {
                let name = reference.xml10_content();
                let value = quick_xml::escape::resolve_predefined_entity(&name)
                    .ok_or_else(|| ExternalError::Xml(format!("unknown entity {name}")))?;
                out.push_str(value);
            }
        },
        _ => {}
    }
    Ok(())
}
