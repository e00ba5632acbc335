//! Who may call the two servers.
//!
//! A store of access keys that both servers share. The hub's own key may do everything; a builder's short-lived key may
//! only consume its own queues, and has no business with S3 at all (it is handed presigned URLs). Keys that are added
//! while running are not kept over a restart: a builder asks the hub for new ones before the old ones expire, and when
//! they are refused.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};

/// What a key may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything on both servers.
    Everything,
    /// Receive from, delete from and look at the queues whose names match one of these patterns; `*` stands for any
    /// characters. Nothing on S3.
    Queues(Vec<String>),
}

impl Access {
    /// Whether messages of `queue` may be consumed.
    #[must_use]
    pub fn may_consume(&self, queue: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Queues(patterns) => patterns.iter().any(|pattern| matches(pattern, queue)),
        }
    }
}

/// One access key.
#[derive(Clone)]
pub(crate) struct Credential {
    pub(crate) secret: String,
    pub(crate) session_token: Option<String>,
    pub(crate) expires: Option<DateTime<Utc>>,
    pub(crate) access: Access,
}

/// Why a key is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No such access key.
    Unknown,
    /// It was good once.
    Expired,
}

/// The store; clones share it.
#[derive(Clone, Default)]
pub struct Credentials {
    keys: Arc<RwLock<HashMap<String, Credential>>>,
}

impl Credentials {
    /// A store with one key that may do everything, for ever.
    #[must_use]
    pub fn new(access_key: &str, secret: &str) -> Self {
        let store = Self::default();
        store.add(access_key, secret, None, None, Access::Everything);
        store
    }

    /// Adds or replaces a key. Requests must then carry `session_token`, if there is one, and fail from `expires` on.
    pub fn add(
        &self,
        access_key: &str,
        secret: &str,
        session_token: Option<&str>,
        expires: Option<DateTime<Utc>>,
        access: Access,
    ) {
        let credential =
            Credential { secret: secret.to_owned(), session_token: session_token.map(str::to_owned), expires, access };
        let now = Utc::now();
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        // Builders come back every few hours for as long as this process lives.
        keys.retain(|_, known| known.expires.is_none_or(|at| at + FORGET_AFTER > now));
        keys.insert(access_key.to_owned(), credential);
    }

    /// Makes a key worthless at once; no error if there is none.
    pub fn remove(&self, access_key: &str) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).remove(access_key);
    }

    /// The key, if it is good at `now`.
    pub(crate) fn find(&self, access_key: &str, now: DateTime<Utc>) -> Result<Credential, Refusal> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let found = keys.get(access_key).ok_or(Refusal::Unknown)?;
        if found.expires.is_some_and(|at| at <= now) {
            return Err(Refusal::Expired);
        }
        Ok(found.clone())
    }
}

/// How long an expired key is still told apart from an unknown one.
const FORGET_AFTER: chrono::TimeDelta = chrono::TimeDelta::hours(1);

/// Whether `name` matches `pattern`, in which `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(name) = name.strip_prefix(head) else {
        return false;
    };
    name.char_indices().map(|(at, _)| &name[at..]).chain([""]).any(|tail| matches(rest, tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(matches("toji-host-7", "toji-host-7"));
        assert!(!matches("toji-host-7", "toji-host-71"));
        assert!(matches("toji-tasks-*", "toji-tasks-"));
        assert!(matches("*-x86_64", "tasks-default-x86_64"));
        assert!(matches("a*b*c", "a__b__c"));
        assert!(!matches("a*b*c", "a__c__b"));
        assert!(!matches("", "a"));
    }

    #[test]
    fn keys_expire_and_can_be_taken_away() {
        let store = Credentials::new("root", "s");
        let now = Utc::now();
        let soon = now + chrono::TimeDelta::seconds(1);
        let own = Access::Queues(vec!["host-7".into()]);
        store.add("b", "s", Some("t"), Some(soon), own);
        let found = store.find("b", now).ok().unwrap();
        assert!(found.access.may_consume("host-7") && !found.access.may_consume("host-8"));
        assert_eq!(store.find("b", soon).err(), Some(Refusal::Expired));
        store.remove("root");
        assert_eq!(store.find("root", now).err(), Some(Refusal::Unknown));
    }
}
