//! Which messages a receiver wants, by their addresses.
//!
//! An address is words with points between, as Koji's protonmsg plugin has them: `build.tag`, `task.closed`. Its messages all have
//! two words; what it does not send has one (`commit`) or three (`task.change.priority`).

use std::{convert::Infallible, str::FromStr};

use super::Callback;

/// A pattern for addresses: `*` is any one word, `**` at the end any that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topic(Vec<String>);

impl FromStr for Topic {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.split('.').map(str::to_owned).collect()))
    }
}

impl Topic {
    /// All that protonmsg sends.
    pub(super) fn protonmsg() -> Self {
        Self(vec!["*".to_owned(), "*".to_owned()])
    }

    /// Whether it wants a message with this address.
    pub(super) fn matches(&self, address: &str) -> bool {
        let mut words = address.split('.');
        for part in &self.0 {
            match (part.as_str(), words.next()) {
                ("**", Some(_)) => return true,
                ("*", Some(_)) => {}
                (part, Some(word)) if part == word => {}
                _ => return false,
            }
        }
        words.next().is_none()
    }

    /// Whether it may want messages of a kind of change.
    pub(super) fn may_match(&self, callback: Callback) -> bool {
        self.0.first().is_some_and(|first| matches!(first.as_str(), "*" | "**") || first == callback.first_word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(topic: &str, address: &str) -> bool {
        topic.parse::<Topic>().unwrap().matches(address)
    }

    #[test]
    fn words() {
        for (topic, address) in [
            ("build.tag", "build.tag"),
            ("build.*", "build.complete"),
            ("*.*", "repo.done"),
            ("**", "commit"),
            ("**", "task.change.priority"),
            ("task.**", "task.change.priority"),
            ("task.*.priority", "task.change.priority"),
        ] {
            assert!(matches(topic, address), "{topic} {address}");
        }
        for (topic, address) in [
            ("build.tag", "build.untag"),
            ("build", "build.tag"),
            ("build.*", "build"),
            ("*.*", "commit"),
            ("*.*", "task.change.priority"),
            ("task.**", "task"),
            ("", "commit"),
        ] {
            assert!(!matches(topic, address), "{topic} {address}");
        }
        let topic: Topic = "build.complete".parse().unwrap();
        assert!(topic.may_match(Callback::Tag) && !topic.may_match(Callback::RepoDone));
    }
}
