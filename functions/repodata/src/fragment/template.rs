//! The primary fragment with two holes, for what is known only when a repository is put together.

use serde::{Deserialize, Serialize};

use crate::xml;

/// Where the file's time goes. A control character, so that no content can contain it.
pub(crate) const TIME: char = '\u{1}';
/// Where the location's attributes go.
pub(crate) const LOCATION: char = '\u{2}';

/// Where a repository's package file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location<'a> {
    /// `xml:base`: what `href` is relative to, ending in a slash. `None`: the repository's own base URL.
    pub base: Option<&'a str>,
    /// Path below the base, or an absolute URL. Not percent-encoded: the reader does that.
    pub href: &'a str,
}

/// A package's primary fragment whose file time and location are filled in by [`PrimaryTemplate::render`], at the cost of
/// a copy. Stored as text: see [`PrimaryTemplate::as_str`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PrimaryTemplate(String);

/// Stored text that is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a stored primary fragment has {0} places for a location instead of one")]
pub struct BadTemplate(usize);

impl PrimaryTemplate {
    /// For text that was made here, with its marks in place.
    pub(crate) fn from_rendered(text: String) -> Self {
        Self(text)
    }

    /// The text to store. It holds the control characters 1 (at most once) and 2 (once).
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Appends the fragment to `out`. `file_time` is in seconds since 1970; a fragment from an external repository has
    /// its own and ignores it.
    pub fn render(&self, file_time: u64, location: Location<'_>, out: &mut Vec<u8>) {
        let mut rest = self.0.as_str();
        while let Some(hole) = rest.find([TIME, LOCATION]) {
            out.extend_from_slice(&rest.as_bytes()[..hole]);
            if rest[hole..].starts_with(TIME) {
                out.extend_from_slice(file_time.to_string().as_bytes());
            } else {
                out.extend_from_slice(attributes(location).as_bytes());
            }
            // Both marks are one byte long.
            rest = &rest[hole + 1..];
        }
        out.extend_from_slice(rest.as_bytes());
    }
}

fn attributes(location: Location<'_>) -> String {
    let mut out = String::new();
    if let Some(base) = location.base {
        xml::push_attribute_pair(&mut out, "xml:base", base);
    }
    xml::push_attribute_pair(&mut out, "href", location.href);
    out
}

impl TryFrom<String> for PrimaryTemplate {
    type Error = BadTemplate;

    fn try_from(text: String) -> Result<Self, BadTemplate> {
        match text.matches(LOCATION).count() {
            1 => Ok(Self(text)),
            count => Err(BadTemplate(count)),
        }
    }
}

impl From<PrimaryTemplate> for String {
    fn from(template: PrimaryTemplate) -> Self {
        template.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_and_the_rest_is_copied() {
        let template = PrimaryTemplate::try_from("a\u{1}b<location\u{2}/>c".to_owned()).unwrap();
        let mut out = Vec::new();
        template.render(7, Location { base: Some("https://h/?a&b/"), href: "x\"y.rpm" }, &mut out);
        let expected = "a7b<location xml:base=\"https://h/?a&amp;b/\" href=\"x&quot;y.rpm\"/>c";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn text_without_a_place_for_the_location_is_refused() {
        assert_eq!(PrimaryTemplate::try_from("x".to_owned()), Err(BadTemplate(0)));
        let json = "\"\\u0002\\u0002\"";
        assert!(serde_json::from_str::<PrimaryTemplate>(json).is_err());
    }
}
