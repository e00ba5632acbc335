//! A message, its attributes, and the digests by which clients check both.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::error::{Refusal, Result};
use crate::clock::Millis;

/// The most attributes of one message.
const MOST_ATTRIBUTES: usize = 10;

/// A typed value that travels beside the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attribute {
    pub(super) data_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) string_value: Option<String>,
    /// Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) binary_value: Option<String>,
}

/// Attributes by name.
pub(super) type Attributes = BTreeMap<String, Attribute>;

/// Where a message is; who moves it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Place {
    /// A receiver may take it.
    Ready,
    /// Not yet receivable; the clock makes it ready.
    Delayed { until: Millis },
    /// With a receiver, who deletes it or changes the time; else the clock makes it ready again.
    InFlight { since: Millis, until: Millis },
}

/// A message in a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) body: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) attributes: Attributes,
    /// The access key that sent it.
    pub(super) sender: String,
    pub(super) sent: Millis,
    pub(super) place: Place,
    #[serde(default)]
    pub(super) receives: u32,
    #[serde(default)]
    pub(super) first_received: Option<Millis>,
    /// Names the latest receive: only its receipt handle moves the message.
    #[serde(default)]
    pub(super) receipt: u64,
}

/// The bytes that count against the limits: body, attribute names, types and values.
pub(super) fn length(body: &str, attributes: &Attributes) -> usize {
    let attributes = attributes.iter().map(|(name, attribute)| {
        let value = value(attribute).map_or(0, |(_, value)| value.len());
        name.len() + attribute.data_type.len() + value
    });
    body.len() + attributes.sum::<usize>()
}

/// Refuses what SQS would not take, whatever the queue.
pub(super) fn check(body: &str, attributes: &Attributes) -> Result<()> {
    if body.is_empty() {
        return Err(Refusal::missing_parameter("MessageBody"));
    }
    let texts = attributes.values().filter_map(|attribute| attribute.string_value.as_deref());
    if ![body].into_iter().chain(texts).all(|text| text.chars().all(is_allowed)) {
        return Err(Refusal::invalid_message_contents());
    }
    if attributes.len() > MOST_ATTRIBUTES {
        return Err(Refusal::invalid_parameter(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{MOST_ATTRIBUTES}].",
            attributes.len()
        )));
    }
    for (name, attribute) in attributes {
        let named = !name.is_empty()
            && name.len() <= 256
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !named {
            return Err(Refusal::invalid_parameter(
                "Message attribute name can contain only alphanumeric characters, hyphens, underscores and periods.",
            ));
        }
        if value(attribute).is_none_or(|(_, value)| value.is_empty()) {
            return Err(Refusal::invalid_parameter(format!(
                "The message attribute '{name}' must contain a non-empty value of its type '{}'.",
                attribute.data_type
            )));
        }
    }
    Ok(())
}

fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// The digest of a body.
pub(super) fn md5_of_body(body: &str) -> String {
    hex::encode(Md5::digest(body))
}

/// The digest of attributes, `None` of none: of all names, types and values, each behind its length.
pub(super) fn md5_of_attributes(attributes: &Attributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    for (name, attribute) in attributes {
        if let Some((tag, value)) = value(attribute) {
            push(&mut bytes, name.as_bytes());
            push(&mut bytes, attribute.data_type.as_bytes());
            bytes.push(tag);
            push(&mut bytes, &value);
        }
    }
    Some(hex::encode(Md5::digest(bytes)))
}

fn push(bytes: &mut Vec<u8>, field: &[u8]) {
    bytes.extend(u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(field);
}

/// An attribute's value with the tag of its encoding; `None` if it has none that fits its type.
fn value(attribute: &Attribute) -> Option<(u8, Vec<u8>)> {
    match attribute.data_type.split('.').next() {
        Some("String" | "Number") => Some((1, attribute.string_value.clone()?.into_bytes())),
        Some("Binary") => Some((2, BASE64.decode(attribute.binary_value.as_deref()?).ok()?)),
        _ => None,
    }
}

/// Whether a receiver who asks for `wanted` gets the attribute `name`.
pub(super) fn is_wanted(wanted: &[String], name: &str) -> bool {
    wanted.iter().any(|wanted| match wanted.as_str() {
        "All" | ".*" => true,
        wanted => match wanted.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => wanted == name,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Attribute {
        Attribute { data_type: "String".into(), string_value: Some(value.into()), binary_value: None }
    }

    fn one(name: &str, attribute: Attribute) -> Attributes {
        Attributes::from([(name.to_owned(), attribute)])
    }

    #[test]
    fn digests() {
        assert_eq!(md5_of_body("hello"), "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(md5_of_attributes(&Attributes::new()), None);
        let bytes = b"\0\0\0\x01a\0\0\0\x06String\x01\0\0\0\x01b";
        let expected = hex::encode(Md5::digest(bytes));
        assert_eq!(md5_of_attributes(&one("a", text("b"))), Some(expected));
    }

    #[test]
    fn bad_messages_are_refused() {
        let name = |body: &str, attributes: &Attributes| check(body, attributes).err().map(|refusal| refusal.name);
        let none = Attributes::new();
        assert_eq!(name("a\u{1f37a}\n", &none), None);
        assert_eq!(name("", &none), Some("MissingParameter"));
        assert_eq!(name("a\u{0}", &none), Some("InvalidMessageContents"));
        assert_eq!(name("a\u{ffff}", &none), Some("InvalidMessageContents"));
        assert_eq!(name("a", &one("a b", text("c"))), Some("InvalidParameterValue"));
        assert_eq!(name("a", &one("a", text(""))), Some("InvalidParameterValue"));
        let odd = Attribute { data_type: "Colour".into(), ..text("blue") };
        assert_eq!(name("a", &one("a", odd)), Some("InvalidParameterValue"));
    }

    #[test]
    fn wanted_attributes() {
        let wanted = |names: &[&str], name| is_wanted(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>(), name);
        assert!(wanted(&["All"], "a") && wanted(&["x", ".*"], "a") && wanted(&["task.*"], "task.id"));
        assert!(!wanted(&[], "a") && !wanted(&["task"], "task.id"));
    }
}
